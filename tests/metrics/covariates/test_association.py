"""Associations among label and covariates, and between genes and covariates."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f_oneway, spearmanr
from scipy.stats.contingency import association as cramer

from twinseq.metrics import NotComputableError
from twinseq.metrics.covariates.association import association, covariate_association_error, explained_share
from twinseq.metrics.covariates.gene_association import gene_associations, gene_covariate_r


def test_each_pair_of_types_is_measured_as_published(rng):
    sex, site = pd.Series(rng.choice(["m", "f"], 60)), pd.Series(rng.choice(["x", "y", "z"], 60))
    age, crp = pd.Series(rng.standard_normal(60)), pd.Series(rng.standard_normal(60))
    assert association(sex, site) == pytest.approx(cramer(pd.crosstab(sex, site).to_numpy()))
    assert association(age, crp) == pytest.approx(abs(spearmanr(age, crp).statistic))
    groups = [age[site == name] for name in ("x", "y", "z")]
    f = f_oneway(*groups).statistic
    # η² from F of the one-way analysis of variance.
    eta = np.sqrt(2 * f / (2 * f + 57))
    assert association(age, site) == association(site, age) == pytest.approx(eta)
    assert np.isnan(association(age, pd.Series(np.full(60, "one"))))


def cohort(rng, n=300, linked=True):
    labels = rng.choice(["case", "control"], n)
    age = rng.normal(50, 10, n) + (20 * (labels == "case") if linked else 0)
    return pd.DataFrame({"age": age, "sex": rng.choice(["m", "f"], n)}), labels


def test_null_a_second_draw_has_the_same_associations(rng):
    assert covariate_association_error(*cohort(rng), *cohort(rng)) < 0.08


def test_failure_broken_links_are_caught(rng):
    (table, labels), (loose, others) = cohort(rng), cohort(rng, linked=False)
    assert covariate_association_error(table, labels, loose, others) > 0.15
    with pytest.raises(NotComputableError):
        covariate_association_error(table[["age"]], np.full(300, "all"), loose, others)


def test_explained_share_by_hand():
    values = np.array([[1.0, 5.0], [1.0, 5.0], [3.0, 5.0], [3.0, 5.0]])
    np.testing.assert_allclose(explained_share(values, np.array(["a", "a", "b", "b"])), [1.0, 0.0])


def test_genes_follow_a_covariate_as_scipy_has_it(rng):
    values, age = rng.standard_normal((30, 5)), pd.Series(rng.standard_normal(30))
    age[2] = np.nan
    known = age.notna().to_numpy()
    expected = [spearmanr(values[known, gene], age[known]).statistic for gene in range(5)]
    np.testing.assert_allclose(gene_associations(values, age), expected)


def test_gene_associations_survive_in_a_second_draw_and_not_in_a_shuffled_one(rng):
    weight = rng.standard_normal(200)

    def draw():
        age = rng.standard_normal(100)
        return np.outer(age, weight) + rng.standard_normal((100, 200)), pd.DataFrame({"age": age})

    real, twin = draw(), draw()
    assert gene_covariate_r(*real, *twin) > 0.9
    shuffled = twin[1].sample(frac=1, random_state=0).reset_index(drop=True)
    assert abs(gene_covariate_r(*real, twin[0], shuffled)) < 0.8
    with pytest.raises(NotComputableError):
        gene_covariate_r(real[0], pd.DataFrame({"age": np.ones(100)}), *twin)
