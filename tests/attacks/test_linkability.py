"""A worked value, a twin of other donors (nothing to gain), a twin of copies (caught), and no trace of order."""

import numpy as np
import pytest

from twinseq.attacks._base import NotApplicableError, Samples
from twinseq.attacks.linkability import linkability
from twinseq.datasets import simulate_cohort

NAMES = np.array([f"d{number}" for number in range(1000)])


def plain(values):
    values = np.asarray(values, dtype=np.float64)
    return Samples(values, np.full(len(values), "all"), "continuous")


@pytest.fixture(scope="module")
def world():
    """Targets of one population, half of them members."""
    cohort = simulate_cohort(n_cases=40, n_controls=40, n_genes=200, seed=0)
    members = np.zeros(80, dtype=bool)
    members[np.random.default_rng(0).permutation(80)[:40]] = True
    return Samples(cohort.dense(np.int64), cohort.labels(), "counts"), members


def test_a_worked_value():
    """With two genes each half is one of them: (0, 0) is near one sample by both, (0, 9) near another by each."""
    twin = plain([[0, 0], [10, 10], [20, 20], [30, 30]])
    targets = plain([[0, 0], [9, 12], [0, 9], [22, 29]])
    members = np.array([True, True, False, False])
    nearest, two = linkability(twin, targets, members, NAMES[:4], seed=0, neighbours=(1, 2))
    assert nearest["neighbours"] == 1
    assert (nearest["rate_members"], nearest["rate_nonmembers"], nearest["advantage"]) == (1.0, 0.0, 1.0)
    assert (nearest["n_members"], nearest["n_nonmembers"]) == (2, 2)
    # By two neighbours (0, 9) has 0 and 10 by either gene, and (22, 29) has 20 and 30.
    assert (two["rate_members"], two["rate_nonmembers"]) == (1.0, 1.0)


def naive(twin, targets, halves, k):
    """The definition, target by target."""
    linked = []
    for row in targets:
        near = [set(np.argsort(((twin[:, half] - row[half]) ** 2).sum(axis=1))[:k]) for half in halves]
        linked.append(bool(near[0] & near[1]))
    return np.array(linked)


@pytest.mark.parametrize("k", [1, 5])
def test_against_the_definition(k):
    """Two genes leave one split, so that the definition can be followed target by target."""
    rng = np.random.default_rng(0)
    twin, targets = rng.standard_normal((30, 2)), rng.standard_normal((40, 2))
    expected = naive((twin - twin.mean(0)) / twin.std(0), (targets - twin.mean(0)) / twin.std(0), ([0], [1]), k)
    members = np.arange(40) < 20
    (result,) = linkability(plain(twin), plain(targets), members, NAMES[:40], seed=0, neighbours=(k,))
    assert result["rate_members"] == pytest.approx(expected[:20].mean())
    assert result["rate_nonmembers"] == pytest.approx(expected[20:].mean())


def test_a_twin_of_copies_is_caught(world):
    targets, members = world
    rows = np.random.default_rng(1).choice(np.flatnonzero(members), 40)
    results = linkability(targets.subset(rows), targets, members, NAMES[:80], seed=0)
    assert [result["neighbours"] for result in results] == [1, 5, 10]
    assert results[0]["rate_members"] > 0.6
    assert results[0]["advantage_ci"][0] > 0.1


def test_a_twin_of_other_donors_links_nobody_in_particular(world):
    """A 95 % interval may miss now and then."""
    targets, _ = world
    other = simulate_cohort(n_cases=40, n_controls=40, n_genes=200, seed=1)
    twin = Samples(other.dense(np.int64), other.labels(), "counts")
    missed = 0
    for seed in range(30):
        members = np.random.default_rng(seed).permutation(80) < 40
        for result in linkability(twin, targets, members, NAMES[:80], seed=seed, n_splits=2):
            missed += not result["advantage_ci"][0] < 0 < result["advantage_ci"][1]
    assert missed <= 8


def test_order_does_not_matter(world):
    targets, members = world
    rng = np.random.default_rng(2)
    rows, samples, genes = rng.permutation(80), rng.permutation(40), rng.permutation(200)
    twin = targets.subset(np.arange(0, 80, 2))
    results = linkability(twin, targets, members, NAMES[:80], seed=0)
    turned = linkability(
        twin.subset(samples).genes(genes),
        targets.subset(rows).genes(genes),
        members[rows],
        NAMES[:80][rows],
        seed=0,
    )
    assert turned == results


def test_the_splits_follow_the_seed(world):
    targets, members = world
    twin = targets.subset(np.arange(0, 80, 2))
    same, again, other = (linkability(twin, targets, members, NAMES[:80], seed=seed, n_splits=1) for seed in (0, 0, 1))
    assert same == again != other


def test_what_cannot_be_linked(world):
    targets, members = world
    with pytest.raises(NotApplicableError, match="fewer than two genes"):
        linkability(plain([[0, 1], [0, 2]]), plain([[0, 1]]), np.array([True]), NAMES[:1], seed=0)
    with pytest.raises(NotApplicableError, match="too few"):
        linkability(targets.subset(np.arange(5)), targets, members, NAMES[:80], seed=0, neighbours=(5,))
    with pytest.raises(NotApplicableError, match="no member"):
        linkability(targets, targets, np.zeros(80, dtype=bool), NAMES[:80], seed=0)
