"""Cohorts to try things on: simulated ones whose truth is known, and public ones by name."""

from .bulk import simulate_cohort
from .cells import simulate_cells, write_cells
from .public import listing, load, names
from .truth import gene_sets, gmt_lines

__all__ = ["gene_sets", "gmt_lines", "listing", "load", "names", "simulate_cells", "simulate_cohort", "write_cells"]
