"""Tables behind the plots: their columns, and nothing of an individual real sample in them."""

import numpy as np
import pandas as pd
import pytest

from twinseq.cohort import Cohort
from twinseq.metrics import Comparison, NotComputableError, Space, tables


def test_columns_are_as_documented(comparison: Comparison, follow_up: Comparison, train: Cohort):
    expected = {
        "mean_variance": ["source", "log10_mean", "log10_variance", "n_genes"],
        "library_size": ["source", "label", "x", "density"],
        "detected_genes": ["source", "label", "x", "density"],
        "pca_axes": ["component", "explained"],
        "pca_twin": ["label", "pc1", "pc2"],
        "pca_groups": ["source", "label", "n", "mean1", "mean2", "cov11", "cov12", "cov22"],
        "eigenvalues": ["source", "component", "share"],
        "roc": ["train_on", "panel", "model", "fpr", "tpr"],
        "covariates": ["covariate", "level_or_bin", "real_share", "twin_share"],
        "edge_correlations": ["source", "r_real", "r_other", "n_pairs"],
        "modules": ["source", "module", "n_genes", "density_real", "density", "zsummary"],
        "survival": ["source", "label", "time", "survival"],
    }
    assert set(expected) == set(tables.TABLES) - {"pathways"}, "pathways need gene sets: see test_pathways"
    for name, columns in expected.items():
        need, make = tables.TABLES[name]
        table = make(follow_up if need == "survival" else comparison)
        assert list(table.columns) == columns, name
        assert table.notna().all(axis=None), name
    genes = tables.de_genes(comparison, train.genes)
    assert list(genes.columns) == [
        "contrast",
        "gene",
        "base_mean",
        *(f"{what}_{side}" for side in ("real", "twin", "holdout") for what in ("lfc", "padj")),
    ]
    assert genes["lfc_holdout"].notna().all()


def test_only_the_twin_shows_samples(comparison: Comparison):
    assert len(tables.pca_twin(comparison)) == comparison.twin.n_samples
    assert len(tables.pca_groups(comparison)) == 3 * 2
    assert set(tables.pca_groups(comparison)["source"]) == {"real", "holdout", "twin"}


def test_densities_integrate_to_one(comparison: Comparison):
    for _, curve in tables.library_size(comparison).groupby(["source", "label"]):
        assert np.trapezoid(curve["density"], curve["x"]) == pytest.approx(1.0, abs=0.1)


def test_roc_curves_end_in_their_corners_and_rise(comparison: Comparison):
    for _, curve in tables.roc(comparison).groupby(["train_on", "panel", "model"]):
        assert curve["tpr"].iloc[0] == 0
        assert curve["tpr"].iloc[-1] == 1
        assert (np.diff(curve["tpr"]) >= -1e-12).all()


def test_shares_add_up_and_small_levels_are_put_together(comparison: Comparison):
    train = comparison.train
    covariates = train.covariates.copy()
    covariates["site"] = ["rare <1>", "rare <1>", *["common"] * (train.n_samples - 2)]
    space = comparison.space
    real, twin = (type(train)(train.values, train.labels, covariates, space) for _ in range(2))
    table = tables.covariates(Comparison(space, real, twin))
    for _, levels in table.groupby("covariate"):
        assert levels["real_share"].sum() == pytest.approx(1.0)
        assert levels["twin_share"].sum() == pytest.approx(1.0)
    assert "rare <1>" not in set(table["level_or_bin"])
    assert "(rare levels)" in set(table["level_or_bin"])


def test_ranges_of_a_number_stand_in_their_order(comparison: Comparison):
    train, rng = comparison.train, np.random.default_rng(0)
    # Two humps, so that the ranges are not alike in frequency.
    ages = pd.DataFrame({"age": np.r_[rng.normal(20, 2, 100), rng.normal(60, 2, 300), [np.nan] * 10]})
    side = type(train)(train.values, train.labels, ages, comparison.space)
    table = tables.covariates(Comparison(comparison.space, side, side))
    levels = list(table["level_or_bin"])
    ends = [float(level.split()[-1]) for level in levels if not level.startswith(("(", ">"))]
    assert len(ends) > 5
    assert ends == sorted(ends)
    assert not table["real_share"].is_monotonic_decreasing
    assert levels[-2:] == ["(missing)", "(rare levels)"]


def test_small_groups_are_withheld(train: Cohort):
    few = train.subset(np.r_[0:4, 18:22])
    space = Space(few)
    comparison = Comparison(space, space.train, space.train, space.train)
    assert tables.pca_groups(comparison).empty
    for table in (tables.library_size, tables.roc, lambda sides: tables.de_genes(sides, few.genes)):
        with pytest.raises(NotComputableError, match="fewer than five"):
            table(comparison)


def test_a_constant_number_has_one_bin(comparison: Comparison):
    real = pd.Series(np.full(10, 3.0))
    assert tables._bins(real, real)[0].tolist() == ["≤ 3"] * 10
