"""The files that the pages speak of, as small as they can be: simulated, and named as the reader's would be.

A page gets those that it names. What it makes itself (``parts/``, ``twin.h5ad``) is not prepared.
"""

import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import yaml

import challenge
import twinseq as ts
from docs.blocks import Block
from twinseq.benchmark.grid import read_grid
from twinseq.benchmark.runner import run
from twinseq.cohort import Cohort

ROOT = Path(__file__).resolve().parents[2]
GENES = 120


def people(n: int = 24, seed: int = 0) -> Cohort:
    """Simulate a cohort with every column that a page states: classes, donors, covariates, follow-up."""
    cohort = ts.datasets.simulate_cohort(n, n, GENES, seed=seed, n_batches=2, missing_rate=0.0)
    adata = cohort.adata.copy()
    rng = np.random.default_rng(seed)
    case = cohort.labels() == "case"
    obs = adata.obs
    obs["patient"] = obs["donor"]
    obs["subtype"] = np.where(case, "A", "B")
    obs["months"] = rng.exponential(np.where(case, 20.0, 60.0)).round(1) + 0.1
    obs["died"] = rng.integers(0, 2, len(obs))
    adata.uns.clear()  # as from elsewhere: no column has been given a role yet
    adata.var = adata.var[[]]
    return Cohort(adata, kind="counts", source="simulated cohort")


def cells(donors: int = 12, seed: int = 0) -> Cohort:
    """Simulate cells with the donors in a column of each name in use."""
    cohort = ts.datasets.simulate_cells(donors // 2, donors // 2, 80, seed=seed, cells_per_donor=30, n_cell_types=2)
    adata = cohort.adata.copy()
    adata.obs["indiv"] = adata.obs["donor"]
    adata.uns.clear()
    return Cohort(adata, kind="counts", source="simulated cells")


def _cohort(path: Path) -> None:
    ts.write(people(), path)


def _public(path: Path) -> None:
    ts.write(people(seed=7), path)


def _counts(path: Path) -> None:
    cohort = people()
    genes = pd.DataFrame(cohort.dense(np.int64).T, index=cohort.genes, columns=cohort.obs.index)
    genes.to_csv(path)


def _samples(path: Path) -> None:
    people().obs.to_csv(path)


def _parts(path: Path) -> None:
    cohort = ts.Cohort(people().adata, label="condition", donor="patient", covariates=("sex", "batch"))
    train, holdout, reference = cohort.split((0.4, 0.3, 0.3), seed=0)
    for name, part in (("train", train), ("holdout", holdout), ("reference", reference)):
        ts.write(part, path.with_name(f"{name}.h5ad"))
    ts.write(ts.generators.create("copula").fit(train, seed=0).sample(seed=1), path.with_name("twin.h5ad"))


def _cells(path: Path) -> None:
    ts.write(cells(), path)


def _atlas(path: Path) -> None:
    ts.write(cells(seed=7), path)


def _basis(path: Path) -> None:
    public = ts.Cohort(people(seed=7).adata, label="subtype", donor="patient")
    ts.build_basis(public).save(path)


def _sets(path: Path) -> None:
    genes = list(people().genes)
    path.write_text("".join("\t".join([f"SET{k}", "", *genes[k * 20 : k * 20 + 20]]) + "\n" for k in range(6)))


def _blood(path: Path) -> None:
    """Write the tables of a cohort with two studies and two groups."""
    cohort = people()
    pd.DataFrame(cohort.dense(np.int64), index=cohort.obs.index, columns=cohort.genes).to_csv(path)
    groups = np.where(cohort.obs["condition"] == "case", "TB", "LTBI")
    studies = cohort.obs["batch"].astype(str)
    pd.DataFrame({"cohort": studies, "group": groups}, index=cohort.obs.index).to_csv(
        path.with_name("blood_samples.csv")
    )


def _theirs(path: Path) -> None:
    """Write the outcomes of another's run."""
    small = {"n_cases": 20, "n_controls": 20, "n_genes": 60, "seed": 1}
    grid = {"cohorts": [{"name": "small", "simulate": small}], "generators": ["independent"], "attacks": "none"}
    grid["metrics"] = ["correlation_r", "lfc_replication"]
    path.with_suffix(".yaml").write_text(yaml.safe_dump(grid), encoding="utf-8")
    run(read_grid(path.with_suffix(".yaml")), path, jobs=1)


def _grid(path: Path) -> None:
    """Write a grid that comes with the project, on few people and few genes."""
    path.parent.mkdir(exist_ok=True)
    grid = yaml.safe_load((ROOT / "grids" / path.name).read_text(encoding="utf-8"))
    small = {"n_cases": 20, "n_controls": 20, "n_genes": 60, "seed": 1}
    grid["cohorts"] = [{"name": "small", "simulate": small}]
    grid["generators"] = grid["generators"][:2]
    grid["splits"] = {"number": 1, "fractions": [0.5, 0.25, 0.25]}
    grid["metrics"] = ["correlation_r", "lfc_replication"]
    path.write_text(yaml.safe_dump(grid, allow_unicode=True), encoding="utf-8")


def _challenge(path: Path) -> None:
    """Write the files of the challenge's first track under the name of its first cohort."""
    made = challenge.write_files(path.parent, n=30, n_genes=60, splits=1)
    for file in (*made.all, made.reference):
        file.rename(file.with_name(file.name.replace(challenge.DATASET, "TCGA-BRCA")))


def _challenge_cells(path: Path) -> None:
    """Write the files of the second track."""
    donors = challenge.cells(8)
    others = challenge.cells(8, seed=1)
    others.adata.obs_names = [f"other{number}" for number in range(others.n_samples)]
    ts.write(donors, path.with_name("onek1k_annotated_train.h5ad"))
    ts.write(others, path.with_name("onek1k_annotated_test.h5ad"))
    tables = []
    for member, part in ((1, donors), (0, others)):
        tables.append(part.obs[["barcode_col", "individual"]].assign(membership=member))
    half = [part.subset(np.arange(part.n_samples) % 2 == 0) for part in (donors, others)]
    both = anndata.concat([part.adata for part in half])
    ts.write(Cohort(both, donor="individual", cell_type="cell_type"), path.with_name("onek1k_subset_mia.h5ad"))
    pd.concat(tables).set_index("barcode_col").loc[both.obs["barcode_col"]].reset_index().to_csv(
        path.with_name("onek1k_subset_mia_labels.csv"), index=False
    )


# Name in a page → what makes it (and what belongs to it) at that place.
MAKERS: dict[str, Callable[[Path], None]] = {
    "cohort.h5ad": _cohort,
    "public.h5ad": _public,
    "tissue.h5ad": _public,
    "counts.csv.gz": _counts,
    "samples.csv": _samples,
    "train.h5ad": _parts,
    "cells.h5ad": _cells,
    "atlas.h5ad": _atlas,
    "breast.basis": _basis,
    "reactome.gmt": _sets,
    "blood_counts.csv": _blood,
    "theirs": _theirs,
    "grids/quick.yaml": _grid,
    "TCGA-BRCA": _challenge,
    "onek1k_annotated_train.h5ad": _challenge_cells,
}


class Stage:
    """Makes each file once, and puts copies of those that a page names into its folder."""

    def __init__(self, store: Path) -> None:
        self.store = store

    def set_up(self, page: Iterable[Block], folder: Path) -> None:
        """Put the files that the page's programs name into ``folder``."""
        text = "\n".join(block.text for block in page if block.runs)
        for number, (name, make) in enumerate(MAKERS.items()):
            if not re.search(rf"(?<![/.-])\b{re.escape(name)}(?![\w.])", text):
                continue
            place = self.store / str(number)
            if not place.exists():
                place.mkdir(parents=True)
                make(place / name)
            shutil.copytree(place, folder, dirs_exist_ok=True)
