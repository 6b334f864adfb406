"""Aggregates behind the plots of co-expression: pairs of genes in cells of a grid, and modules."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ._comparison import Comparison
from ._profiles import Profiles
from .biology.modules import Preservation

CELLS = 40


def edge_correlations(comparison: Comparison) -> pd.DataFrame:
    """Return how many pairs of genes correlate so in real data and so elsewhere, within classes.

    Columns: source (twin or holdout), r_real, r_other (middles of cells 0.05 wide), n_pairs; empty cells left out.
    """
    middles = (np.arange(CELLS) + 0.5) * 2 / CELLS - 1
    parts = []
    for source, side in _others(comparison):
        cells, _, _ = np.histogram2d(
            np.clip(comparison.train.coexpression_pairs, -1, 1),
            np.clip(side.coexpression_pairs, -1, 1),
            bins=CELLS,
            range=[[-1, 1], [-1, 1]],
        )
        rows, columns = np.nonzero(cells)
        parts.append(
            pd.DataFrame(
                {
                    "source": source,
                    "r_real": middles[rows].round(4),
                    "r_other": middles[columns].round(4),
                    "n_pairs": cells[rows, columns].astype(np.int64),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def modules(comparison: Comparison) -> pd.DataFrame:
    """Return the modules of the training data, largest first, and what became of them.

    Columns: source (twin or holdout), module, n_genes, density_real, density, zsummary.
    """
    parts = []
    for source, side in _others(comparison):
        kept = (
            comparison.modules
            if source == "twin"
            else Preservation.of(comparison.space.modules, comparison.train, side, comparison.space.rng(5))
        )
        parts.append(
            pd.DataFrame(
                {
                    "source": source,
                    "module": np.arange(1, len(kept.sizes) + 1),
                    "n_genes": kept.sizes,
                    "density_real": kept.real_density,
                    "density": kept.twin_density,
                    "zsummary": kept.zsummary,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _others(comparison: Comparison) -> list[tuple[str, Profiles]]:
    others = [("twin", comparison.twin)]
    return [*others, ("holdout", comparison.holdout)] if comparison.has_holdout else others
