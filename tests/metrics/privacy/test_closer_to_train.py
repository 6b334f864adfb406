"""Nearer to training than to unseen samples."""

import numpy as np
import pytest

from twinseq.arrays import distances
from twinseq.metrics import NotComputableError
from twinseq.metrics.privacy.closer_to_train import closer_to_train_share, closer_to_train_z


def draw(rng, n):
    return rng.standard_normal((n, 30))


def both(twin, train, holdout, rng):
    labels = [np.repeat(["a", "b"], len(x) // 2) for x in (train, holdout)]
    arguments = distances(twin, train), distances(twin, holdout), *labels, rng
    return closer_to_train_share(*arguments), closer_to_train_z(*arguments)


def test_worked_by_hand(rng):
    to_train = np.array([[1.0], [1.0], [5.0], [2.0]])
    to_holdout = np.array([[2.0], [1.0], [2.0], [3.0]])
    one = np.array(["a"])
    assert closer_to_train_share(to_train, to_holdout, one, one, rng) == pytest.approx((1 + 0.5 + 0 + 1) / 4)


def test_null_a_second_draw_is_within_chance(rng):
    shares, scores = zip(*[both(draw(rng, 40), draw(rng, 40), draw(rng, 40), rng) for _ in range(40)], strict=True)
    assert np.mean(shares) == pytest.approx(0.5, abs=0.08)
    assert np.abs(scores).max() < 3.5
    assert abs(np.mean(scores)) < 1.2


def test_failure_a_smoothed_copy_is_caught(rng):
    train, holdout = draw(rng, 40), draw(rng, 40)
    share, z = both(train + 0.5 * draw(rng, 40), train, holdout, rng)
    assert share > 0.9
    assert z > 4


def test_no_room_for_chance_is_said(rng):
    labels = np.array(["a", "a"])
    with pytest.raises(NotComputableError):
        closer_to_train_z(np.ones((3, 2)), np.ones((3, 2)), labels, labels, rng)
