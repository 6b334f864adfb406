"""What an attacker is given: a view that grants what its threat level allows, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from threading import RLock
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import TwinseqError
from ..transforms import SizeReference, factors_against, log_normalised, size_reference

Floats = NDArray[np.float64]
Level = Literal["T0", "T1", "T2", "T3", "T4"]
LEVELS: dict[Level, str] = {
    "T0": "the twin alone",
    "T1": "the twin and a reference cohort of other donors",
    "T2": "the twin, a reference cohort, and the generator with its settings",
    "T3": "the twin, a reference cohort, the generator and its fitted parameters",
    "T4": "the choice of who is in the training data (for testing promises)",
}
Made = TypeVar("Made")


class ThreatLevelError(TwinseqError):
    """An attack asked for more than its threat level grants."""


class NotApplicableError(TwinseqError):
    """An attack has nothing to work on in these data; the message says why."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Profiles that an attacker holds, genes in one order everywhere.

    Parameters
    ----------
    values
        Counts, or continuous values; ``n × G``.
    labels
        Class of each sample.
    kind
        ``"counts"`` or ``"continuous"``.
    log
        The profiles on the log scale, where they have been put on one (`against`); ``n × G``.
    reference
        What size factors on that scale were taken against.
    people
        Whose each profile is, where an attacker knows which of them are one person's; a twin's are nobody's.
    cells
        Whether they are single cells; classes are cell types then (of each label).
    """

    values: NDArray[Any]
    labels: NDArray[np.str_]
    kind: str
    log: Floats | None = None
    reference: SizeReference | None = None
    people: NDArray[np.str_] | None = None
    cells: bool = False

    @cached_property
    def on_log(self) -> Floats:
        """``log2(count / size factor + 1)``, or the continuous values themselves; ``n × G``."""
        if self.log is not None:
            return self.log
        if self.kind == "continuous":
            return np.asarray(self.values, dtype=np.float64)
        return log_normalised(self.values, factors_against(self.values, size_reference(self.values)))

    def __len__(self) -> int:
        return len(self.labels)

    def against(self, reference: SizeReference | None) -> Samples:
        """Return the samples with size factors against ``reference``; nothing to do for continuous profiles."""
        if reference is None or reference is self.reference:
            return self
        log = log_normalised(self.values, factors_against(self.values, reference))
        return replace(self, log=log, reference=reference)

    def subset(self, rows: NDArray[Any]) -> Samples:
        """Return some of the samples."""
        people = None if self.people is None else self.people[rows]
        return replace(self, values=self.values[rows], labels=self.labels[rows], log=self.on_log[rows], people=people)

    def joined(self, others: Samples) -> Samples:
        """Return these samples followed by ``others``, both on the scale of these; whose they are, if known of both."""
        others = others.against(self.reference)
        values = np.concatenate([self.values, others.values])
        labels = np.concatenate([self.labels, others.labels])
        log = np.concatenate([self.on_log, others.on_log])
        people = None
        if self.people is not None and others.people is not None:
            people = np.concatenate([self.people, others.people])
        return replace(self, values=values, labels=labels, log=log, people=people)

    def genes(self, chosen: NDArray[Any]) -> Samples:
        """Return the profiles of some genes; the log scale stays that of the whole profile."""
        return replace(self, values=self.values[:, chosen], log=self.on_log[:, chosen])


class Model(Protocol):
    """A fitted generator in an attacker's hands."""

    def draw(self, labels: NDArray[np.str_], seed: int) -> Samples:
        """Draw a sample of each class in ``labels``."""

    def losses(self, samples: Samples) -> Floats:
        """Return what the model's training minimises, for each sample; ``n × n_features``, lower fits better.

        Raises
        ------
        NotApplicableError
            The generator has no loss of single samples.
        """

    def log_likelihood(self, samples: Samples) -> Floats:
        """Return the log-likelihood of each sample under the fitted parameters, ``n``.

        Raises
        ------
        NotApplicableError
            The generator states none.
        """


class Definition(Protocol):
    """A generator and its settings in an attacker's hands: it can be fitted to what the attacker holds."""

    def fit(self, samples: Samples, seed: int) -> Model:
        """Fit the generator to ``samples``."""

    def public_axes(self) -> Floats | None:
        """Return the axes of the public basis that it uses, ``n_genes × k``, in units of log2 values; or ``None``."""


class View:
    """What one attacker holds.

    Parameters
    ----------
    level
        Threat level: what may be looked at.
    twin
        The twin, S.
    targets
        Profiles of those whose membership is guessed; nothing about members and non-members is known.
    reference
        Other donors of the same population, R; from T1 on.
    generator
        The generator and its settings; from T2 on.
    model
        The fitted generator; from T3 on.
    seed
        Seed of every random choice of an attack.
    """

    def __init__(
        self,
        level: Level,
        twin: Samples,
        targets: Samples,
        reference: Samples | None = None,
        generator: Definition | None = None,
        model: Model | None = None,
        seed: int = 0,
    ) -> None:
        self.level = level
        # Everybody's size factor is taken against the twin, which the attacker holds at every level.
        if twin.kind == "counts" and twin.reference is None:
            twin = twin.against(size_reference(twin.values))
        self.twin = twin
        self.targets = targets.against(twin.reference)
        self.seed = seed
        self._reference = None if reference is None else reference.against(twin.reference)
        self._generator = generator
        self._model = model
        self._shared: dict[tuple[str, Any], Any] = {}
        self._lock = RLock()  # attacks run in threads, and what they share is made once

    def __getstate__(self) -> dict[str, Any]:
        """Leave what attacks share behind: in another process it is made anew."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_shared", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _shared={}, _lock=RLock())

    @property
    def reference(self) -> Samples:
        """Reference cohort.

        Raises
        ------
        ThreatLevelError
            The level grants none.
        NotApplicableError
            There is none.
        """
        self._check("T1", "a reference cohort")
        return self._given(self._reference, "a reference cohort")

    @property
    def generator(self) -> Definition:
        """The generator and its settings; raises as `reference` does."""
        self._check("T2", "the generator")
        return self._given(self._generator, "to know the generator")

    @property
    def model(self) -> Model:
        """The fitted generator; raises as `reference` does."""
        self._check("T3", "the fitted parameters")
        return self._given(self._model, "the fitted model")

    @property
    def has_reference(self) -> bool:
        """Whether this attacker holds a reference cohort."""
        return self.level >= "T1" and self._reference is not None

    def _check(self, level: Level, what: str) -> None:
        if self.level < level:
            raise ThreatLevelError(f"An attacker of level {self.level} has no {what.removeprefix('a ')}.")

    def _given(self, value: Made | None, what: str) -> Made:
        if value is None:
            raise NotApplicableError(f"needs {what}")
        return value

    def at(self, level: Level) -> View:
        """Return what an attacker of a lower (or the same) level holds of it.

        Raises
        ------
        ThreatLevelError
            The level is higher than this view's.
        """
        self._check(level, f"view of level {level}")
        if level == self.level:
            return self
        return self.shared("lower level", lambda view: view._lower(level), level)

    def _lower(self, level: Level) -> View:
        return View(level, self.twin, self.targets, self._reference, self._generator, self._model, self.seed)

    def rng(self, *stream: int) -> np.random.Generator:
        """Return a generator of its own for one purpose, the same at each call."""
        return np.random.default_rng([self.seed, *stream])

    def shared(self, name: str, make: Callable[[View], Made], *settings: Any) -> Made:
        """Return ``make(self)``, made once for all attacks of this level."""
        key = (name, settings)
        with self._lock:
            if key not in self._shared:
                self._shared[key] = make(self)
            made: Made = self._shared[key]
        return made
