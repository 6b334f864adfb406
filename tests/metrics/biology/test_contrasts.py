"""Differential expression of the sides of a comparison."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import twinseq.io
from twinseq import metrics
from twinseq.cohort import Cohort
from twinseq.de import fit_deseq2
from twinseq.metrics import Comparison, NotComputableError, Profiles, Space
from twinseq.metrics.biology import contrasts as contrasts_module


@pytest.mark.real
def test_calls_are_those_of_r_deseq2(data_dir: Path, reference_dir: Path):
    folder = data_dir / "tb-blood-44"
    cohort = twinseq.io.read(folder / "counts.csv.gz", obs=folder / "samples.csv", label="group")
    space = Space(cohort)
    contrasts = space.train.contrasts
    assert contrasts.pairs == (("TB", "LTBI"),)
    expected = pd.read_csv(reference_dir / "deseq2_tb-blood-44.csv.gz", index_col=0)
    lfc = pd.Series(contrasts.lfc[:, 0], index=cohort.genes[space.expressed])
    assert set(lfc.index) == set(expected.index)
    called = set(lfc.index[contrasts.moderate[:, 0]])
    reference = (expected["padj"] < 0.05) & (expected["log2FoldChange"].abs() >= 1) & (expected["baseMean"] >= 10)
    assert len(called ^ set(expected.index[reference])) <= 2
    assert np.median(np.abs(lfc[expected.index] - expected["log2FoldChange"])) < 1e-4


def test_planted_genes_are_found_with_covariates_in_the_design(comparison: Comparison, train: Cohort):
    assert set(comparison.space.design.numeric) == {"age", "crp"}
    assert comparison.space.design.categorical == ("sex",)
    lfc = comparison.train.contrasts.lfc[:, 0]
    planted = train.adata.var["log2_fold_change"].to_numpy()[comparison.space.expressed]
    changed = np.abs(planted) > 0.5
    # Contrasts test the class that sorts later: control against case.
    assert np.corrcoef(-lfc[changed], planted[changed])[0, 1] > 0.9


def test_a_side_without_enough_samples_is_left_out_of_its_pairs(rng):
    n = 18
    obs = pd.DataFrame({"type": np.repeat(["a", "b", "c"], n // 3)}, index=[f"s{i}" for i in range(n)])
    cohort = Cohort(AnnData(rng.poisson(60, (n, 200)), obs=obs), label="type")
    space = Space(cohort)
    assert space.train.contrasts.pairs == (("b", "a"), ("c", "a"), ("c", "b"))
    twin = Profiles.of(cohort, space).subset(np.arange(13))
    assert Comparison(space, space.train, twin).de.real.pairs == (("b", "a"),)
    nobody = twin.subset(np.array([0, 6, 12]))
    with pytest.raises(NotComputableError, match="at least two samples"):
        _ = nobody.contrasts


def test_a_covariate_that_one_side_cannot_estimate_is_left_out_there_and_noted(rng):
    n = 20
    obs = pd.DataFrame(
        {"group": np.repeat(["a", "b"], n // 2), "batch": np.tile(["x", "y"], n // 2)},
        index=[f"s{i}" for i in range(n)],
    )
    cohort = Cohort(AnnData(rng.poisson(60, (n, 200)), obs=obs), label="group", covariates=("batch",))
    space = Space(cohort)
    assert space.train.contrasts.note == ""
    confounded = space.train.subset(np.concatenate([np.arange(0, 10, 2), np.arange(11, n, 2)]))
    assert "1 covariate" in confounded.contrasts.note


def test_continuous_profiles_take_the_linear_model(rng):
    n = 24
    obs = pd.DataFrame({"group": np.repeat(["a", "b"], n // 2)}, index=[f"s{i}" for i in range(n)])
    values = rng.standard_normal((n, 100)) + 7
    values[n // 2 :, :10] += 3
    space = Space(Cohort(AnnData(values, obs=obs), label="group", kind="continuous"))
    contrasts = space.train.contrasts
    assert contrasts.moderate[:10].all()
    assert contrasts.moderate[10:].sum() <= 2
    np.testing.assert_allclose(contrasts.lfc[:, 0], values[n // 2 :].mean(axis=0) - values[: n // 2].mean(axis=0))


def test_without_a_label_there_is_nothing_to_test(rng):
    space = Space(Cohort(AnnData(rng.poisson(60, (10, 50)))))
    with pytest.raises(NotComputableError, match="label"):
        _ = space.train.contrasts


def three_classes(rng, sizes=(12, 12, 12), kind="counts") -> Space:
    labels = np.repeat(["a", "b", "c"], sizes)
    obs = pd.DataFrame({"type": labels}, index=[f"s{i}" for i in range(len(labels))])
    effect = np.where(np.arange(300) < 60, 1.5, 0.0) * (labels == "b")[:, None]
    values = rng.poisson(60 * rng.gamma(5, 0.2, (len(labels), 300)) * np.exp(effect))
    return Space(
        Cohort(AnnData(values if kind == "counts" else np.log2(values + 1.0), obs=obs), label="type", kind=kind)
    )


def test_all_pairs_come_from_one_model_and_each_is_that_of_a_fit_of_its_own(rng):
    space = three_classes(rng)
    contrasts = space.train.contrasts
    table = pd.DataFrame({"label": space.train.labels})
    for column, pair in enumerate(contrasts.pairs):
        own = fit_deseq2(space.train.values, table, "label", ("label", *pair), refit_cooks=False, cooks_filter=False)
        np.testing.assert_allclose(contrasts.lfc[:, column], own["log2FoldChange"], atol=1e-5)
        np.testing.assert_allclose(contrasts.padj[:, column], own["padj"], rtol=1e-3)


@pytest.mark.parametrize("kind", ["counts", "continuous"])
def test_contrasts_without_a_group_of_donors_stay_near(rng, kind):
    space = three_classes(rng, kind=kind)
    sides = Comparison(space, space.train, three_classes(rng, kind=kind).train)
    sides.leave_out(6)
    contrasts = space.train.contrasts
    assert len(contrasts.left_out) == len(sides.de.left_out) == 6
    for part in contrasts.left_out:
        assert part.pairs == contrasts.pairs
        for column in range(3):
            assert 0.9 < np.corrcoef(part.lfc[:, column], contrasts.lfc[:, column])[0, 1] < 1
    arguments = sides.left_out(metrics.get("lfc_pearson"))
    assert len(arguments) == 6
    assert sides.left_out(metrics.get("mmd")) == []


def test_a_class_too_small_to_lose_a_donor_leaves_no_interval_over_donors(rng):
    space = three_classes(rng, sizes=(12, 12, 2))
    sides = Comparison(space, space.train, space.train)
    sides.leave_out(6)
    assert space.train.contrasts.pairs == (("b", "a"), ("c", "a"), ("c", "b"))
    assert sides.left_out(metrics.get("de_recall")) == []


def test_contrasts_that_would_fill_the_memory_are_not_tested_again(rng, monkeypatch):
    monkeypatch.setattr(contrasts_module, "MOST_LEFT_OUT", 300 * 3 * 6 - 1)
    space = three_classes(rng)
    sides = Comparison(space, space.train, space.train)
    sides.leave_out(6)
    assert space.train.contrasts.left_out == ()
