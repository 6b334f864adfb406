"""How far twin profiles look like real ones. One idea a file."""

from . import alpha_precision, c2st, correlation, count_properties, mmd, prdc, subspace

__all__ = ["alpha_precision", "c2st", "correlation", "count_properties", "mmd", "prdc", "subspace"]
