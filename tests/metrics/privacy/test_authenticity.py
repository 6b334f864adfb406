"""New samples, or crowded around training samples."""

import numpy as np
import pytest

from twinseq.arrays import distances
from twinseq.metrics import NotComputableError
from twinseq.metrics.privacy.authenticity import authenticity


def isolation(x: np.ndarray) -> np.ndarray:
    return np.sort(distances(x, x), axis=1)[:, 1]


def test_worked_by_hand():
    train = np.array([[0.0], [10.0], [11.0]])
    # Reach: 10 around 0, 1 around 10 and 11.
    twin = np.array([[-12.0], [-3.0], [12.5], [11.5]])
    assert authenticity(distances(twin, train), isolation(train)) == pytest.approx(0.5)


def test_null_a_second_draw_is_as_authentic_as_real_samples(rng):
    train, twin, holdout = (rng.standard_normal((100, 20)) for _ in range(3))
    real = authenticity(distances(holdout, train), isolation(train))
    assert authenticity(distances(twin, train), isolation(train)) == pytest.approx(real, abs=0.2)
    assert real > 0.4


def test_failure_a_smoothed_copy_is_caught(rng):
    train = rng.standard_normal((100, 20))
    twin = train + 0.2 * rng.standard_normal((100, 20))
    assert authenticity(distances(twin, train), isolation(train)) < 0.05
    with pytest.raises(NotComputableError):
        authenticity(np.ones((3, 1)), np.full(1, np.inf))
