"""Each gene set on every side: the table behind the report's section on pathways."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .._registry import NotComputableError

if TYPE_CHECKING:
    from .._comparison import Comparison
    from .._profiles import Profiles
    from ._enrichment import Enrichment

SMALLEST_GROUP = 5


def pathways(comparison: Comparison) -> pd.DataFrame:
    """Return each set's enrichment on every side, most significant in the real data first.

    Contrasts with a class of fewer than five training samples are withheld, and so are the hold-out's.

    Columns: contrast, gene_set, size, nes_real, fdr_real, nes_twin, fdr_twin, nes_holdout, fdr_holdout, direction
    (of the real data).
    """
    agreement, panel = comparison.pathways, comparison.space.pathways
    sides: dict[str, tuple[Profiles, Enrichment]] = {
        "real": (comparison.train, agreement.real),
        "twin": (comparison.twin, agreement.twin),
    }
    if comparison.has_holdout:
        with contextlib.suppress(NotComputableError):
            sides["holdout"] = comparison.holdout, comparison.holdout.enrichment
    parts = []
    for pair in agreement.real.pairs:
        if not _large_enough(comparison.train, pair):
            continue
        part = pd.DataFrame({"contrast": f"{pair[0]} vs {pair[1]}", "gene_set": panel.names, "size": panel.sizes})
        for source in ("real", "twin", "holdout"):
            part[f"nes_{source}"], part[f"fdr_{source}"] = np.nan, np.nan
            if source not in sides:
                continue
            profiles, found = sides[source]
            if pair in found.pairs and (source != "holdout" or _large_enough(profiles, pair)):
                column = found.pairs.index(pair)
                part[f"nes_{source}"], part[f"fdr_{source}"] = found.nes[:, column], found.fdr[:, column]
        part["direction"] = np.where(part["nes_real"].isna(), "", np.where(part["nes_real"] > 0, "up", "down"))
        order = np.lexsort((-part["nes_real"].abs().to_numpy(), part["fdr_real"].to_numpy()))
        parts.append(part.iloc[order])
    if not parts:
        raise NotComputableError("every contrast has a class of fewer than five training samples")
    return pd.concat(parts, ignore_index=True)


def _large_enough(side: Profiles, pair: tuple[str, str]) -> bool:
    return all(int((side.labels == name).sum()) >= SMALLEST_GROUP for name in pair)
