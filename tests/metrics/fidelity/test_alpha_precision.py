"""α-precision and β-recall."""

import numpy as np
import pytest

from twinseq.metrics import NotComputableError
from twinseq.metrics.fidelity.alpha_precision import LEVELS, alpha_precision, beta_recall


def test_a_twin_far_away_scores_nothing_and_one_in_the_centre_little(rng):
    real = rng.standard_normal((60, 5))
    assert alpha_precision(real, real + 100) == pytest.approx(1 - 2 * LEVELS.mean())
    assert alpha_precision(real, np.tile(real.mean(axis=0), (10, 1))) == pytest.approx(1 - 2 * (1 - LEVELS).mean())


def test_null_a_second_draw_scores_near_one_even_in_many_dimensions(rng):
    # With more genes than samples each sample pulls the mean towards itself.
    for genes in (5, 3000):
        real, twin = rng.standard_normal((150, genes)), rng.standard_normal((150, genes))
        assert alpha_precision(real, twin) > 0.85
        assert beta_recall(real, twin) > 0.85


def test_failure_crowded_and_scattered_twins_are_caught(rng):
    real = rng.standard_normal((150, 20))
    for factor in (0.5, 2.0):
        twin = factor * rng.standard_normal((150, 20))
        assert alpha_precision(real, twin) < 0.2
        assert beta_recall(real, twin) < 0.2


def test_too_few_samples_are_said():
    with pytest.raises(NotComputableError):
        alpha_precision(np.ones((2, 3)), np.ones((5, 3)))
