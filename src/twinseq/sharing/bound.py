r"""What a cohort and a panel allow: how well class means can be kept, at most, at a given exposure.

A twin whose class means are those of the members in :math:`d` independent directions, with noise of :math:`ν` squared
standard errors on top, is traced by a mean attack with a reference of :math:`m` people in a class of :math:`n` members
with an area of

.. math::  Φ\left( \frac{d / n}{\sqrt{2 d (1/n + 1/m + ν/n)}} \right),

as `expected_auc` has it without noise. Noise costs replication: where training data and hold-out agree by :math:`r`,
the share :math:`1 - r` of the variance of fold changes is error already, and :math:`ν` times as much more leaves
:math:`1 / \sqrt{1 + ν (1 - r)}` of the correlation. Turned around: an area fixes the noise that is needed, and so the
replication, the directions or the people it takes. This holds for fold changes that are kept as they are, plus noise;
who knows beforehand which directions matter (a public basis, or few leading directions) does better, with
:math:`d` these directions only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ..cohort import Cohort
from ..forecast.tracing import LEFT_CORRELATION
from ..transforms import log_cpm


@dataclass(frozen=True)
class Room:
    """What decides how much can be had.

    Parameters
    ----------
    members, reference
        People in each class, ``n_classes``.
    directions
        Independent genes that tell as much as the panel does.
    agreement
        Correlation of the fold changes of members and others.
    """

    members: NDArray[np.float64]
    reference: NDArray[np.float64]
    directions: float
    agreement: float

    @classmethod
    def of(cls, members: Cohort, reference: Cohort, agreement: float) -> Room:
        """Return the room that a deal has."""
        names = sorted(set(members.labels().tolist()))
        counts = [np.array([(side.labels() == name).sum() for name in names], float) for side in (members, reference)]
        genes = varying(members)
        return cls(counts[0], counts[1], genes / (1.0 + (genes - 1) * LEFT_CORRELATION**2), agreement)

    def auc(self, noise: float, directions: float | None = None, scale: float = 1.0) -> float:
        """Return the area of mean tracing, members' classes in their proportions.

        Parameters
        ----------
        noise
            On class means, in squared standard errors.
        directions
            In which they are kept; by default all.
        scale
            Times as many people in every class.
        """
        d = self.directions if directions is None else directions
        n, m = scale * self.members, scale * np.maximum(self.reference, 1.0)
        areas = ndtr(np.sqrt(d / n / (2.0 * (1.0 + n / m + noise))))
        return float(areas @ self.members / self.members.sum())

    def noise_for(self, auc: float, directions: float | None = None) -> float:
        """Return the noise, in squared standard errors, at which the area is no larger than ``auc``."""
        if auc <= 0.5:
            return math.inf
        low, high = 0.0, 1e9
        if self.auc(0.0, directions) <= auc:
            return 0.0
        for _ in range(80):
            middle = math.sqrt(max(low, 1e-6) * high)
            low, high = (middle, high) if self.auc(middle, directions) > auc else (low, middle)
        return high

    def replication(self, noise: float) -> float:
        """Return what noise of so many squared standard errors leaves of replication."""
        return 1.0 / math.sqrt(1.0 + noise * (1.0 - self.agreement))

    def best(self, auc: float) -> float:
        """Return the replication of fold changes that are kept as they are, with the noise that ``auc`` asks for."""
        return self.replication(self.noise_for(auc))

    def people_for(self, auc: float, replication: float) -> float:
        """Return how many times as many people would do for both, fold changes kept as they are plus noise."""
        noise = (1.0 / min(replication, 1.0) ** 2 - 1.0) / max(1.0 - self.agreement, 1e-6)
        steps = np.geomspace(1.0, 1e4, 400)
        # More people make the same error of fold changes a larger noise in units of their standard error.
        enough = [scale for scale in steps if self.auc(noise * scale, scale=scale) <= auc]
        return float(enough[0]) if enough else math.inf

    def directions_for(self, auc: float) -> int:
        """Return in how many directions class means can be kept without noise."""
        low, high = 0, max(int(self.directions), 1)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.auc(0.0, middle) <= auc else (low, middle - 1)
        return low


def varying(cohort: Cohort) -> int:
    """Return the number of genes that vary."""
    values = cohort.dense() if cohort.kind == "continuous" else log_cpm(cohort.dense())
    return int((values.std(axis=0) > 1e-9).sum())
