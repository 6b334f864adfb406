"""What the twins of each generator keep of the real cohorts.

    python benchmarks/fidelity.py [--quick]

Three questions, each beside its real-data ceiling: does DESeq2 find the same genes in a twin of the whole cohort; are
counts and correlations of a twin as near to unseen patients as real data are; does a classifier trained on the twin do
as well on unseen patients as one trained on real data. Peers are measured in the same run: the class-wise normal of
Nanda & Saha (``lowrank-mvn``), that of the community benchmark (``mvn``), and genes without correlation
(``independent``). Needs the real cohorts (``TWINSEQ_DATA``). Writes ``benchmarks/results/fidelity.md``.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

import twinseq as ts
from twinseq.cohort import from_anndata

from _common import machine, publish, table

GENERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "**copula** (faithful)": ("copula", {"preset": "faithful"}),
    "copula, ordinary draws": ("copula", {"balanced": False}),
    "independent": ("independent", {}),
    "lowrank-mvn (class-MVN)": ("lowrank-mvn", {}),
    "mvn": ("mvn", {}),
}
DE = (
    "de_recall",
    "de_precision",
    "de_sign_agreement",
    "lfc_pearson",
    "lfc_slope",
    "padj_pearson",
)
SHAPE = (
    "library_size_ks",
    "detected_genes_ks",
    "zeros_per_gene_ks",
    "mean_variance_ks",
    "gene_variance_ks",
    "correlation_r",
    "c2st_auc_trees",
    "lfc_replication",
)
NEARNESS = ("dcr_p5_ratio", "closer_to_train_share", "authenticity")
UTILITY = ("tstr_auc_top100_logistic", "tstr_auc_top500_logistic", "tstr_auc_mad_logistic", "tstr_auc_top100_trees")


def cohorts() -> Iterator[tuple[str, ts.Cohort]]:
    """Real cohorts with the roles of the benchmark."""
    for name, covariates in (("tb-blood-44", ()), ("tb-blood-75", ("cohort",)), ("brca-tumour-normal-100", ())):
        adata = ts.datasets.load(name).adata
        label = "sample_type" if name.startswith("brca") else "group"
        yield name, from_anndata(adata, label=label, covariates=covariates, source=name)
    adata = ts.datasets.load("brca-pam50-1172").adata
    tumours = adata[(adata.obs["sample_type"] == "tumour") & adata.obs["pam50"].notna()].copy()
    tumours.uns.clear()
    yield "brca-pam50 tumours", from_anndata(tumours, label="pam50", donor="patient", source="brca-pam50-1172")


def twin_of(key: str, cohort: ts.Cohort, seed: int) -> ts.Cohort:
    name, settings = GENERATORS[key]
    return ts.generators.create(name, **settings).fit(cohort, seed=seed, jobs=2).sample(seed=seed + 1, jobs=2)


def averaged(audits: list[Any], names: tuple[str, ...], field: str) -> list[str]:
    """Mean of a field of each metric over audits, ``–`` where it could not be computed."""
    cells = []
    for name in names:
        found = [getattr(metric, field) for audit in audits for metric in audit.metrics if metric.name == name]
        values = [value for value in found if value is not None and np.isfinite(value)]
        cells.append(f"{np.mean(values):.3f}" if values else "–")
    return cells


def rows_for(
    title: str,
    names: tuple[str, ...],
    parts: list[tuple[ts.Cohort, ts.Cohort | None]],
    draws: int = 1,
) -> list[list[str]]:
    """One row for each generator, and one for real data in the twin's place."""
    rows: list[list[str]] = []
    audits: list[Any] = []
    for key in GENERATORS:
        start = time.perf_counter()
        audits = [
            ts.audit(train, twin_of(key, train, seed), holdout=holdout, metrics=names, seed=0, jobs=2)
            for train, holdout in parts
            for seed in range(draws)
        ]
        rows.append([title, key, *averaged(audits, names, "value")])
        print(rows[-1], f"{time.perf_counter() - start:.0f} s", file=sys.stderr)
    rows.append([title, "real data in the twin's place", *averaged(audits, names, "ceiling")])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one draw, split and fold of each only")
    quick = parser.parse_args().quick
    de, shape, near, utility = [], [], [], []
    for name, cohort in cohorts():
        de += rows_for(name, DE, [(cohort, None)], draws=1 if quick else 3)
        halves = [cohort.split((0.5, 0.5), seed=seed) for seed in range(1 if quick else 5)]
        both = rows_for(name, SHAPE + NEARNESS, halves)
        shape += [row[: 2 + len(SHAPE)] for row in both]
        near += [row[:2] + row[2 + len(SHAPE) :] for row in both]
        if cohort.n_samples >= 100:
            utility += rows_for(name, UTILITY, list(cohort.folds(5, seed=0))[: 1 if quick else 5])
    publish(
        "fidelity",
        [
            "# What a twin keeps of a real cohort",
            "",
            machine("twinseq", "numpy", "scipy", "scikit-learn", "pydeseq2"),
            "Written by `benchmarks/fidelity.py`.",
            "",
            "## Differential expression",
            "DESeq2 on a twin of the whole cohort against DESeq2 on the cohort itself; moderate calls (padj < 0.05,",
            "|log2FC| ≥ 1, baseMean ≥ 10); mean of 3 draws. tb-blood-75 is adjusted for `cohort`; PAM50: mean over all",
            "pairs of classes. Real data: one random half of the donors against the other.",
            "",
            *table(["cohort", "generator", *DE], de, "ll" + "r" * len(DE)),
            "",
            "## Counts and correlations",
            "The cohort is split into halves by donor; a twin of one half is held against the other. Mean of 5 splits.",
            "Real data: the half that the twin was made from. KS: distance of distributions, 0 is best; C2ST: how well",
            "boosted trees tell the twin from real data, 0.5 is best; `lfc_replication`: fold changes' agreement with",
            "the unseen half, as a share of what the real half reaches.",
            "",
            *table(["cohort", "generator", *SHAPE], shape, "ll" + "r" * len(SHAPE)),
            "",
            "## Nearness to the training data",
            "On the same halves. `dcr_p5_ratio`: 5th percentile of distances from twin samples to the training half",
            "over that to the unseen half, 1 is clean; `closer_to_train_share`: share of twin samples nearer to the",
            "training half, 0.5 is clean; `authenticity`: share of twin samples that do not hug one training sample.",
            "Descriptive: passing is no evidence of safety, and `faithful` does not pass.",
            "",
            *table(["cohort", "generator", *NEARNESS], near, "ll" + "r" * len(NEARNESS)),
            "",
            "## Classifiers",
            "AUC (macro, one against rest) on unseen patients of a classifier trained on the twin; mean of five",
            "donor-wise, stratified folds. Real data: trained on the patients that the twin was made from (TRTR).",
            "",
            *table(["cohort", "generator", *UTILITY], utility, "ll" + "r" * len(UTILITY)),
        ],
    )


if __name__ == "__main__":
    main()
