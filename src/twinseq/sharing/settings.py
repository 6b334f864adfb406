"""Settings that tuning tries: a generator, its knobs, and words for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import generators
from ..generators import Generator

PRIVATE = "share-copula"
PUBLIC = "basis-copula"
WORDS = {
    "factors": "{:g} directions",
    "within": "{:g} within classes",
    "reach": "reach {:g}",
    "mean_noise": "mean {:g} SE",
    "loading_noise": "directions {:g} SE",
    "offset_noise": "offsets {:g} SE",
    "scale_noise": "scales {:g} SE",
}


@dataclass(frozen=True)
class Setting:
    """A generator and its settings.

    Parameters
    ----------
    generator
        Registry key.
    settings
        Its parameters; others are at their defaults.
    """

    generator: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """What a reader of a table sees."""
        said = [WORDS[name].format(value) for name, value in self.settings.items() if name in WORDS]
        others = [
            f"{name} {value}" for name, value in self.settings.items() if name not in WORDS and name not in ("basis",)
        ]
        start = "public basis" if "basis" in self.settings else self.generator
        return ", ".join([start, *said, *others])

    @property
    def as_json(self) -> str:
        """The settings as they stand in a table; of a basis, the name of its file alone."""
        shown = {
            name: Path(value).name if name == "basis" and value is not None else value
            for name, value in self.settings.items()
        }
        return json.dumps(shown, sort_keys=True)

    def unfitted(self) -> Generator:
        """Return the generator, not fitted yet."""
        return generators.create(self.generator, **self.settings)


def candidates(basis: str | Path | None = None) -> tuple[Setting, ...]:
    """Return the settings that are searched where none are stated, those that leak least first.

    They lie along the frontier that was found on real cohorts (``benchmarks/results/share_frontier.md``).

    Parameters
    ----------
    basis
        File of a public basis, where there is one.
    """
    if basis is not None:
        return tuple(
            Setting(PUBLIC, {"basis": str(basis), "factors": factors, "offset_noise": noise})
            for factors, noise in PUBLIC_LADDER
        )
    return tuple(
        Setting(
            PRIVATE,
            {
                "factors": factors,
                "within": within,
                "reach": reach,
                "mean_noise": mean,
                "loading_noise": loading,
                "offset_noise": offset,
                "scale_noise": 2.0,
            },
        )
        for factors, within, reach, mean, loading, offset in LADDER
    )


LADDER = (
    (1, 0, 0, 8.0, 8.0, 2.0),
    (1, 0, 0, 8.0, 2.0, 0.0),
    (1, 0, 0, 8.0, 0.0, 0.0),
    (1, 0, 0, 4.0, 0.0, 0.0),
    (2, 1, 0, 8.0, 0.0, 0.0),
    (2, 1, 0, 4.0, 0.0, 0.0),
    (3, 2, 0, 6.0, 1.0, 0.0),
    (4, 2, 0, 6.0, 1.0, 0.0),
    (5, 2, 0, 6.0, 1.0, 0.0),
    (5, 4, 0, 6.0, 0.0, 0.0),
    (5, 7, 1, 6.0, 0.0, 0.0),
    (6, 8, 1, 6.0, 0.0, 0.0),
    (7, 8, 1, 6.0, 0.0, 0.0),
    (7, 10, 2, 6.0, 0.0, 0.0),
    (10, 8, 1, 6.0, 1.0, 0.0),
    (10, 12, 1, 6.0, 0.0, 0.0),
    (20, 20, 1, 6.0, 0.0, 0.0),
    (20, 20, 1, 4.0, 0.0, 0.0),
)
"""Directions, axes within classes, how far these reach, and noise on the mean, the directions and the offsets."""

PUBLIC_LADDER = (
    (5, 1.0),
    (5, 0.5),
    (6, 0.5),
    (6, 0.0),
    (8, 1.0),
    (8, 0.5),
    (8, 0.0),
    (10, 1.0),
    (10, 0.5),
    (10, 0.0),
    (20, 1.0),
    (20, 0.0),
    (30, 0.0),
    (60, 0.0),
)
"""Axes of a public basis, and noise on the offsets."""
