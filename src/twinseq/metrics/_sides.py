"""The three sides of a comparison: training data, the candidate twin and, where there is one, a hold-out."""

from __future__ import annotations

from typing import ClassVar, Generic, Protocol, TypeVar

import numpy as np

from ._registry import NotComputableError


class Seeded(Protocol):
    """What was fitted on the training data, with streams of random numbers of its own."""

    def rng(self, *stream: int) -> np.random.Generator:
        """Return a generator of its own for one purpose, the same at each call."""


SpaceT = TypeVar("SpaceT", bound=Seeded)
SideT = TypeVar("SideT")


class ThreeSides(Generic[SpaceT, SideT]):
    """One candidate twin against training data and, where there is one, a hold-out.

    The twin's figure, its ceiling (real data as the candidate) and its floor (a control as the candidate)
    are the same metrics on three comparisons.

    Parameters
    ----------
    space
        What was fitted on the training data.
    train, twin, holdout
        The three sides.
    """

    stream: ClassVar[int]
    """Purpose of `rng`."""
    unit: ClassVar[str]
    """What the generator must not have seen."""

    def __init__(self, space: SpaceT, train: SideT, twin: SideT, holdout: SideT | None = None) -> None:
        self.space = space
        self.train = train
        self.twin = twin
        self._holdout = holdout

    @property
    def has_holdout(self) -> bool:
        """Whether there is a hold-out."""
        return self._holdout is not None

    @property
    def holdout(self) -> SideT:
        """The hold-out.

        Raises
        ------
        NotComputableError
            There is none.
        """
        if self._holdout is None:
            raise NotComputableError(f"needs a hold-out: real {self.unit} that the generator never saw (twinseq split)")
        return self._holdout

    @property
    def real(self) -> SideT:
        """What the twin is held against: the hold-out, or the training data where there is none."""
        return self.train if self._holdout is None else self._holdout

    @property
    def rng(self) -> np.random.Generator:
        """A generator that starts afresh each time, so that no metric depends on which ran before it."""
        return self.space.rng(self.stream)
