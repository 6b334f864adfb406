"""Agreement of lists of differential genes."""

import numpy as np
import pytest

from twinseq.metrics import NotComputableError
from twinseq.metrics.biology.de_calls import jaccard, precision, recall, sign_agreement


def column(*called: int, n: int = 30) -> np.ndarray:
    flags = np.zeros((n, 1), dtype=bool)
    flags[list(called)] = True
    return flags


def test_worked_by_hand():
    real, twin = column(0, 1, 2, 3), column(2, 3, 4)
    assert recall(real, twin) == pytest.approx(2 / 4)
    assert precision(real, twin) == pytest.approx(2 / 3)
    assert jaccard(real, twin) == pytest.approx(2 / 5)


def test_signs_by_hand():
    called = column(*range(10))
    real_lfc = np.full((30, 1), 2.0)
    twin_lfc = real_lfc.copy()
    twin_lfc[:3] = -2.0
    twin_lfc[20:] = -2.0
    assert sign_agreement(called, called, real_lfc, twin_lfc) == pytest.approx(0.7)


def test_pairs_of_classes_are_averaged_where_defined():
    real = np.hstack([column(0, 1), column(0, 1), column()])
    twin = np.hstack([column(0, 1), column(5), column(3)])
    assert recall(real, twin) == pytest.approx(0.5)
    assert precision(real, twin) == pytest.approx((1 + 0 + 0) / 3)


def test_null_random_lists_overlap_as_chance_has_it(rng):
    real, twin = rng.random((20_000, 1)) < 0.1, rng.random((20_000, 1)) < 0.3
    assert recall(real, twin) == pytest.approx(0.3, abs=0.03)
    assert precision(real, twin) == pytest.approx(0.1, abs=0.02)


def test_failure_nothing_and_everything_called():
    real = column(0, 1, 2)
    assert recall(real, column()) == 0.0
    assert precision(real, column(*range(30))) == pytest.approx(0.1)
    with pytest.raises(NotComputableError, match="in the twin"):
        precision(real, column())
    with pytest.raises(NotComputableError, match="in the real data"):
        recall(column(), real)
    with pytest.raises(NotComputableError, match="ten"):
        sign_agreement(real, real, real * 1.0, real * 1.0)
