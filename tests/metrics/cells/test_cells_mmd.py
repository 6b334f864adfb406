import numpy as np
import pytest

from twinseq.metrics import NotComputableError
from twinseq.metrics.cells import cells_mmd
from twinseq.metrics.cells.kernel import median_distance, mmd_exact, mmd_features


def naive_mmd(a, b):
    def kernel(x, y):
        return np.exp(-0.5 * ((x - y) ** 2).sum())

    within = [np.mean([kernel(x, y) for i, x in enumerate(s) for j, y in enumerate(s) if i != j]) for s in (a, b)]
    return sum(within) - 2 * np.mean([kernel(x, y) for x in a for y in b])


def test_agrees_with_the_naive_sum(rng):
    a, b = rng.normal(size=(23, 3)), rng.normal(size=(17, 3)) + 0.5
    assert mmd_exact(a, b) == pytest.approx(naive_mmd(a, b))


def test_agrees_with_the_closed_form_of_two_normals(rng):
    """With kernel width 1 and unit normals a distance m apart, MMD² = 2 · 3^(−d/2) · (1 − exp(−m² / 6))."""
    a, b = rng.normal(size=(6000, 2)), rng.normal(size=(6000, 2))
    b[:, 0] += 0.8
    expected = 2 / 3 * (1 - np.exp(-(0.8**2) / 6))
    assert cells_mmd(a, b, rng, 1.0) == pytest.approx(expected, rel=0.12)
    assert mmd_exact(a[:3000], b[:3000]) == pytest.approx(expected, rel=0.12)


def test_features_stand_for_every_pair(rng):
    a, b = rng.normal(size=(900, 6)) / 3, rng.normal(size=(700, 6)) / 3 + 0.1
    assert mmd_features(a, b, rng) == pytest.approx(mmd_exact(a, b), rel=0.2)
    same = mmd_features(a, rng.normal(size=(900, 6)) / 3, rng)
    assert abs(same) < 0.1 * mmd_exact(a, b)


def test_the_bandwidth_is_the_median_distance(rng):
    points = rng.normal(size=(60, 3))
    pairs = [np.linalg.norm(points[i] - points[j]) for i in range(60) for j in range(i)]
    assert median_distance(points, rng) == pytest.approx(np.median(pairs))


def test_a_scale_changes_nothing(rng):
    a, b = rng.normal(size=(80, 3)), rng.normal(size=(80, 3)) + 1
    assert cells_mmd(a, b, rng) == pytest.approx(cells_mmd(50 * a, 50 * b, rng))


def test_equal_cells_and_lone_cells_are_refused(rng):
    with pytest.raises(NotComputableError, match="do not differ"):
        cells_mmd(np.ones((9, 2)), rng.normal(size=(9, 2)), rng)
    with pytest.raises(NotComputableError, match="two cells"):
        cells_mmd(np.ones((1, 2)), rng.normal(size=(9, 2)), rng)
