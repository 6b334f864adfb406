"""Time and memory of the flagship: seconds on a laptop, linear in genes and samples."""

import time
import tracemalloc
from collections.abc import Callable

import pytest

from twinseq.cohort import Cohort
from twinseq.datasets import simulate_cohort
from twinseq.generators import create

pytestmark = pytest.mark.slow


def twin(cohort: Cohort) -> Cohort:
    return create("copula", preset="faithful").fit(cohort).sample(seed=1)


def fastest(work: Callable[[], object], repeats: int = 3) -> float:
    """Return the least processor time in seconds: what others do on the machine does not count."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def peak(work: Callable[[], object]) -> float:
    """Return the largest memory held by arrays, in megabytes."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def test_the_default_cohort():
    cohort = simulate_cohort(seed=0)
    assert cohort.adata.shape == (136, 27_000)
    assert fastest(lambda: twin(cohort)) < 3.0
    assert peak(lambda: twin(cohort)) < 500


def test_linear_in_genes_and_samples():
    base = simulate_cohort(60, 60, 5_000, seed=0)
    genes, samples = simulate_cohort(60, 60, 20_000, seed=0), simulate_cohort(240, 240, 5_000, seed=0)
    unit = fastest(lambda: twin(base))
    for larger in (genes, samples):
        assert fastest(lambda larger=larger: twin(larger)) < 8 * unit
        assert peak(lambda larger=larger: twin(larger)) < 5 * peak(lambda: twin(base))
