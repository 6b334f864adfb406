"""Times and events: read from the columns that hold them, checked, and handed to the survival metrics."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..arrays import principal_axes
from ..cohort import Cohort
from ..errors import CohortError, ConfigError, shorten, suggest
from ._registry import NotComputableError

if TYPE_CHECKING:
    from ._comparison import Comparison
    from ._profiles import Profiles

Floats = NDArray[np.float64]

FEWEST_EVENTS = 10
AXES = 5
REMEDY = "State both as covariates when the twin is made (twinseq generate --covariate TIME --covariate EVENT)"


def with_survival(sides: dict[str, Cohort], columns: tuple[str, str]) -> dict[str, Cohort]:
    """Return the cohorts with time and event among the covariates of the training data.

    They are left out where the twin has no value in them, so that only the survival metrics speak of it.

    Raises
    ------
    ConfigError
        Both are one column, or one of them has another role.
    CohortError
        The training data lack a column.
    """
    train, twin = sides["train"], sides["twin"]
    if columns[0] == columns[1]:
        raise ConfigError(f"Time and event are the same column, '{shorten(columns[0])}'. Name two.")
    for name, role in zip(columns, ("time", "event"), strict=True):
        if name not in train.obs.columns:
            known = map(shorten, train.obs.columns)
            raise CohortError(
                f"{train.source}: the sample table has no column '{shorten(name)}' ({role}){suggest(name, known)}"
            )
        if name in (train.label, train.donor, train.cell_type):
            raise ConfigError(f"Column '{shorten(name)}' cannot be the {role}: it has another role already.")
    if any(name not in twin.obs.columns or twin.obs[name].isna().all() for name in columns):
        return sides
    added = tuple(name for name in columns if name not in train.covariates)
    return {**sides, "train": dataclasses.replace(train, covariates=(*train.covariates, *added))}


@dataclass(frozen=True)
class Outcome:
    """What became of the samples.

    Parameters
    ----------
    time
        Time to the event or to the end of follow-up.
    event
        Whether the event was seen.
    """

    time: Floats
    event: NDArray[np.bool_]

    @classmethod
    def of(cls, profiles: Profiles, who: str) -> Outcome:
        """Read the outcome of one side; ``who`` names it in messages.

        Raises
        ------
        NotComputableError
            A column is absent or empty, a time is missing or negative, or an event is neither 0 nor 1.
        """
        assert profiles.space.survival is not None
        time, event = (_column(profiles, name, who) for name in profiles.space.survival)
        time_name, event_name = (f"column '{shorten(name, 40)}'" for name in profiles.space.survival)
        for wrong, what in (
            (np.isnan(time), f"{time_name} (time) has no number"),
            (time < 0, f"{time_name} (time) is negative"),
            (np.isinf(time), f"{time_name} (time) is infinite"),
            (~np.isin(event, (0.0, 1.0)), f"{event_name} (event) is neither 0 nor 1"),
        ):
            if wrong.any():
                raise NotComputableError(f"{who}: {what} in {int(wrong.sum())} of {len(wrong)} samples")
        return cls(time, event == 1.0)


def _column(profiles: Profiles, name: str, who: str) -> Floats:
    if name not in profiles.covariates or profiles.covariates[name].isna().all():
        remedy = f". {REMEDY}" if "twin" in who else ""
        raise NotComputableError(f"{who}: no value in column '{shorten(name, 40)}'{remedy}")
    column = profiles.covariates[name]
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    values: Floats = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return values


class Survival:
    """What the survival metrics are called with, computed when asked for.

    Parameters
    ----------
    comparison
        Training data, twin and, where there is one, hold-out.
    """

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison

    @cached_property
    def real(self) -> Outcome:
        """Outcome of the training data."""
        # What the twin lacks was left out of the training data too (`with_survival`): say that it is the twin.
        for name in self._comparison.space.survival or ():
            _column(self._comparison.twin, name, "twin")
        return Outcome.of(self._comparison.train, "training data")

    @cached_property
    def twin(self) -> Outcome:
        """Outcome of the twin, once that of the training data is known to be sound."""
        _ = self.real
        return Outcome.of(self._comparison.twin, "twin")

    @cached_property
    def holdout(self) -> Outcome:
        """Outcome of the hold-out."""
        return Outcome.of(self._comparison.holdout, "hold-out")

    @property
    def real_table(self) -> Floats:
        """Time, event and number of the class in the training data, ``n_samples × 3``."""
        return self._table(self._comparison.train, self.real)

    @property
    def twin_table(self) -> Floats:
        """The same for the twin."""
        return self._table(self._comparison.twin, self.twin)

    def _table(self, profiles: Profiles, outcome: Outcome) -> Floats:
        codes = np.searchsorted(self._comparison.space.classes, profiles.labels)
        return np.column_stack([outcome.time, outcome.event, codes]).astype(np.float64)

    @cached_property
    def real_log_hazard_ratios(self) -> Floats:
        """Log hazard ratio of each gene of the panel of 500 in the training data."""
        return self._log_hazard_ratios(self._comparison.train, self.real, "training data")

    @cached_property
    def twin_log_hazard_ratios(self) -> Floats:
        """The same for the twin."""
        return self._log_hazard_ratios(self._comparison.twin, self.twin, "twin")

    def _log_hazard_ratios(self, profiles: Profiles, outcome: Outcome, who: str) -> Floats:
        from .biology.cox import log_hazard_ratios

        _require_events(outcome, who)
        # Standardised by the training data on every side, so that a ratio is per the same step in expression.
        scale = self._comparison.train.panel
        spread = scale.std(axis=0)
        x = (profiles.panel - scale.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        return log_hazard_ratios(outcome.time, outcome.event, x)

    @cached_property
    def predicted(self) -> Floats:
        """Time, event and risk of each hold-out sample, by a Cox model trained on the twin, ``n_samples × 3``.

        Raises
        ------
        NotComputableError
            lifelines is not installed, a side has too few events, or the model cannot be fitted.
        """
        from .utility.survival import predicted_risk

        source, target = self._comparison.twin, self._comparison.holdout
        _require_events(self.twin, "twin")
        centre, axes, spread = self._axes
        scores: Any = [(side.variable - centre) @ axes / spread for side in (source, target)]
        risk: Any = predicted_risk(self.twin.time, self.twin.event, *scores)
        return np.column_stack([self.holdout.time, self.holdout.event, risk]).astype(np.float64)

    @cached_property
    def _axes(self) -> tuple[Floats, Floats, Floats]:
        """Centre, loadings and spread of the first axes of the training data, 2,000 genes."""
        x = self._comparison.space.train.variable
        values, loadings = principal_axes(x, k=AXES)
        return x.mean(axis=0), loadings, np.sqrt(values[: loadings.shape[1]])


def _require_events(outcome: Outcome, who: str) -> None:
    seen = int(outcome.event.sum())
    if seen < FEWEST_EVENTS:
        raise NotComputableError(f"{who}: {seen} event(s) seen; {FEWEST_EVENTS} are needed for hazard ratios")
