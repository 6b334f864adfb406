"""Training data, hold-out and twin side by side, with what several metrics share computed once."""

from __future__ import annotations

from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import distances
from ._profiles import Profiles
from ._registry import Metric, NotComputableError
from ._resample import FEWEST_GROUPS, deletion_groups
from ._sides import ThreeSides
from ._space import Space

if TYPE_CHECKING:
    from ._survival import Survival
    from .biology.contrasts import Agreement, Replication
    from .biology.modules import Preservation
    from .pathways._enrichment import PathwayAgreement
    from .utility.attribution import Attribution
    from .utility.models import Scores

Floats = NDArray[np.float64]


class Comparison(ThreeSides[Space, Profiles]):
    """The sides of bulk profiles, and what several metrics share."""

    stream = 1
    unit = "samples"

    # Distances between samples on the log scale

    @cached_property
    def real_to_twin(self) -> Floats:
        """Euclidean distances, ``n_real × n_twin``."""
        return distances(self.real.points, self.twin.points)

    @cached_property
    def real_to_real(self) -> Floats:
        """Euclidean distances, ``n_real × n_real``."""
        return distances(self.real.points, self.real.points)

    @cached_property
    def twin_to_twin(self) -> Floats:
        """Euclidean distances, ``n_twin × n_twin``."""
        return distances(self.twin.points, self.twin.points)

    @cached_property
    def twin_to_train(self) -> Floats:
        """Euclidean distances from (at most 2,000 of) the twin to all training samples, ``n_twin × n_train``."""
        return distances(self.twin.points, self.train.log)

    @cached_property
    def twin_to_holdout(self) -> Floats:
        """Euclidean distances from (at most 2,000 of) the twin to all hold-out samples, ``n_twin × n_holdout``."""
        return distances(self.twin.points, self.holdout.log)

    @cached_property
    def two_nearest(self) -> Floats:
        """Distances of twin samples to their nearest and second nearest training sample, ``n_twin × 2``.

        Raises
        ------
        NotComputableError
            There are fewer than two training samples.
        """
        if self.train.n_samples < 2:
            raise NotComputableError("needs at least two training samples")
        return np.partition(self.twin_to_train, 1, axis=1)[:, :2]

    # The community benchmark

    @cached_property
    def train_to_train(self) -> Floats:
        """Euclidean distances among (at most 2,000) training samples."""
        return distances(self.train.points, self.train.points)

    @cached_property
    def train_to_twin(self) -> Floats:
        """Euclidean distances from (at most 2,000) training samples to as many of the twin's."""
        return distances(self.train.points, self.twin.points)

    @cached_property
    def paper_edges(self) -> Floats:
        """Co-expression edges of training data and twin above each cut, over 2,000 genes."""
        from .paper.coexpression import edge_counts

        return edge_counts(self.train.variable, self.twin.variable)

    # Differential expression

    @cached_property
    def de(self) -> Agreement:
        """Contrasts of training data and twin, restricted to the pairs of classes that both have."""
        from .biology.contrasts import Agreement

        return Agreement.of(self.train.contrasts, self.twin.contrasts)

    @cached_property
    def replication(self) -> Replication:
        """Contrasts of hold-out, twin and training data."""
        from .biology.contrasts import Replication

        return Replication.of(self.holdout.contrasts, self.twin.contrasts, self.train.contrasts)

    # Pathways

    @cached_property
    def pathways(self) -> PathwayAgreement:
        """Enrichment of gene sets in training data and twin, for the pairs of classes that both have."""
        from .pathways._enrichment import PathwayAgreement

        return PathwayAgreement.of(self.train.enrichment, self.twin.enrichment)

    # Co-expression

    @cached_property
    def modules(self) -> Preservation:
        """What became in the twin of the modules of the training data."""
        from .biology.modules import Preservation

        return Preservation.of(self.space.modules, self.train, self.twin, self.space.rng(5))

    # Survival

    @cached_property
    def survival(self) -> Survival:
        """Times and events of all sides, and what models make of them."""
        from ._survival import Survival

        return Survival(self)

    # Classifiers

    @cached_property
    def attribution(self) -> Attribution:
        """Which genes a classifier relies on, trained on real data and trained on the twin."""
        from .utility.attribution import Attribution

        return Attribution.of(self.train, self.twin)

    @cached_property
    def augmented(self) -> Scores:
        """Class probabilities of the hold-out, trained on training data and twin together."""
        from .utility.augmentation import joined
        from .utility.models import Scores

        return Scores(joined(self.train, self.twin), self.holdout, self.train)

    @cached_property
    def tstr(self) -> Scores:
        """Class probabilities of the hold-out, trained on the twin."""
        from .utility.models import Scores

        return Scores(self.twin, self.holdout, self.train)

    @cached_property
    def trtr(self) -> Scores:
        """Class probabilities of the hold-out, trained on the training data."""
        from .utility.models import Scores

        return Scores(self.train, self.holdout, self.train)

    @cached_property
    def trts(self) -> Scores:
        """Class probabilities of the twin, trained on the training data."""
        from .utility.models import Scores

        return Scores(self.train, self.twin, self.train)

    def field(self, path: str) -> Any:
        """Return a field by its dotted name, such as ``"real.library_size"`` or ``"tstr.top500_logistic"``.

        Raises
        ------
        NotComputableError
            These data do not have it.
        """
        value: Any = self
        for part in path.split("."):
            value = getattr(value, part) if hasattr(value, part) else value[part]
        return value

    def leave_out(self, n_groups: int) -> None:
        """Have differential expression tested without each of ``n_groups`` groups of donors too, for intervals."""
        sides = [self.train, self.twin, *([self._holdout] if self._holdout is not None else [])]
        most = min(n_groups, *(len(np.unique(side.donors)) for side in sides))
        if most < FEWEST_GROUPS:
            return
        for stream, side in enumerate(sides):
            side.groups = deletion_groups(side.donors, side.labels, most, self.space.rng(6, stream))

    def left_out(self, metric: Metric) -> list[tuple[Any, ...]]:
        """Return what ``metric.function`` is called with when one group of donors is left out, group by group.

        Empty where `leave_out` was not asked for, or a class is too small for it.
        """
        root = metric.fields[0].partition(".")[0]
        if any(path.partition(".")[0] != root for path in metric.fields):
            return []
        return [
            tuple(reduce(getattr, path.split(".")[1:], part) for path in metric.fields)
            for part in getattr(self.field(root), "left_out", [])
        ]

    def arguments(self, metric: Metric) -> tuple[Any, ...]:
        """Return what ``metric.function`` is called with.

        Raises
        ------
        NotComputableError
            The data lack what the metric needs; the message says what.
        """
        if "counts" in metric.needs and self.space.kind != "counts":
            raise NotComputableError("needs raw counts; these profiles are continuous")
        if "cells" in metric.needs:
            raise NotComputableError("needs single cells: state the column of the cell types (--cell-type)")
        if "label" in metric.needs and not self.space.has_label:
            raise NotComputableError("needs a label: state the column of the classes")
        if "covariates" in metric.needs:
            if not self.space.covariates:
                raise NotComputableError("no covariate was stated")
            if not len(self.twin.covariates.columns):
                raise NotComputableError("the twin has none of the stated covariates")
        if "survival" in metric.needs and self.space.survival is None:
            raise NotComputableError("needs the columns of time and event: name them with --time and --event")
        if "gene sets" in metric.needs:
            _ = self.space.pathways
        if metric.against in ("holdout", "both"):
            _ = self.holdout
        return tuple(self.field(path) for path in metric.fields)
