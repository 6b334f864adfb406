"""What a twin of single cells keeps: pure functions on arrays, one idea a file."""

from ._cells import Cells, log_normalised
from ._comparison import CellComparison
from ._space import CellSpace, principal_components
from ._tables import TABLES
from .classifier import cell_type_tstr
from .clusters import cluster_ari
from .composition import composition_distance, donor_composition_distance
from .copies import copied_cells
from .gene_correlations import correlation_of_correlations
from .gene_moments import mean_concordance
from .kernel import cells_mmd
from .markers import marker_lfc_r, marker_overlap, marker_scores
from .mixing import lisi

__all__ = [
    "TABLES",
    "CellComparison",
    "CellSpace",
    "Cells",
    "cell_type_tstr",
    "cells_mmd",
    "cluster_ari",
    "composition_distance",
    "copied_cells",
    "correlation_of_correlations",
    "donor_composition_distance",
    "lisi",
    "log_normalised",
    "marker_lfc_r",
    "marker_overlap",
    "marker_scores",
    "mean_concordance",
    "principal_components",
]
