"""Distances to the closest record."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from twinseq.arrays import distances
from twinseq.metrics import NotComputableError
from twinseq.metrics.privacy.nearest import dcr_median, dcr_p5_ratio, equal_subsets, nndr_p5


def labels(n: int) -> np.ndarray:
    return np.repeat(["a", "b"], n // 2)


def draw(rng, n):
    return rng.standard_normal((n, 30))


@pytest.mark.real
def test_distances_are_those_of_the_community_benchmark(reference_dir: Path):
    folder = reference_dir / "paper_metrics"
    train, test, twin = (
        pd.read_csv(folder / f"{name}.csv.gz").iloc[:, 1:].to_numpy() for name in ("train", "test", "synthetic")
    )
    expected = json.loads((folder / "expected.json").read_text())
    assert distances(twin, train).min(axis=1).mean() == pytest.approx(expected["dcr_mean"], abs=1e-3)
    assert distances(test, train).min(axis=1).mean() == pytest.approx(expected["dcr_base"], abs=1e-3)


def test_worked_by_hand():
    nearest = np.array([[1.0, 2.0], [4.0, 5.0], [3.0, 3.0]])
    assert dcr_median(nearest) == 3.0
    assert nndr_p5(nearest) == pytest.approx(np.percentile([0.5, 0.8, 1.0], 5))
    assert nndr_p5(np.zeros((4, 2))) == 0.0


def test_subsets_have_equal_numbers_of_each_class(rng):
    mine, others = np.array(["a"] * 9 + ["b"] * 3), np.array(["a"] * 4 + ["b"] * 5 + ["c"])
    rows, other_rows = equal_subsets(mine, others, rng)
    assert sorted(mine[rows]) == sorted(others[other_rows]) == ["a"] * 4 + ["b"] * 3
    with pytest.raises(NotComputableError):
        equal_subsets(mine, np.array(["z"]), rng)


def test_null_a_second_draw_is_as_far_from_both(rng):
    train, holdout, twin = draw(rng, 80), draw(rng, 40), draw(rng, 80)
    ratio = dcr_p5_ratio(distances(twin, train), distances(twin, holdout), labels(80), labels(40), rng)
    assert ratio == pytest.approx(1.0, abs=0.05)
    assert nndr_p5(np.sort(distances(twin, train), axis=1)[:, :2]) > 0.8


def test_failure_a_few_copies_among_many_are_caught(rng):
    # As few as one in eight: an average over subsets would hardly move.
    train, holdout = draw(rng, 80), draw(rng, 80)
    twin = np.vstack([train[:10] + 0.01 * draw(rng, 10), draw(rng, 70)])
    ratio = dcr_p5_ratio(distances(twin, train), distances(twin, holdout), labels(80), labels(80), rng)
    assert ratio < 0.2
    assert nndr_p5(np.sort(distances(twin, train), axis=1)[:, :2]) < 0.05
    assert dcr_median(np.sort(distances(train, train), axis=1)[:, :2]) == 0.0


def test_a_twin_of_the_holdout_is_said(rng):
    train, holdout = draw(rng, 20), draw(rng, 20)
    with pytest.raises(NotComputableError, match="equals hold-out"):
        dcr_p5_ratio(distances(holdout, train), distances(holdout, holdout), labels(20), labels(20), rng)
