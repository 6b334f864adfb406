"""The benchmark's kernel distance, divergence, closest records and neighbourhoods, against plain numpy."""

import numpy as np
import pytest

from twinseq.arrays import distances
from twinseq.metrics import NotComputableError
from twinseq.metrics.paper.closest import paper_dcr, paper_dcr_base, paper_dcr_relative
from twinseq.metrics.paper.divergence import paper_kl
from twinseq.metrics.paper.kernel import paper_mmd
from twinseq.metrics.paper.neighbours import paper_coverage, paper_density, paper_precision, paper_recall


@pytest.fixture
def cloud(rng):
    def draw(n, shift=0.0):
        return 0.3 * rng.standard_normal((n, 12)) + shift

    return draw


def test_mmd_is_that_of_the_formula(cloud):
    a, b = cloud(9), cloud(7, 0.2)
    k = lambda x, y: np.exp(-np.sum((x - y) ** 2) / 12)  # noqa: E731 - the kernel, as in the formula
    within_a = np.mean([k(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j])
    within_b = np.mean([k(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j])
    between = np.mean([k(x, y) for x in a for y in b])
    assert paper_mmd(a, b) == pytest.approx(within_a + within_b - 2 * between)


def test_mmd_null_and_failure(cloud):
    assert abs(paper_mmd(cloud(200), cloud(200))) < 0.01
    assert paper_mmd(cloud(200), cloud(200, 1.0)) > 0.5
    with pytest.raises(NotComputableError, match="two samples"):
        paper_mmd(cloud(1), cloud(5))


def kl_by_hand(real, twin):
    """Follow the benchmark gene by gene with numpy's histograms."""
    values = []
    for x, y in zip(real.T, twin.T, strict=True):
        edges = np.linspace(min(x.min(), y.min()), max(x.max(), y.max()), 50)
        p, q = (np.histogram(side, edges, density=True)[0] + 1e-10 for side in (x, y))
        p, q = p / p.sum(), q / q.sum()
        values.append(np.sum(p * np.log(p / q)))
    return np.mean(values)


def test_kl_is_that_of_numpys_histograms(rng):
    real = np.log2(rng.poisson(8, (60, 40)) + 1.0)
    twin = np.log2(rng.poisson(9, (50, 40)) + 1.0)
    assert paper_kl(real, twin) == pytest.approx(kl_by_hand(real, twin))
    real, twin = rng.standard_normal((60, 40)), rng.standard_normal((50, 40))
    assert paper_kl(real, twin) == pytest.approx(kl_by_hand(real, twin))
    # Values that sit on the edges.
    grid = np.linspace(0, 1, 50)[:, None].repeat(3, axis=1)
    assert paper_kl(grid, grid[::7]) == pytest.approx(kl_by_hand(grid, grid[::7]))


def test_kl_null_and_failure(rng):
    real, second = rng.standard_normal((20_000, 5)), rng.standard_normal((20_000, 5))
    assert paper_kl(real, second) < 0.02
    assert paper_kl(real, second + 2) > 1
    assert paper_kl(np.ones((4, 3)), np.ones((5, 3))) == 0
    with pytest.raises(NotComputableError, match="samples"):
        paper_kl(real[:0], second)


def test_closest_records_by_hand():
    train = np.array([[0.0, 0.0], [10.0, 0.0]])
    twin = np.array([[3.0, 4.0], [10.0, 1.0]])
    holdout = np.array([[0.0, 2.0]])
    assert paper_dcr(train, twin) == pytest.approx(3.0)
    assert paper_dcr_base(train, holdout) == pytest.approx(2.0)
    assert paper_dcr_relative(train, twin, holdout) == pytest.approx(1.5)


def test_closest_records_null_and_failure(cloud):
    train, holdout = cloud(150), cloud(150)
    assert paper_dcr_relative(train, cloud(150), holdout) == pytest.approx(1.0, abs=0.1)
    assert paper_dcr_relative(train, train[::2], holdout) == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(NotComputableError, match="equals"):
        paper_dcr_relative(np.ones((4, 3)), train[:, :3], np.ones((2, 3)))


def neighbourhoods(train, twin):
    return distances(train, train), distances(twin, twin), distances(train, twin)


def test_neighbourhoods_by_hand():
    train, twin = np.arange(7.0)[:, None], np.array([3.0, 3.2, 3.4, 20.0, 21.0, 22.0])[:, None]
    arguments = neighbourhoods(train, twin)
    # Radii of training samples: 5, 4, 3, 3, 3, 4, 5; of the twin: 19, 18.8, 18.6, 17, 18, 19.
    assert paper_precision(*arguments) == pytest.approx(3 / 6)
    assert paper_recall(*arguments) == 1.0
    assert paper_coverage(*arguments) == 1.0
    assert paper_density(*arguments) == pytest.approx((7 + 7 + 7) / 6 / 5)


def test_neighbourhoods_null_and_failure(cloud):
    null = neighbourhoods(cloud(200), cloud(200))
    far = neighbourhoods(cloud(200), cloud(200, 5.0))
    for figure in (paper_precision, paper_recall, paper_coverage, paper_density):
        assert figure(*null) > 0.8
        assert figure(*far) == 0.0
