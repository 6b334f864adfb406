"""Replication in unseen patients."""

import numpy as np
import pytest

from twinseq.metrics import NotComputableError
from twinseq.metrics.biology.replication import de_replication, lfc_pearson_holdout, lfc_replication


@pytest.fixture
def truth(rng):
    return rng.standard_normal((5000, 1))


def noisy(truth, rng, noise):
    return truth + noise * rng.standard_normal(truth.shape)


def test_ratios_by_hand():
    holdout, twin, train = (np.zeros((40, 1), dtype=bool) for _ in range(3))
    holdout[:10] = True
    train[:10] = True
    train[10:20] = True
    twin[:5] = True
    # Jaccard 5 / 10 for the twin, 10 / 20 for the training data.
    assert de_replication(holdout, twin, train) == pytest.approx(1.0)
    twin[:] = False
    twin[:1] = True
    assert de_replication(holdout, twin, train) == pytest.approx(0.2)


def test_null_a_second_draw_replicates_as_well_as_training(truth, rng):
    holdout, twin, train = (noisy(truth, rng, 1.0) for _ in range(3))
    assert lfc_replication(holdout, twin, train) == pytest.approx(1.0, abs=0.1)
    assert lfc_pearson_holdout(holdout, twin) == pytest.approx(0.5, abs=0.05)


def test_failure_a_noisy_twin_replicates_worse(truth, rng):
    holdout, train = noisy(truth, rng, 0.5), noisy(truth, rng, 0.5)
    assert lfc_replication(holdout, noisy(truth, rng, 3.0), train) < 0.5


def test_nothing_to_replicate_is_said(rng):
    holdout, twin, train = (rng.standard_normal((500, 1)) for _ in range(3))
    with pytest.raises(NotComputableError, match="hardly agree"):
        lfc_replication(holdout, twin, -holdout)
    with pytest.raises(NotComputableError, match="share no"):
        de_replication(holdout > 1, twin > 1, holdout < -1)
    del train
