"""The starter kit's attacks, kept for comparison, run and show the faults that their texts state."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "starter_kit.py"


@pytest.fixture(autouse=True)
def one_thread():
    """Matrices this small gain nothing from threads, and lose much where cores are few."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def kit():
    spec = importlib.util.spec_from_file_location("starter_kit", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sets():
    """Targets, a twin and a reference: 600 genes, no signal."""
    rng = np.random.default_rng(0)
    return tuple(5 + rng.standard_normal((n, 600)) for n in (20, 30, 35))


def test_every_attack_scores_every_target(kit, sets):
    for name, attack in kit.ATTACKS.items():
        scores = attack(*sets, 0)
        assert scores.shape == (20,), name
        assert not np.isnan(scores).any(), name
        np.testing.assert_array_equal(scores, attack(*sets, 0), err_msg=name)


def test_the_faults_are_there(kit, sets):
    targets, twin, reference = sets
    assert (kit.gan_leaks(*sets, 0) == 0).all()
    assert len(np.unique(kit.gan_leaks_scaled(*sets, 0))) == 20
    assert (kit.monte_carlo(*sets, 0) == 0).mean() >= 0.9
    # Its net sees no reference row: another reference of the same size changes nothing.
    other = reference + np.random.default_rng(1).standard_normal(reference.shape)
    np.testing.assert_array_equal(kit.logan_d1(*sets, 0), kit.logan_d1(targets, twin, other, 0))
