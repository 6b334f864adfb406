"""Small files in the layouts of the challenge, made from simulated people."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from twinseq.cohort import Cohort
from twinseq.datasets import simulate_cells, simulate_cohort
from twinseq.transforms import log_cpm

DATASET = "TCGA-TINY"


@dataclass(frozen=True)
class Files:
    """What the organisers of the first track hand out."""

    folder: Path
    expression: Path
    subtypes: Path
    splits: Path
    reference: Path

    @property
    def all(self) -> tuple[Path, Path, Path]:
        return self.expression, self.subtypes, self.splits


def barcode(number: int) -> str:
    return f"TCGA-AA-{number:04d}-01A-11R-A034-07"


def write_files(folder: Path, column: str = "Subtype", n: int = 90, n_genes: int = 150, splits: int = 2) -> Files:
    """Write expression, subtypes, splits and a reference of a third as many other people."""
    cohort = simulate_cohort(n, n, n_genes, seed=1)
    values = log_cpm(cohort.dense(np.int64))
    names = np.array([barcode(row) for row in range(len(values))])
    classes = np.where(cohort.labels() == "case", "BRCA.LumA", "BRCA.Basal")
    inside = np.arange(len(values)) % 4 != 0
    files = Files(
        folder,
        folder / f"{DATASET}_primary_tumor_star_deseq_VST_lmgenes.tsv",
        folder / f"{DATASET}_primary_tumor_subtypes.csv",
        folder / f"{DATASET}_splits.yaml",
        folder / f"{DATASET}_primary_tumor_star_deseq_VST_lmgenes_reference.tsv",
    )
    genes = [f"ENSG{gene:011d}" for gene in range(n_genes)]
    for path, rows in ((files.expression, inside), (files.reference, ~inside)):
        pd.DataFrame(values[rows].T, index=genes, columns=names[rows]).to_csv(path, sep="\t")
    # As in the kit's file: numbered rows, and samples in an order of their own.
    order = np.random.default_rng(0).permutation(len(names))
    pd.DataFrame({"samplesID": names[order], column: classes[order]}).to_csv(files.subtypes)
    rows = np.random.default_rng(1).permutation(np.flatnonzero(inside))
    made = {}
    for number in range(1, splits + 1):
        test = rows[(np.arange(len(rows)) % 3) == number % 3]
        train = np.setdiff1d(rows, test)
        made[f"split_{number}"] = {"test_index": names[test].tolist(), "train_index": names[train].tolist()}
    files.splits.write_text(yaml.safe_dump({"splits": made}))
    return files


def write_truth(path: Path, names: list[str], member: np.ndarray) -> Path:
    """Write who was a member as the kit does (``MIA_lbl_split_k.csv``)."""
    pd.DataFrame({"membership_label": member.astype(float)}, index=names).to_csv(path)
    return path


def cells(n_donors: int = 16, seed: int = 0, cells_per_donor: int = 40) -> Cohort:
    """Simulate cells with the columns of the second track."""
    cohort = simulate_cells(n_donors // 2, n_donors // 2, 120, seed=seed, cells_per_donor=cells_per_donor, donor_sd=0.6)
    adata = cohort.adata.copy()
    types = adata.obs[cohort.cell_type].astype(str)
    adata.obs = pd.DataFrame(
        {
            "individual": adata.obs[cohort.donor].astype(str).to_numpy(),
            "barcode_col": [f"AACC{number:05d}-{seed}" for number in range(adata.n_obs)],
            "cell_type": types.to_numpy(),
            "cell_label": [f"label of {name}" for name in types],
        },
        index=[f"cell{number}" for number in range(adata.n_obs)],
    )
    adata.obs["individual"] = [f"{seed}_{name}" for name in adata.obs["individual"]]
    adata.uns.clear()
    return Cohort(adata, donor="individual", cell_type="cell_type", source="cells")
