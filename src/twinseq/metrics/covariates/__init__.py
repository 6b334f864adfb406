"""How label and covariates come out. One idea a file."""

from . import association, gene_association, variation

__all__ = ["association", "gene_association", "variation"]
