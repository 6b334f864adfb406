"""Precision, recall, density, coverage."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from twinseq.metrics import NotComputableError
from twinseq.metrics.fidelity.prdc import NEIGHBOURS, coverage, density, precision, recall


def all_four(real, twin):
    within_real, within_twin, across = cdist(real, real), cdist(twin, twin), cdist(real, twin)
    return (
        precision(within_real, across),
        recall(within_twin, across),
        density(within_real, across),
        coverage(within_real, across),
    )


def naive(real, twin):
    """Spell out the definitions of Naeem et al. 2020, one sample at a time."""
    k = NEIGHBOURS

    def radius(x, i):
        return sorted(np.linalg.norm(x[i] - y) for j, y in enumerate(x) if j != i)[k - 1]

    real_radius = [radius(real, i) for i in range(len(real))]
    twin_radius = [radius(twin, i) for i in range(len(twin))]
    inside = [[np.linalg.norm(x - y) <= r for x, r in zip(real, real_radius, strict=True)] for y in twin]
    reached = [any(np.linalg.norm(x - y) <= r for y, r in zip(twin, twin_radius, strict=True)) for x in real]
    covered = [any(np.linalg.norm(x - y) <= r for y in twin) for x, r in zip(real, real_radius, strict=True)]
    return np.mean([any(row) for row in inside]), np.mean(reached), np.sum(inside) / (k * len(twin)), np.mean(covered)


def test_the_definitions(rng):
    real, twin = rng.standard_normal((20, 3)), 1.3 * rng.standard_normal((15, 3)) + 0.4
    assert all_four(real, twin) == pytest.approx(naive(real, twin))


def test_null_a_second_draw_scores_near_one(rng):
    figures = all_four(rng.standard_normal((200, 4)), rng.standard_normal((200, 4)))
    assert min(figures) > 0.85
    assert figures[2] == pytest.approx(1.0, abs=0.15)


def test_failure_misplaced_and_collapsed_twins_are_caught(rng):
    real = rng.standard_normal((100, 4))
    assert all_four(real, rng.standard_normal((100, 4)) + 20) == (0.0, 0.0, 0.0, 0.0)
    collapsed = all_four(real, 0.05 * rng.standard_normal((100, 4)))
    assert collapsed[1] < 0.1
    assert collapsed[2] > 1.5
    assert collapsed[3] < 0.9


def test_too_few_samples_are_said(rng):
    few = rng.standard_normal((5, 2))
    with pytest.raises(NotComputableError, match="more than 5"):
        precision(cdist(few, few), cdist(few, few))
