"""Small cohorts with names that occur nowhere else, and one release that several tests look at."""

import dataclasses
from pathlib import Path

import pytest

import twinseq as ts
from twinseq.cohort import Cohort
from twinseq.release import Release

FIGURES = ("exact_copies", "lfc_replication", "tstr_ratio_auc", "library_size_ks")


def cohort_of(seed: int = 0, n: int = 12, n_genes: int = 60) -> Cohort:
    """Simulate a cohort of donors with telling names, label and sex, nothing else."""
    cohort = ts.datasets.simulate_cohort(n_cases=n, n_controls=n, n_genes=n_genes, seed=seed)
    adata = cohort.adata.copy()
    del adata.uns["truth"]
    adata.obs_names = [f"Smp{seed}x{number:04d}" for number in range(adata.n_obs)]
    adata.obs["donor"] = [f"Mrn{seed}x{number:04d}" for number in range(adata.n_obs)]
    return dataclasses.replace(cohort, adata=adata, covariates=("sex",))


@pytest.fixture(scope="session")
def cohort() -> Cohort:
    return cohort_of()


@pytest.fixture(scope="session")
def released(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = tmp_path_factory.mktemp("released") / "release"
    return ts.release(
        cohort, folder, generator="copula", preset="faithful", splits=2, metrics=FIGURES, keep_model=True,
        title="A twin", licence="CC0",
    )  # fmt: skip


def texts(folder: Path) -> dict[str, str]:
    """Return the content of every file in a folder, binary ones read as Latin-1."""
    return {path.name: path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()}
