import numpy as np
import pytest

from twinseq.metrics import NotComputableError
from twinseq.metrics.cells import lisi
from twinseq.metrics.cells._nearest import nearest_others
from twinseq.metrics.cells.mixing import neighbourhood_weights


def naive_lisi(points, side, neighbours, perplexity):
    """The definition, a cell at a time: weights exp(-beta d) of the wanted entropy, found by bisection."""
    indices = []
    for row, point in enumerate(points):
        distance = np.sqrt(((points - point) ** 2).sum(axis=1))
        distance[row] = np.inf
        nearest = np.argsort(distance, kind="stable")[:neighbours]
        d = distance[nearest]
        low, high = 0.0, 1e6
        for _ in range(200):
            beta = (low + high) / 2
            p = np.exp(-beta * (d - d.min()))
            p /= p.sum()
            if -(p[p > 0] * np.log(p[p > 0])).sum() > np.log(perplexity):
                low = beta
            else:
                high = beta
        shares = [p[side[nearest] == name].sum() for name in (0, 1)]
        indices.append(1 / sum(share**2 for share in shares))
    return np.median(indices) - 1


@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_agrees_with_the_naive_index(rng, shift):
    real, twin = rng.normal(size=(120, 4)), rng.normal(size=(120, 4)) + shift
    expected = naive_lisi(np.vstack([real, twin]), np.repeat([0, 1], 120), 90, 30)
    assert lisi(real, twin, rng) == pytest.approx(expected, abs=1e-6)


def test_two_draws_mix_and_two_clouds_do_not(rng):
    real = rng.normal(size=(1500, 5))
    # A neighbourhood of 30 cells is rarely exactly half and half, so that even a perfect mix stays below 1.
    assert 0.9 < lisi(real, rng.normal(size=(1500, 5)), rng) < 0.98
    assert lisi(real, rng.normal(size=(1500, 5)) + 20, rng) < 0.01


def test_sides_of_different_size_are_not_punished(rng):
    real, few = rng.normal(size=(3000, 5)), rng.normal(size=(500, 5))
    assert lisi(real, few, rng) == pytest.approx(lisi(real[:500], few, rng), abs=0.03)


def test_a_sample_of_cells_stands_for_all(rng):
    real, twin = rng.normal(size=(1500, 3)), rng.normal(size=(1500, 3)) + 0.7
    assert lisi(real, twin, rng, queries=800) == pytest.approx(lisi(real, twin, rng), abs=0.05)


def test_weights_have_the_wanted_perplexity(rng):
    weights = neighbourhood_weights(np.sort(rng.gamma(3, size=(50, 90)), axis=1) * 1e4, 30)
    entropy = -(weights * np.log(weights)).sum(axis=1)
    assert np.allclose(np.exp(entropy), 30, rtol=1e-6)
    assert np.allclose(weights.sum(axis=1), 1)


def test_cells_on_one_place_weigh_alike():
    assert np.allclose(neighbourhood_weights(np.zeros((2, 90)), 30), 1 / 90)


def test_a_cell_is_not_its_own_neighbour_even_among_copies(rng):
    points = np.repeat(rng.normal(size=(5, 3)), 8, axis=0)
    neighbour, distance = nearest_others(points, 6)
    assert (neighbour != np.arange(40)[:, None]).all()
    assert np.allclose(distance, 0, atol=1e-6)


def test_too_few_cells_are_refused(rng):
    with pytest.raises(NotComputableError, match="45 cells"):
        lisi(rng.normal(size=(400, 3)), rng.normal(size=(45, 3)), rng)
