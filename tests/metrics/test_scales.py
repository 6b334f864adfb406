"""A twin on another scale is recognised, and a poor twin on the right scale is not taken for one."""

import re

import numpy as np
import pytest

import twinseq as ts
from twinseq.metrics._scales import other_continuous_scale, other_count_scale
from twinseq.transforms import log_cpm


@pytest.fixture(scope="module")
def counts():
    return ts.datasets.simulate_cohort(n_cases=12, n_controls=12, n_genes=800, seed=0).dense(np.int64)


@pytest.fixture(scope="module")
def twin(counts):
    """Counts of further donors."""
    return ts.datasets.simulate_cohort(n_cases=12, n_controls=12, n_genes=800, seed=1).dense(np.int64)


def of_values(twin, train):
    return other_continuous_scale(twin.mean(axis=0), twin.std(axis=0), train.mean(axis=0), train.std(axis=0))


def of_counts(twin, train):
    return other_count_scale(twin.mean(axis=0), twin.sum(axis=1) * 1.0, train.mean(axis=0), train.sum(axis=1) * 1.0)


def per_million(counts):
    return counts * (1e6 / counts.sum(axis=1, keepdims=True))


def standardised(values):
    spread = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def log2(counts):
    return np.log2(counts + 1)


SCALES = {
    "natural logarithms where .* log2": (lambda x: log_cpm(x) * np.log(2), log_cpm),
    "log2 where .* natural logarithms": (log_cpm, lambda x: log_cpm(x) * np.log(2)),
    "log10 where .* log2": (lambda x: log_cpm(x) * np.log10(2), log_cpm),
    "unlogged where .* logarithms": (per_million, log_cpm),
    "unlogged where .*look like logarithms": (lambda x: x * 1.0, log2),
    "logarithms where .* unlogged": (log_cpm, per_million),
    "standardised gene by gene": (lambda x: standardised(log_cpm(x)), log_cpm),
    "not standardised": (log_cpm, lambda x: standardised(log_cpm(x))),
    "above those .* VST": (lambda x: log_cpm(x) + 5, log_cpm),
    "average": (lambda x: x * 30.0, lambda x: x * 1.0),
}


@pytest.mark.parametrize("words", SCALES)
def test_values_on_another_scale_are_recognised(counts, twin, words):
    change, keep = SCALES[words]
    told = of_values(change(twin), keep(counts))
    assert told is not None
    assert re.search(words, told), told


def test_counts_on_another_scale_are_recognised(counts, twin):
    assert "look like counts per million" in of_counts(np.rint(per_million(twin) / 20).astype(int) * 20, counts * 40)
    assert "library sizes of about" in of_counts(twin, counts * 20)
    assert "library sizes of about" in of_counts(twin * 20, counts)
    assert "rounded logarithms" in of_counts(np.rint(log2(twin)).astype(int), counts)
    assert of_counts(twin * 5, counts) is None


def poor(values, rng):
    """Twins that are worth nothing, and yet on the scale of the training data."""
    centre, spread = values.mean(axis=0), values.std(axis=0)
    error = spread / np.sqrt(len(values))
    noise = rng.standard_normal(values.shape[1])
    yield "as it is", values
    yield "mean profile", centre + 0.1 * spread * rng.standard_normal(values.shape)
    yield "scrambled genes", values[:, rng.permutation(values.shape[1])]
    yield "outliers", np.where(rng.random(values.shape) < 0.02, values + 6 * spread, values)
    for size in (2, 15, 200):
        yield f"means {size} standard errors off", values + size * error * noise
    yield "noise ten deviations wide", values + 10 * spread * rng.standard_normal(values.shape)
    yield "flattened", centre.mean() + 0.7 * (values - centre.mean())
    yield "all genes alike", np.full_like(values, centre.mean())
    yield "half a unit up", values + 0.5


@pytest.mark.parametrize("scale", [log_cpm, log2, lambda x: standardised(log_cpm(x)), lambda x: x * 1.0])
def test_a_poor_twin_is_not_on_another_scale(counts, twin, scale):
    for name, bad in poor(scale(twin), np.random.default_rng(0)):
        assert of_values(bad, scale(counts)) is None, name


def test_a_poor_twin_of_counts_is_not_on_another_scale(counts, twin):
    rng = np.random.default_rng(0)
    totals = counts.sum(axis=1, keepdims=True)
    profile = counts.sum(axis=0) / counts.sum()
    noisy = np.maximum(np.rint(twin + rng.normal(0, 5 * twin.mean(), twin.shape)), 0).astype(int)
    scrambled = twin[:, rng.permutation(twin.shape[1])]
    for bad in (
        rng.poisson(totals * profile),
        scrambled,
        scrambled * 50,
        noisy,
        np.where(rng.random(twin.shape) < 0.02, 60 * twin, twin),
    ):
        assert of_counts(bad, counts) is None


def test_constant_and_few_genes_are_no_trouble(counts, twin):
    values = log_cpm(counts)
    assert of_values(np.zeros_like(values), np.zeros_like(values)) is None
    assert of_values(values[:, :3], values[:, :3]) is None
    assert of_values(values[:, :1], values[:, :1]) is None
