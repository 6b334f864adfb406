"""The moderated linear model, against statsmodels and published formulae."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import false_discovery_control, t, ttest_ind

from twinseq.metrics.biology.linear_model import moderated_contrast, variance_prior


def table(n: int, rng) -> pd.DataFrame:
    return pd.DataFrame({"covariate0": rng.standard_normal(n), "label": np.repeat(["a", "b"], n // 2)})


def test_differences_are_those_of_least_squares(rng):
    model, values = table(20, rng), rng.standard_normal((20, 30))
    difference, _, _ = moderated_contrast(values, model, ("b", "a"))
    x = sm.add_constant(np.column_stack([model["covariate0"], model["label"] == "b"]).astype(float))
    expected = [sm.OLS(values[:, gene], x).fit().params[2] for gene in range(30)]
    np.testing.assert_allclose(difference, expected)


def test_moderation_shrinks_variances_to_the_fitted_prior(rng):
    n = 10
    model = pd.DataFrame({"label": np.repeat(["a", "b"], n // 2)})
    spread = 1 / np.sqrt(rng.chisquare(4, 4000) / 4)
    values = rng.standard_normal((n, 4000)) * spread
    difference, padj, _ = moderated_contrast(values, model, ("b", "a"))
    a, b = values[:5], values[5:]
    pooled = (a.var(axis=0, ddof=1) + b.var(axis=0, ddof=1)) / 2
    prior, scale = variance_prior(pooled, n - 2)
    # The prior was drawn with 4 degrees of freedom and scale 1.
    assert prior == pytest.approx(4, rel=0.25)
    assert scale == pytest.approx(1, rel=0.1)
    moderated = (prior * scale + (n - 2) * pooled) / (prior + n - 2)
    p = 2 * t.sf(np.abs(difference) / np.sqrt(moderated * 2 / 5), prior + n - 2)
    np.testing.assert_allclose(padj, false_discovery_control(p))


def test_null_no_gene_is_found_and_failure_shifted_genes_are(rng):
    model = pd.DataFrame({"label": np.repeat(["a", "b"], 15)})
    values = rng.standard_normal((30, 1000))
    assert (moderated_contrast(values, model, ("b", "a"))[1] < 0.05).sum() <= 2
    values[15:, :50] += 2
    difference, padj, _ = moderated_contrast(values, model, ("b", "a"))
    assert (padj[:50] < 0.05).mean() > 0.95
    assert (ttest_ind(values[15:], values[:15]).statistic[:50] > 0).all() == (difference[:50] > 0).all()


def test_equal_variances_give_an_infinite_prior_and_constant_genes_no_evidence():
    assert variance_prior(np.full(10, 2.0), 8)[0] == np.inf
    model = pd.DataFrame({"label": np.repeat(["a", "b"], 4)})
    difference, padj, _ = moderated_contrast(np.full((8, 3), 5.0), model, ("b", "a"))
    np.testing.assert_allclose(difference, 0, atol=1e-12)
    np.testing.assert_allclose(padj, 1)
