"""The command line as it is called, and small cohorts in files."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import twinseq as ts
from twinseq.cli import main
from twinseq.cohort import Cohort


@dataclass(frozen=True)
class Ended:
    """How a call ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


Call = Callable[..., Ended]


def call(*words: object) -> int:
    """Run the command line in this process; return its exit code."""
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return int(end.value.code or 0)


@pytest.fixture
def twinseq(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run the command line in this process, where a warning of any library is an error."""
    monkeypatch.setattr(sys, "warnoptions", ["error"])
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*words: object) -> Ended:
        capsys.readouterr()
        code = call(*words)
        printed = capsys.readouterr()
        return Ended(code, printed.out, printed.err)

    return run


def hospital_cohort(seed: int = 0, n: int = 20, n_genes: int = 300) -> Cohort:
    """Simulate a cohort whose samples, donors and free text have names that occur nowhere else."""
    cohort = ts.datasets.simulate_cohort(n_cases=n, n_controls=n, n_genes=n_genes, seed=seed)
    adata = cohort.adata.copy()
    del adata.uns["truth"]
    adata.obs_names = [f"Smp{seed}x{number:04d}" for number in range(adata.n_obs)]
    adata.obs["donor"] = [f"Mrn{seed}x{number:04d}" for number in range(adata.n_obs)]
    adata.obs["note"] = [f"Note{seed}x{number:04d}" for number in range(adata.n_obs)]
    return cohort.with_adata(adata, covariates=("sex", "age"))


def identities(cohort: Cohort) -> set[str]:
    """Return every text in a cohort that belongs to one sample or donor."""
    return {*cohort.adata.obs_names, *cohort.obs["donor"].astype(str), *cohort.obs["note"].astype(str)}


@pytest.fixture(scope="session")
def cohort() -> Cohort:
    return hospital_cohort()


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, cohort: Cohort) -> Path:
    """Folder with the cohort in every format. Read it, and write elsewhere."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("c.h5ad", "c.csv", "c.csv.gz", "c.tsv", "c.parquet", "c.mtx"):
        ts.write(cohort, folder / name)
    return folder


@dataclass(frozen=True)
class Audited:
    """What a customer ends up with: split parts, a twin of the training part, and its report."""

    parts: Path
    twin: Path
    report: Path


@pytest.fixture(scope="session")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    """Split, generate and audit from the command line, roles stated once in the .h5ad."""
    folder = tmp_path_factory.mktemp("audited")
    ts.write(hospital_cohort(seed=3, n=40), folder / "real.h5ad")
    made = Audited(folder / "parts", folder / "twin.h5ad", folder / "report")
    train, holdout = made.parts / "train.h5ad", made.parts / "holdout.h5ad"
    assert call("split", folder / "real.h5ad", "--fractions", 0.5, 0.3, 0.2, "-o", made.parts, "-q") == 0
    assert call("generate", train, "-o", made.twin, "-q") == 0
    assert call("audit", train, made.twin, "--holdout", holdout, "-o", made.report, "-q") == 0
    return made


def everything_in(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below ``folder``, hidden ones too, and the names of its folders."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}
