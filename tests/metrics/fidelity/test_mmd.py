"""Kernel and energy distances."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import energy_distance

from twinseq.metrics import NotComputableError
from twinseq.metrics.fidelity.mmd import energy, mmd


def three(a, b):
    return cdist(a, a), cdist(b, b), cdist(a, b)


def test_mmd_is_the_naive_double_sum(rng):
    a, b = rng.standard_normal((7, 3)), rng.standard_normal((5, 3)) + 0.5
    width = 1.7

    def kernel(x, y):
        return np.exp(-((x - y) ** 2).sum() / (2 * width**2))

    within = [np.mean([kernel(x[i], x[j]) for i in range(len(x)) for j in range(len(x)) if i != j]) for x in (a, b)]
    naive = sum(within) - 2 * np.mean([kernel(x, y) for x in a for y in b])
    assert mmd(*three(a, b), width) == pytest.approx(naive)


@pytest.mark.real
def test_mmd_is_that_of_the_community_benchmark(reference_dir: Path):
    folder = reference_dir / "paper_metrics"
    tables = [pd.read_csv(folder / f"{name}.csv.gz").iloc[:, 1:].to_numpy() for name in ("train", "synthetic")]
    expected = json.loads((folder / "expected.json").read_text())
    # Their kernel exp(−γ d²) with γ = 1 / n_genes is ours at σ = √(n_genes / 2).
    value = mmd(*three(*tables), np.sqrt(tables[0].shape[1] / 2))
    assert value == pytest.approx(expected["mmd"], rel=1e-6)


def test_energy_is_a_share_of_the_distance_between_the_sides(rng):
    a, b = rng.standard_normal((300, 1)), rng.standard_normal((300, 1)) + 2
    # scipy gives the square root of the biased statistic, in units of distance.
    biased = energy_distance(a[:, 0], b[:, 0]) ** 2 / (2 * cdist(a, b).mean())
    assert energy(*three(a, b)) == pytest.approx(biased, abs=0.01)


def test_null_both_are_centred_at_zero(rng):
    draws = [three(rng.standard_normal((25, 40)), rng.standard_normal((35, 40))) for _ in range(40)]
    for values in ([mmd(*draw, 9.0) for draw in draws], [energy(*draw) for draw in draws]):
        assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))


def test_failure_a_shifted_and_a_collapsed_cloud_are_caught(rng):
    real = rng.standard_normal((30, 40))
    for twin in (rng.standard_normal((30, 40)) + 0.5, 0.2 * rng.standard_normal((30, 40))):
        assert mmd(*three(real, twin), 9.0) > 0.02
        assert energy(*three(real, twin)) > 0.02


def test_too_few_samples_are_said():
    point = np.zeros((1, 2))
    with pytest.raises(NotComputableError):
        mmd(*three(point, point), 1.0)
    with pytest.raises(NotComputableError):
        mmd(*three(np.zeros((3, 2)), np.zeros((3, 2))), 0.0)
    with pytest.raises(NotComputableError):
        energy(*three(np.zeros((3, 2)), np.zeros((3, 2))))
