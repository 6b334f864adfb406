"""Copies of a sample in another real set are found, and donors that merely resemble each other are left alone."""

import numpy as np
import pytest

import twinseq as ts
from twinseq.metrics._duplicates import as_points, near_duplicates
from twinseq.transforms import log_cpm

COHORTS = {
    "tb-blood-44": {"label": "group"},
    "tb-blood-75": {"label": "group"},
    "brca-tumour-normal-100": {"label": "sample_type", "donor": "patient", "paired": True},
    "brca-pam50-1172": {"label": "sample_type", "donor": "patient", "paired": True},
    "onek1k-40donors": {"label": "cell_type", "donor": "indiv", "paired": True},
}


def found(first, second, kind="counts", donors=None):
    donors = donors or [
        np.array([f"{side}{row}" for row in range(len(v))]) for side, v in zip("ab", (first, second), strict=True)
    ]
    points = as_points([first, second], donors, kind)
    return {} if points is None else near_duplicates(*points)


@pytest.fixture(scope="module")
def halves():
    counts = ts.datasets.simulate_cohort(n_cases=15, n_controls=15, n_genes=400, seed=0).dense(np.int64)
    return counts[::2], counts[1::2]


def swapped(rows, rng, share=0.01):
    """Give a share of the genes, at least one, the value of another gene."""
    changed = rows.copy()
    n_genes = rows.shape[1]
    for row in changed:
        genes = rng.choice(n_genes, max(1, int(share * n_genes)), replace=False)
        row[genes] = row[rng.choice(n_genes, len(genes))]
    return changed


ALTERED = {
    "one gene changed": lambda x, rng: swapped(x, rng, 0),
    "1 % of genes changed": swapped,
    "sequenced again": lambda x, rng: rng.poisson(x),
    "half the reads": lambda x, rng: rng.binomial(x, 0.5),
    "counts doubled": lambda x, rng: 2 * x,
    "counts times 1.01": lambda x, rng: np.rint(1.01 * x).astype(int),
}
ALTERED_LOGS = {
    "rounded": lambda x, rng: np.round(x, 1),
    "times 1.01": lambda x, rng: 1.01 * x,
    "shifted": lambda x, rng: x + 2.0,
    "a little noise": lambda x, rng: x + 0.1 * x.std(axis=0) * rng.standard_normal(x.shape),
}


@pytest.mark.parametrize("how", ALTERED)
def test_an_altered_copy_of_counts_is_found(halves, how):
    first, second = halves
    copies = ALTERED[how](first[[4, 9]], np.random.default_rng(0))
    assert found(first, np.vstack([second, copies])) == {len(second): 4, len(second) + 1: 9}


@pytest.mark.parametrize("how", ALTERED_LOGS)
def test_an_altered_copy_of_values_is_found(halves, how):
    first, second = (log_cpm(half) for half in halves)
    copies = ALTERED_LOGS[how](first, np.random.default_rng(0))[[4, 9]]
    assert found(first, np.vstack([second, copies]), "continuous") == {len(second): 4, len(second) + 1: 9}


def test_replicates_within_a_set_hide_no_copy(halves):
    rng = np.random.default_rng(0)
    first, second = halves
    twice = np.vstack([first, rng.poisson(first[3])])
    copies = rng.poisson(np.vstack([first[3], first[3]]))
    assert set(found(twice, np.vstack([second, copies]))) == {len(second), len(second) + 1}


def test_a_set_of_copies_only_is_found(halves):
    first, _ = halves
    repeated = np.random.default_rng(0).poisson(first)
    assert found(first, repeated) == {row: row for row in range(len(first))}


def test_other_donors_are_no_copies(halves):
    assert found(*halves) == {}
    assert found(*(log_cpm(half) for half in halves), "continuous") == {}


@pytest.mark.parametrize("n", [3, 10, 60])
@pytest.mark.parametrize("n_genes", [1, 4, 20, 60])
@pytest.mark.parametrize("draw", ["standard_normal", "standard_exponential", "few", "two factors"])
def test_samples_that_are_close_by_chance_are_no_copies(n, n_genes, draw):
    """Few genes, few levels or few dimensions: neighbours are near, and yet not copies."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        if draw == "few":
            values = 1 + rng.poisson(1.0, (2 * n, n_genes))
        elif draw == "two factors":
            values = rng.standard_normal((2 * n, 2)) @ rng.standard_normal((2, n_genes))
        else:
            values = getattr(rng, draw)((2 * n, n_genes))
        assert found(values[:n], values[n:], "counts" if draw == "few" else "continuous") == {}


def test_two_samples_of_a_rare_class_are_no_copies(halves):
    """They are each other's nearest by far, since all others are of another kind."""
    other = ts.datasets.simulate_cohort(n_cases=2, n_controls=2, n_genes=400, seed=1, population_seed=9).dense(np.int64)
    assert found(*(np.vstack([half, row]) for half, row in zip(halves, (other[0], other[1]), strict=True))) == {}


def test_constant_genes_and_too_few_genes_are_no_trouble(halves):
    first, second = (half.copy() for half in halves)
    first[:, :300], second[:, :300] = 7, 7
    assert found(first, second) == {}
    first[:], second[:] = 7, 7
    assert found(first, second) == {}


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("name", COHORTS)
def test_halves_of_real_cohorts(data_dir, name):
    """No false alarm between disjoint donors; a profile with 1 % of its genes altered is caught."""
    folder = data_dir / name
    cells = folder / "cells.h5ad"
    path, obs = (cells, None) if cells.exists() else (folder / "counts.csv.gz", folder / "samples.csv")
    cohort = ts.read(path, obs=obs, kind="counts", **COHORTS[name])
    for seed in range(2):
        rng = np.random.default_rng(seed)
        donors = rng.permutation(np.unique(cohort.donors()))
        mask = np.isin(cohort.donors(), donors[::2])
        first, second = cohort.subset(mask), cohort.subset(~mask)
        counts, others = first.dense(np.int64), second.dense(np.int64)
        both = [first.donors(), second.donors()]
        assert found(counts, others, donors=both) == {}
        assert found(log_cpm(counts), log_cpm(others), "continuous", donors=both) == {}
        copies = swapped(counts[:5], rng)
        both[1] = np.append(both[1], [f"copy {row}" for row in range(5)])
        assert found(counts, np.vstack([others, copies]), donors=both) == {len(others) + row: row for row in range(5)}
