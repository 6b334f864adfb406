"""The sections of the page: which metrics and figures belong where, and what is said where one is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from ..results import AuditReport
from .attackers import TITLE as ATTACKERS
from .figures._figure import Figure
from .figures._genes import contrasts
from .figures.cell_composition import cell_composition
from .figures.cell_map import cell_map
from .figures.cell_markers import cell_markers
from .figures.cell_moments import cell_variance, cell_zeros
from .figures.coexpression import edge_correlations, edges, modules
from .figures.covariates import covariate_shares
from .figures.curves import detected_genes, library_sizes
from .figures.fold_changes import fold_changes
from .figures.mean_variance import mean_variance
from .figures.pathways import pathways
from .figures.pca import pca
from .figures.roc import roc
from .figures.spectrum import spectrum
from .figures.survival import survival_curves
from .figures.volcano import volcano
from .rows import Row, rows
from .text import shown

# Each contrast costs about 0.2 MB of page; the rest are in the table.
CONTRASTS = 4


@dataclass(frozen=True)
class Group:
    """Figures under a heading of their own, which can be folded away."""

    title: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Section:
    """One section: its words, its metric rows, its figures, and what it could not draw.

    Parameters
    ----------
    key, title, lead, caution
        Anchor, heading, the sentences under it, and what must not be concluded.
    rows, further, community
        Metric rows: those to read first, the rest, and those of the community benchmark, which are there for
        comparison only.
    figures
        Figures that stand open.
    groups
        Figures by contrast.
    missing
        Figures left out, and why.
    """

    key: str
    title: str
    lead: tuple[str, ...]
    caution: str
    rows: tuple[Row, ...]
    further: tuple[Row, ...]
    community: tuple[Row, ...]
    figures: tuple[Figure, ...]
    groups: tuple[Group, ...]
    missing: tuple[str, ...]

    @property
    def part(self) -> str:
        """Part of the page that it belongs to."""
        return PARTS.get(self.key, FURTHER)

    @property
    def all_rows(self) -> tuple[Row, ...]:
        """All metric rows of the section in the order of the page."""
        return self.rows + self.further + self.community

    @property
    def all_figures(self) -> tuple[Figure, ...]:
        """All figures of the section in the order of the page."""
        return self.figures + tuple(figure for group in self.groups for figure in group.figures)


TITLES = {
    "cells": "Single cell",
    "utility": "Utility: training on the twin",
    "fidelity": "Fidelity",
    "covariates": "Covariates",
    "biology": "Biology",
    "pathways": "Pathways: enrichment of gene sets",
    "paper": "Community benchmark",
    "privacy": "Distances: how near the twin lies to its training data",
}
PARTS = {
    "cells": "Utility", "utility": "Utility", "fidelity": "Utility", "covariates": "Utility", "paper": "Utility",
    "biology": "Biology", "pathways": "Biology", "privacy": "Privacy",
}  # fmt: skip
"""Part of the page that a section belongs to; groups of metrics that we do not know are parts of their own."""
FURTHER = "Further"
LEADS = {
    "cells": (
        "Would an analyst of the twin's cells find the same cell types, in the same shares, with the same genes? "
        "All cells of all sides take part; real cells in the twin's place are those of other donors.",
        "Nothing of a single real cell is on this page: maps count cells in hexagons of five or more.",
    ),
    "fidelity": (
        "Does the twin look like another draw from the same population? Each figure compares the twin with real "
        "data, and stands beside what other real donors reach in the twin's place.",
    ),
    "biology": (
        "Would an analyst who has only the twin come to the same findings? Differential expression is tested in the "
        "real data and in the twin with the same design, and the results are compared gene by gene.",
        "Co-expression is correlation within classes, so that genes are not tied for differing between them alike.",
    ),
    "pathways": (
        "Would an analyst who has only the twin name the same pathways? Genes are ranked by the statistic of "
        "differential expression, and sets whose genes gather at one end of the list are enriched (pre-ranked GSEA); "
        "over-representation asks the same of the list of differential genes.",
    ),
    "utility": (
        "Is a classifier that has only seen the twin as good, on real donors it has never met, as one trained on the "
        "real data? TSTR means train on synthetic, test on real; TRTR train on real, test on real.",
    ),
    "covariates": ("Do the columns that come with the profiles keep their distribution and their associations?",),
    "privacy": (
        "How near do the twin's profiles lie to those it was made from, beside the distance to donors it never saw?",
    ),
}
SAMPLED = "These figures were made for samples: here each is of at most 2,000 cells of a side, drawn type by type."
DISTANCES = (
    "Distances describe, they do not judge. Passing these figures is no evidence of safety: a twin can lie far from "
    "every training profile and still betray who was in it. Only attacks can tell"
)

HEADLINES = {
    "cells": (
        "lisi", "cells_mmd", "cell_type_tstr", "cell_type_tstr_difference", "cluster_ari", "cluster_ari_ratio",
        "marker_overlap", "marker_lfc_r", "cell_gene_mean", "cell_gene_variance", "cell_gene_zeros",
        "correlation_of_correlations", "composition_distance", "donor_composition_distance", "copied_cells",
    ),
    "fidelity": (
        "library_size_ks", "detected_genes_ks", "zeros_per_gene_ks", "mean_variance_ks", "dispersion_ks",
        "gene_correlation_ks", "correlation_r", "pca_subspace", "mmd", "c2st_auc_logistic", "c2st_auc_trees",
        "prdc_coverage",
    ),
    "biology": (
        "de_recall", "de_precision", "de_sign_agreement", "lfc_pearson", "lfc_slope", "padj_pearson",
        "lfc_replication", "de_replication", "null_fpr", "edge_recall_r03", "edge_precision_r03", "hub_overlap",
        "modules_preserved", "module_density_ratio", "cox_log_hr_pearson", "km_distance",
    ),
    "utility": (
        "tstr_auc_top100_logistic", "tstr_auc_top500_logistic", "tstr_auc_mad_logistic", "tstr_auc_top500_trees",
        "tstr_ratio_auc", "tstr_f1", "tstr_brier", "attribution_r", "augmentation_auc_logistic",
        "survival_concordance",
    ),
}  # fmt: skip

Draw = Callable[[AuditReport], Figure | None]


def _from(name: str, draw: Callable[[pd.DataFrame], Figure | None]) -> Draw:
    return lambda report: draw(report.tables[name]) if len(report.tables.get(name, ())) else None


def _roc(report: AuditReport) -> Figure | None:
    values = {metric.name: (metric.value, metric.ceiling) for metric in report.metrics}
    return _from("roc", lambda table: roc(table, values) if "train_on" in table else None)(report)


def _pca(report: AuditReport) -> Figure | None:
    return pca(*(report.tables.get(f"pca_{part}") for part in ("groups", "twin", "axes")))


def _cell_map(report: AuditReport) -> Figure | None:
    return cell_map(*(report.tables.get(name) for name in ("cell_map", "cell_type_places", "cell_axes")))


def _edges(report: AuditReport) -> Figure | None:
    return edges({metric.name: metric for metric in report.metrics})


# Figures for which the audit has to be given something, by the key of the provenance that tells whether it was.
ASKED_FOR = {"Survival curves": "survival"}

DRAWN: dict[str, tuple[tuple[str, Draw], ...]] = {
    "cells": (
        ("Map of cells", _cell_map),
        ("Composition", _from("cell_composition", cell_composition)),
        ("Marker genes", _from("cell_markers", cell_markers)),
        ("Mean and variance by cell type", _from("cell_moments", cell_variance)),
        ("Mean and zeros by cell type", _from("cell_moments", cell_zeros)),
    ),
    "fidelity": (
        ("Library sizes", _from("library_size", library_sizes)),
        ("Detected genes", _from("detected_genes", detected_genes)),
        ("Mean and variance", _from("mean_variance", mean_variance)),
        ("Principal components", _pca),
        ("Eigenvalue spectrum", _from("eigenvalues", spectrum)),
    ),
    "biology": (
        ("Co-expression edges", _edges),
        ("Correlations of gene pairs", _from("edge_correlations", edge_correlations)),
        ("Modules", _from("modules", modules)),
        ("Survival curves", _from("survival", survival_curves)),
    ),
    "utility": (("ROC curves", _roc),),
    "covariates": (("Covariate shares", _from("covariates", covariate_shares)),),
}


def sections(report: AuditReport) -> tuple[Section, ...]:
    """Return the sections that have something to say, in the order of the page."""
    if not report.metrics:
        return ()
    unknown = dict.fromkeys(metric.group for metric in report.metrics if metric.group not in TITLES)
    # Distances come last, next to the attacks.
    known = [*(key for key in TITLES if key != "privacy"), *unknown, "privacy"]
    made = [_section(report, key, index) for index, key in enumerate(known)]
    # Distances of samples say nothing of cells, whose donors the attacks are about.
    always = () if of_cells(report) else ("privacy",)
    return tuple(part for part in made if part.rows or part.community or part.all_figures or part.key in always)


def of_cells(report: AuditReport) -> bool:
    """Whether the cohort is one of single cells."""
    return "cells" in report.provenance


def _section(report: AuditReport, key: str, index: int) -> Section:
    figures: list[Figure] = []
    groups: list[Group] = []
    missing: list[str] = []
    for name, draw in DRAWN.get(key, ()):
        figure = draw(report)
        if figure is None and name in ASKED_FOR and ASKED_FOR[name] not in report.provenance:
            continue
        if figure is None and of_cells(report) and key != "cells":
            continue
        if figure is None:
            missing.append(f"{name}: the audit gave no figures for it.")
        else:
            figures.append(figure)
    if key == "biology" and not of_cells(report):
        groups, without = _contrasts(report.tables.get("de_genes"))
        missing.extend(without)
    if key == "pathways" and not of_cells(report):
        groups, missing = _pathways(report.tables.get("pathways"))
    every = _rows(report, key)
    own = [row for row in every if not row.name.startswith("paper_")]
    order = {name: place for place, name in enumerate(HEADLINES.get(key, ()))}
    first = sorted((row for row in own if row.name in order), key=lambda row: order[row.name]) or own
    return Section(
        key=key if key in TITLES else f"group-{index}",
        title=TITLES.get(key, shown(key, 40)),
        lead=(*LEADS.get(key, ()), SAMPLED) if of_cells(report) and key != "cells" else LEADS.get(key, ()),
        caution=_caution(report) if key == "privacy" else "",
        rows=tuple(first),
        further=tuple(row for row in own if row not in first),
        community=tuple(row for row in every if row.name.startswith("paper_")),
        figures=tuple(figures),
        groups=tuple(groups),
        missing=tuple(missing),
    )


def _caution(report: AuditReport) -> str:
    """Return what must not be concluded from distances, and where to look instead."""
    if report.red_team is None:
        return f"{DISTANCES}, and none were run."
    return f"{DISTANCES}: see “{ATTACKERS}”, which the verdict rests on."


def _rows(report: AuditReport, key: str) -> list[Row]:
    """Return the metric rows of a section; those of pathways belong to biology and have a section of their own."""
    group = "biology" if key == "pathways" else key
    every = rows(report.metrics, group, holdout="holdout" in report.provenance.get("cohorts", {}))
    return [row for row in every if group != "biology" or row.name.startswith("pathway_") == (key == "pathways")]


def _pathways(table: pd.DataFrame | None) -> tuple[list[Group], list[str]]:
    if table is None or table.empty:
        return [], ["Enrichment scores: the audit gave no table of gene sets."]
    every = list(contrasts(table))
    figures = [(name, pathways(sets)) for name, sets in every[:CONTRASTS]]
    groups = [Group(shown(name, 80), (figure,)) for name, figure in figures if figure is not None]
    left = [shown(name, 40) for name, _ in every[CONTRASTS:]]
    return groups, [f"{len(left)} more contrasts, kept in the table: {', '.join(left[:20])}."] if left else []


def _contrasts(table: pd.DataFrame | None) -> tuple[list[Group], list[str]]:
    if table is None or table.empty:
        return [], [
            "Volcano plots and fold changes: the audit gave no gene table, as without a label or without counts."
        ]
    every = list(contrasts(table))
    groups = [
        Group(shown(name, 80), tuple(figure for figure in (volcano(genes), fold_changes(genes)) if figure.panels))
        for name, genes in every[:CONTRASTS]
    ]
    left = [shown(name, 40) for name, _ in every[CONTRASTS:]]
    return groups, [f"{len(left)} more contrasts, kept in the gene table: {', '.join(left[:20])}."] if left else []
