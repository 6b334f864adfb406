"""Which pathways change, and whether the twin says the same.

``_gsea.py`` and ``_ora.py`` hold the two tests, ``_panel.py`` the sets that take part,
``_enrichment.py`` what comes out on each side, ``concordance.py`` the figures.
"""

from . import concordance

__all__ = ["concordance"]
