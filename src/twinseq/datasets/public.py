"""Public cohorts by name: what they are, where they come from, and how to read them.

The files are not part of twinseq. They are taken from the folder that ``TWINSEQ_DATA`` names, from
``../shared/data`` beside a checkout, or from the cache; where a public address is known, they are fetched into the
cache. Their checksums are verified each time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pooch

from ..cohort import Cohort
from ..errors import CohortError, ConfigError, suggest
from ..io import read

CHECKOUT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class PublicFile:
    """One file of a cohort.

    Parameters
    ----------
    name
        Its name in the cohort's folder.
    sha256
        Checksum of its bytes.
    url
        Where these very bytes can be had; ``None`` where no public address serves them.
    """

    name: str
    sha256: str
    url: str | None = None


@dataclass(frozen=True)
class PublicCohort:
    """What is known of a public cohort.

    Parameters
    ----------
    name, title
        How it is asked for, and what it is.
    accession
        Where the study is archived.
    origin
        Where the prepared table was taken from, and what was done to it.
    licence
        Terms of the data.
    reference
        The paper to cite.
    files
        The profiles first, then the sample table where there is one.
    label, donor, cell_type, covariates, paired
        Roles of the columns, see `twinseq.cohort.Cohort`.
    """

    name: str
    title: str
    accession: str
    origin: str
    licence: str
    reference: str
    files: tuple[PublicFile, ...]
    label: str | None = None
    donor: str | None = None
    cell_type: str | None = None
    covariates: tuple[str, ...] = ()
    paired: bool = False


_TB = "R package TBSignatureProfiler (Bioconductor), counts as shipped"
_BRCA = "Bioconductor package TCGAbiolinks"
_LEONG = "Leong et al. 2018, Tuberculosis 109:41–51"
_TCGA = "TCGA Network 2012, Nature 490:61–70"

COHORTS: dict[str, PublicCohort] = {
    entry.name: entry
    for entry in (
        PublicCohort(
            name="tb-blood-44",
            title="Whole blood, active against latent tuberculosis: 44 samples × 25,368 genes",
            accession="GEO GSE101705",
            origin=f"{_TB} (object TB_indian)",
            licence="MIT (package)",
            reference=_LEONG,
            files=(
                PublicFile("counts.csv.gz", "a2444fb059860735bda599bab0f474307c56f1323f6da657faff82bee2903ba8"),
                PublicFile("samples.csv", "86e79bd86b2a2c2587532520eb2e5208d3b80c695f0811c176b31fee978f386d"),
            ),
            label="group",
            covariates=("sex",),
        ),
        PublicCohort(
            name="tb-blood-75",
            title="Whole blood, tuberculosis against none in two studies, one with HIV: 75 samples × 25,368 genes",
            accession="GEO GSE101705 and the study of Verma et al. 2018",
            origin=f"{_TB} (objects TB_indian and TB_hiv, joined on their genes)",
            licence="MIT (package)",
            reference=f"{_LEONG}; Verma et al. 2018, BMC Infectious Diseases 18:220",
            files=(
                PublicFile("counts.csv.gz", "d7cfd5f53c56730843091ce49547be663c8e6a6c574a45a349851a160b5d2546"),
                PublicFile("samples.csv", "3e4e0d90372a9977175c090a993b15dea83ebabdfab3604859b25bc550db6602"),
            ),
            label="group",
            covariates=("cohort",),
        ),
        PublicCohort(
            name="brca-tumour-normal-100",
            title="TCGA breast, 50 tumours and 50 normal tissues of 98 patients × 20,531 genes",
            accession="TCGA-BRCA (NCI Genomic Data Commons, open access)",
            origin=f"{_BRCA}, RSEM expected counts rounded",
            licence="TCGA open access",
            reference=_TCGA,
            files=(
                PublicFile("counts.csv.gz", "185dca3bfb0fe2b7bd7bfb75a1de035d596a155a2a17ab4b5ba3d3d7b4f09a0a"),
                PublicFile("samples.csv", "7ba4742491ff73e766110a91951110c28e59af2ae7730d1513d0273f56aa3b8f"),
            ),
            label="sample_type",
            donor="patient",
            paired=True,
        ),
        PublicCohort(
            name="brca-pam50-1172",
            title="TCGA breast, 1,172 tumours, normal tissues and metastases of 1,052 patients × 1,354 genes",
            accession="TCGA-BRCA (NCI Genomic Data Commons, open access)",
            origin=f"{_BRCA}, RSEM expected counts rounded",
            licence="TCGA open access",
            reference=_TCGA,
            files=(
                PublicFile("counts.csv.gz", "7726c16a2c9fcc8f0ab7f5705e3425d1a181cdcc6d9b503e00980f16a96a871a"),
                PublicFile("samples.csv", "0917546ffe377b6068260af280e08432ba79dacb73b2c9b576895fd21e931b9d"),
            ),
            label="sample_type",
            donor="patient",
            covariates=("pam50",),
            paired=True,
        ),
        PublicCohort(
            name="onek1k-40donors",
            title="Blood mononuclear cells of 40 donors, four cell types: 7,811 cells × 1,000 genes",
            accession="GEO GSE196830 (OneK1K)",
            origin="R package scDesignPop, example subset",
            licence="MIT (package)",
            reference="Yazar et al. 2022, Science 376:eabf3041",
            files=(PublicFile("cells.h5ad", "9280e863346a588c3d0c4dc2f6abc0db27586c937dce31ce1b061115bc5fdbd4"),),
            donor="indiv",
            cell_type="cell_type",
            covariates=("sex", "age"),
        ),
    )
}


def names() -> list[str]:
    """Return the names that `load` knows."""
    return sorted(COHORTS)


def load(name: str) -> Cohort:
    """Load a public cohort by name, with the roles of its columns stated.

    Parameters
    ----------
    name
        One of `names`.

    Raises
    ------
    ConfigError
        There is no cohort of this name.
    CohortError
        Its files are not at hand and no public address serves them, or they differ from the checksum.
    """
    if name not in COHORTS:
        raise ConfigError(f"Unknown dataset '{name}'{suggest(name, COHORTS)}")
    entry = COHORTS[name]
    paths = [_locate(entry, file) for file in entry.files]
    return read(
        paths[0],
        obs=paths[1] if len(paths) > 1 else None,
        label=entry.label,
        donor=entry.donor,
        cell_type=entry.cell_type,
        covariates=entry.covariates,
        paired=entry.paired,
    )


def _folders() -> list[Path]:
    """Folders that may hold cohorts, in the order they are searched."""
    stated = os.environ.get("TWINSEQ_DATA")
    folders = [Path(stated)] if stated else []
    if (CHECKOUT / "pyproject.toml").is_file():
        folders.append(CHECKOUT.parent / "shared" / "data")
    return [*folders, Path(pooch.os_cache("twinseq"))]


def _locate(entry: PublicCohort, file: PublicFile) -> Path:
    for folder in _folders():
        path = folder / entry.name / file.name
        if path.is_file():
            if pooch.file_hash(str(path)) != file.sha256:
                raise CohortError(
                    f"{path}: not the file that is known as {entry.name} (its SHA-256 differs from {file.sha256}). "
                    "Put the right file there, or read your own with twinseq.read."
                )
            return path
    if file.url is None:
        raise CohortError(
            f"{entry.name}: {file.name} is not at hand, and no public address serves it. It was prepared from "
            f"{entry.accession} ({entry.origin}). Put it at {entry.name}/{file.name} in a folder and name that folder "
            "in the environment variable TWINSEQ_DATA."
        )
    try:
        return Path(
            pooch.retrieve(
                file.url,
                known_hash=f"sha256:{file.sha256}",
                fname=file.name,
                path=Path(pooch.os_cache("twinseq")) / entry.name,
            )
        )
    except (OSError, ValueError) as error:
        raise CohortError(
            f"{entry.name}: {file.url} could not be fetched ({str(error).splitlines()[0]}). Check the connection, or "
            f"put the file at {entry.name}/{file.name} in a folder named by TWINSEQ_DATA."
        ) from error


def listing() -> pd.DataFrame:
    """Return the registry as a table, one row for each cohort, for people to choose from."""
    columns = ("title", "accession", "origin", "licence", "reference")
    return pd.DataFrame(
        {column: [getattr(COHORTS[name], column) for name in names()] for column in columns}, index=names()
    )
