"""One fit, many contrasts; and contrasts with groups of samples left out."""

import numpy as np
import pandas as pd
import pytest

from twinseq.de import fit_deseq2, fit_model
from twinseq.errors import CohortError, ConfigError

OPTIONS = {"refit_cooks": False, "cooks_filter": False}


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, pd.DataFrame]:
    """Three classes of twenty samples, a continuous covariate, 600 genes, a third of them changed in class b."""
    rng = np.random.default_rng(3)
    metadata = pd.DataFrame({"age": rng.normal(50, 10, 60), "type": np.repeat(["a", "b", "c"], 20)})
    mean = np.exp(rng.uniform(np.log(2), np.log(2000), 600))
    change = np.where(np.arange(600) % 3 == 0, rng.normal(0, 1, 600), 0.0)
    mu = mean * np.exp(rng.normal(0, 0.2, 60))[:, None] * np.exp(np.outer(metadata["type"] == "b", change))
    return rng.negative_binomial(5, 5 / (5 + mu)), metadata


@pytest.fixture(scope="module")
def model(data):
    counts, metadata = data
    return fit_model(counts, metadata, ["age", "type"], ("type", "b", "a"), **OPTIONS)


@pytest.mark.parametrize(("tested", "reference"), [("b", "a"), ("c", "a"), ("c", "b"), ("a", "c")])
def test_every_contrast_is_that_of_a_fit_of_its_own(data, model, tested, reference):
    counts, metadata = data
    own = fit_deseq2(counts, metadata, ["age", "type"], ("type", tested, reference), **OPTIONS)
    result = model.test(tested, reference)
    np.testing.assert_allclose(result["log2FoldChange"], own["log2FoldChange"], atol=1e-5)
    np.testing.assert_allclose(result["padj"], own["padj"], rtol=1e-3, atol=1e-12)
    assert result.attrs == own.attrs


def test_unknown_and_lonely_levels_are_refused(data, model):
    with pytest.raises(ConfigError, match="no level 'd'"):
        model.test("d", "a")
    counts, metadata = data
    lonely = metadata.assign(type=np.where(np.arange(60) == 59, "d", metadata["type"]))
    with pytest.raises(CohortError, match="1 sample"):
        fit_model(counts, lonely, "type", ("type", "b", "a"), **OPTIONS).test("d", "a")


def test_leaving_a_group_out_is_nearly_fitting_anew(data, model):
    counts, metadata = data
    groups = np.random.default_rng(0).permutation(np.arange(60) % 20)
    base_mean, lfc, padj = model.test_without(groups, [("b", "a"), ("c", "b")])
    full = model.test("b", "a")
    for group in (0, 7):
        rest = groups != group
        own = fit_deseq2(counts[rest], metadata[rest], ["age", "type"], ("type", "b", "a"), **OPTIONS)
        error = (lfc[group, :, 0] - own["log2FoldChange"]) / full["lfcSE"]
        moved = (full["log2FoldChange"] - own["log2FoldChange"]) / full["lfcSE"]
        assert np.sqrt(np.mean(error**2)) < 0.3 * np.sqrt(np.mean(moved**2))
        np.testing.assert_allclose(base_mean[group, :, 0], own["baseMean"], rtol=0.05)
        called, also = padj[group, :, 0] < 0.05, own["padj"] < 0.05
        assert (called & also).sum() > 0.9 * (called | also).sum()
    assert base_mean.shape == lfc.shape == padj.shape == (20, 600, 2)


def test_leaving_nobody_out_changes_nothing(model):
    groups = 1 + np.arange(60) % 2
    _, lfc, padj = model.test_without(groups, [("c", "b")])
    full = model.test("c", "b")
    np.testing.assert_allclose(lfc[0, :, 0], full["log2FoldChange"])
    np.testing.assert_allclose(padj[0, :, 0], full["padj"], rtol=1e-6)


def test_a_contrast_left_with_one_sample_is_not_given(data):
    counts, metadata = data
    rows = np.r_[0:20, 20:22]
    model = fit_model(counts[rows], metadata.iloc[rows], "type", ("type", "b", "a"), **OPTIONS)
    groups = np.r_[np.arange(20) % 2, 0, 1]
    assert np.isnan(model.test_without(groups, [("b", "a")])[1]).all()
