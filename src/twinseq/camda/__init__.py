"""The Health Privacy Challenge (CAMDA): its files read and written, its figures computed, its two teams played.

First track, bulk: `read_cohort`, `read_splits`, `blue`, `read_profiles`, `red`, `score_twin`. Second track, single
cells: `read_cells`, `blue_cells`, `red_cells`. Both: `read_predictions`, `score_membership`.
"""

from .blue import Made, blue, promised_together
from .cells import blue_cells, read_cells, red_cells
from .inputs import Split, read_cohort, read_reference, read_splits
from .membership import Guess, guess
from .red import decided, red
from .scoring import mean_over_splits, read_predictions, read_split_predictions, score_membership, score_twin
from .twins import (
    labels_beside,
    number_of,
    read_labels,
    read_profiles,
    read_twin,
    twin_of,
    write_predictions,
    write_twin,
)

__all__ = [
    "Guess",
    "Made",
    "Split",
    "blue",
    "blue_cells",
    "decided",
    "guess",
    "labels_beside",
    "mean_over_splits",
    "number_of",
    "promised_together",
    "read_cells",
    "read_cohort",
    "read_labels",
    "read_predictions",
    "read_profiles",
    "read_reference",
    "read_split_predictions",
    "read_splits",
    "read_twin",
    "red",
    "red_cells",
    "score_membership",
    "score_twin",
    "twin_of",
    "write_predictions",
    "write_twin",
]
