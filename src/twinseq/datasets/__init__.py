"""Cohorts to try things on: simulated ones whose truth is known, and public ones by name."""

from .bulk import simulate_cohort
from .truth import gene_sets, gmt_lines

__all__ = ["gene_sets", "gmt_lines", "simulate_cohort"]
