"""What a twin of single cells keeps: pure functions on arrays, one idea a file."""

from ._cells import Cells, log_normalised
from ._space import CellSpace, principal_components
from .classifier import cell_type_tstr
from .clusters import cluster_ari
from .kernel import cells_mmd
from .mixing import lisi

__all__ = [
    "CellSpace",
    "Cells",
    "cell_type_tstr",
    "cells_mmd",
    "cluster_ari",
    "lisi",
    "log_normalised",
    "principal_components",
]
