"""The flagship on real cohorts: differential expression, classifiers and counts are those of the data."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import twinseq
from twinseq.cohort import Cohort
from twinseq.de import fit_deseq2
from twinseq.generators import create
from twinseq.transforms import log_cpm, size_factors

pytestmark = pytest.mark.real


@cache
def load(folder: Path, **roles: object) -> Cohort:
    return twinseq.read(folder / "counts.csv.gz", obs=folder / "samples.csv", **roles)


@pytest.fixture(scope="module")
def breast(data_dir) -> Cohort:
    return load(data_dir / "brca-tumour-normal-100", label="sample_type", donor="patient", paired=True)


@pytest.fixture(scope="module")
def blood(data_dir) -> Cohort:
    return load(data_dir / "tb-blood-44", label="group")


@pytest.fixture(scope="module")
def two_studies(data_dir) -> Cohort:
    return load(data_dir / "tb-blood-75", label="group", covariates=("cohort",))


@pytest.fixture(scope="module")
def subtypes(data_dir) -> Cohort:
    everyone = load(data_dir / "brca-pam50-1172", donor="patient")
    typed = (everyone.obs["sample_type"] == "tumour") & everyone.obs["pam50"].notna()
    tumours = everyone.subset(typed.to_numpy())
    return Cohort(tumours.adata, label="pam50", donor="patient")


def deseq2(cohort: Cohort, genes: np.ndarray, design: list[str], contrast: tuple[str, str, str]) -> pd.DataFrame:
    counts = pd.DataFrame(cohort.dense()[:, genes], index=cohort.adata.obs_names, columns=cohort.genes[genes])
    metadata = cohort.obs[design].astype(str)
    return fit_deseq2(counts, metadata, design, contrast, refit_cooks=False, cooks_filter=False)


def moderate(table: pd.DataFrame) -> pd.Series:
    return (table["padj"] < 0.05) & (table["log2FoldChange"].abs() >= 1) & (table["baseMean"] >= 10)


def concordance(real: pd.DataFrame, twin: pd.DataFrame) -> dict[str, float]:
    called, found = moderate(real), moderate(twin)
    both = called & found
    tested = (real["baseMean"] >= 1) & real["log2FoldChange"].notna() & twin["log2FoldChange"].notna()
    x, y = real.loc[tested, "log2FoldChange"], twin.loc[tested, "log2FoldChange"]
    adjusted = real["padj"].notna() & twin["padj"].notna()
    return {
        "recall": both.sum() / called.sum(),
        "precision": both.sum() / found.sum(),
        "sign": float((np.sign(real["log2FoldChange"]) == np.sign(twin["log2FoldChange"]))[both].mean()),
        "lfc_r": float(np.corrcoef(x, y)[0, 1]),
        "slope": float(np.polyfit(x, y, 1)[0]),
        "padj_r": float(np.corrcoef(real.loc[adjusted, "padj"], twin.loc[adjusted, "padj"])[0, 1]),
    }


def twin_of(cohort: Cohort, seed: int = 0) -> Cohort:
    return create("copula", preset="faithful").fit(cohort, seed=seed).sample(seed=seed + 1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_differential_expression_between_tumour_and_normal(breast, seed):
    genes = breast.dense().sum(axis=0) >= 10
    contrast = ("sample_type", "tumour", "normal")
    twin = twin_of(breast, seed)
    found = concordance(*(deseq2(one, genes, ["sample_type"], contrast) for one in (breast, twin)))
    assert found["recall"] >= 0.97
    assert found["precision"] >= 0.97
    assert found["sign"] == 1.0
    assert found["lfc_r"] >= 0.99
    assert 0.97 <= found["slope"] <= 1.03
    assert found["padj_r"] >= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_differential_expression_between_active_and_latent_tuberculosis(blood, seed):
    genes = blood.dense().sum(axis=0) >= 10
    twin = twin_of(blood, seed)
    found = concordance(*(deseq2(one, genes, ["group"], ("group", "TB", "LTBI")) for one in (blood, twin)))
    assert found["recall"] >= 0.93
    assert found["precision"] >= 0.93
    assert found["sign"] == 1.0
    assert found["lfc_r"] >= 0.98


@pytest.mark.slow
def test_the_batch_and_the_adjusted_contrast_both_survive(two_studies, reference_dir):
    genes = two_studies.dense().sum(axis=0) >= 10
    design = ["cohort", "group"]
    twin = twin_of(two_studies)
    reference = pd.read_csv(reference_dir / "deseq2_tb-blood-75_cohort+group.csv.gz", index_col=0)
    found = deseq2(twin, genes, design, ("group", "TB", "nonTB")).reindex(reference.index)
    adjusted = concordance(reference, found)
    assert adjusted["lfc_r"] >= 0.97
    assert adjusted["recall"] >= 0.93
    assert adjusted["precision"] >= 0.93
    levels = sorted(two_studies.obs["cohort"].unique())
    batch = concordance(*(deseq2(one, genes, design, ("cohort", *levels)) for one in (two_studies, twin)))
    assert batch["lfc_r"] >= 0.99
    assert batch["slope"] == pytest.approx(1.0, abs=0.03)
    assert batch["recall"] >= 0.97


def classifier_auc(source: Cohort, test: Cohort, genes: np.ndarray) -> float:
    """Return the AUC (macro, one against the rest) of a ridge logistic regression on log CPM."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, tol=1e-3))
    model.fit(log_cpm(source.dense())[:, genes], source.labels())
    share = model.predict_proba(log_cpm(test.dense())[:, genes])
    if share.shape[1] == 2:
        return float(roc_auc_score(test.labels() == model.classes_[1], share[:, 1]))
    return float(roc_auc_score(test.labels(), share, multi_class="ovr"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["breast", "subtypes"])
def test_classifiers_trained_on_the_twin_are_as_good(name, request):
    cohort = request.getfixturevalue(name)
    real, synthetic = [], []
    for number, (train, test) in enumerate(cohort.folds(5, seed=0)):
        values = log_cpm(train.dense())
        spread = np.median(np.abs(values - np.median(values, axis=0)), axis=0)
        genes = np.argsort(-spread)[:200]
        real.append(classifier_auc(train, test, genes))
        synthetic.append(classifier_auc(twin_of(train, number), test, genes))
    assert np.mean(synthetic) >= np.mean(real) - 0.01


def normalised(cohort: Cohort) -> np.ndarray:
    counts = cohort.dense()
    return counts / size_factors(counts)[:, None]


QUALITIES = {
    "library size": lambda cohort: np.log(cohort.dense().sum(axis=1)),
    "mean": lambda cohort: np.log1p(normalised(cohort).mean(axis=0)),
    "variance": lambda cohort: np.log1p(normalised(cohort).var(axis=0)),
    "mean to variance": lambda cohort: (
        np.log1p(normalised(cohort).var(axis=0)) - np.log1p(normalised(cohort).mean(axis=0))
    ),
    "zero share of genes": lambda cohort: (cohort.dense() == 0).mean(axis=0),
    "zero share of samples": lambda cohort: (cohort.dense() == 0).mean(axis=1),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["breast", "blood", "two_studies"])
def test_counts_are_no_further_off_than_two_real_halves(name, request):
    """Twins of a half against that half, real halves against each other: the same numbers of samples in both."""
    cohort = request.getfixturevalue(name)
    distances = {quality: ([], []) for quality in QUALITIES}
    for seed in range(4):
        half, other = cohort.split((0.5, 0.5), seed=seed)
        twin = twin_of(half, seed)
        for quality, measure in QUALITIES.items():
            mine, theirs, drawn = measure(half), measure(other), measure(twin)
            distances[quality][0].append(ks_2samp(mine, drawn, method="asymp").statistic)
            distances[quality][1].append(ks_2samp(mine, theirs, method="asymp").statistic)
    for quality, (of_twins, of_halves) in distances.items():
        assert np.mean(of_twins) <= np.mean(of_halves), (quality, np.mean(of_twins), np.mean(of_halves))


@pytest.mark.slow
def test_single_cells_of_forty_donors(data_dir):
    cohort = twinseq.read(
        data_dir / "onek1k-40donors" / "cells.h5ad", donor="indiv", cell_type="cell_type", covariates=("sex", "age")
    )
    twin = twin_of(cohort)
    assert not set(cohort.donors()) & set(twin.obs.astype(str).to_numpy().ravel())
    for cell_type in cohort.obs["cell_type"].unique():
        real, drawn = (one.dense()[(one.obs["cell_type"] == cell_type).to_numpy()] for one in (cohort, twin))
        seen = (real > 0).mean(axis=0) > 0.05
        means = [np.log(x[:, seen].mean(axis=0)) for x in (real, drawn)]
        assert np.corrcoef(means)[0, 1] > 0.995
        # Other donors have other cells: shares of zeros are near, not the same.
        apart = np.abs((drawn > 0).mean(axis=0) - (real > 0).mean(axis=0))
        assert apart.mean() < 0.02
        assert apart.max() < 0.12
        assert ks_2samp((real > 0).sum(axis=1), (drawn > 0).sum(axis=1), method="asymp").statistic < 0.15
        assert ks_2samp(real.sum(axis=1), drawn.sum(axis=1), method="asymp").statistic < 0.15
