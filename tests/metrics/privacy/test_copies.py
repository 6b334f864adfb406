"""Exact and near copies."""

import numpy as np
import pytest

from twinseq.arrays import distances, row_digests
from twinseq.metrics import NotComputableError
from twinseq.metrics.privacy.copies import exact_copies, near_copies


def isolation(x: np.ndarray) -> np.ndarray:
    return np.sort(distances(x, x), axis=1)[:, 1]


def test_worked_by_hand():
    train, twin = np.array([[1, 2], [3, 4]]), np.array([[3, 4], [3, 5], [3, 4]])
    assert exact_copies(row_digests(twin), row_digests(train)) == 2.0
    line = np.array([[0.0], [10.0], [11.0]])
    # Half way to the neighbour: 5 at 0, but only 0.5 at 10 and 11.
    points = np.array([[4.9], [5.1], [9.6], [11.4], [9.4]])
    assert near_copies(distances(points, line), np.array([10.0, 1.0, 1.0])) == pytest.approx(3 / 5)


def test_null_a_second_draw_has_none(rng):
    train, twin = rng.standard_normal((60, 40)), rng.standard_normal((60, 40))
    assert exact_copies(row_digests(twin), row_digests(train)) == 0.0
    assert near_copies(distances(twin, train), isolation(train)) == 0.0


def test_failure_copies_are_caught_even_of_repeated_samples(rng):
    train = rng.standard_normal((30, 40))
    train[1] = train[0]
    twin = np.vstack([train[:10], train[10:20] + 0.05 * rng.standard_normal((10, 40))])
    assert exact_copies(row_digests(twin), row_digests(train)) == 10.0
    assert near_copies(distances(twin, train), isolation(train)) == 1.0
    with pytest.raises(NotComputableError):
        near_copies(np.ones((3, 1)), np.full(1, np.inf))
