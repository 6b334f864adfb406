from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from twinseq import datasets
from twinseq.errors import CohortError, ConfigError
from twinseq.splits import apportion, fold_rows, split_rows

FRACTIONS = st.sampled_from([(0.6, 0.2, 0.2), (0.5, 0.5), (0.8, 0.2), (0.7,), (0.3, 0.3), (0.4, 0.1), (0.25,) * 4])
SEEDS = st.integers(0, 2**32)


@st.composite
def cohorts(draw, least=4, paired=False):
    """Donors with one to three samples each, of one class unless ``paired``."""
    sizes = draw(st.lists(st.integers(least, 40), min_size=1, max_size=4))
    donors, labels = [], []
    for number, size in enumerate(sizes):
        for member in range(size):
            for _ in range(draw(st.integers(1, 3))):
                donors.append(f"d{number}-{member}")
                labels.append(f"class{draw(st.integers(0, len(sizes) - 1)) if paired else number}")
    order = draw(st.permutations(range(len(donors))))
    return np.array(donors)[list(order)], np.array(labels)[list(order)]


def attempt(donors, labels, fractions, seed):
    try:
        return split_rows(donors, labels, fractions, seed)
    except CohortError:
        assume(False)


@given(cohorts(), FRACTIONS, SEEDS)
@settings(max_examples=60, deadline=None)
def test_no_donor_lands_in_two_parts_and_shares_hold_within_one_donor(cohort, fractions, seed):
    donors, labels = cohort
    parts = attempt(donors, labels, fractions, seed)
    seen = Counter(donor for part in parts for donor in set(donors[part]))
    assert max(seen.values()) == 1
    if sum(fractions) == 1:
        assert len(seen) == len(set(donors))
    for part, fraction in zip(parts, fractions, strict=True):
        assert (np.diff(part) > 0).all()
        for name in set(labels):
            expected = fraction * len(set(donors[labels == name]))
            assert abs(len(set(donors[part][labels[part] == name])) - expected) < 1
        # A donor's samples stay together.
        assert np.isin(donors, donors[part]).sum() == len(part)


@given(cohorts(paired=True), FRACTIONS, SEEDS)
@settings(max_examples=60, deadline=None)
def test_pairs_stay_whole(cohort, fractions, seed):
    donors, labels = cohort
    parts = attempt(donors, labels, fractions, seed)
    assert max(Counter(donor for part in parts for donor in set(donors[part])).values()) == 1
    kinds = {donor: tuple(sorted(set(labels[donors == donor]))) for donor in set(donors)}
    for kind, total in Counter(kinds.values()).items():
        for part, fraction in zip(parts, fractions, strict=True):
            assert abs(sum(kinds[donor] == kind for donor in set(donors[part])) - fraction * total) < 1


@given(cohorts(), FRACTIONS, SEEDS, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_same_seed_gives_the_same_donors_in_whatever_order_they_come(cohort, fractions, seed, random):
    donors, labels = cohort
    parts = attempt(donors, labels, fractions, seed)
    for one, other in zip(parts, split_rows(donors, labels, fractions, seed), strict=True):
        np.testing.assert_array_equal(one, other)
    order = np.array(random.sample(range(len(donors)), len(donors)))
    for one, other in zip(parts, split_rows(donors[order], labels[order], fractions, seed), strict=True):
        assert set(donors[one]) == set(donors[order][other])


@given(st.integers(3, 60), SEEDS)
@settings(max_examples=30, deadline=None)
def test_every_part_gets_every_class_where_donors_suffice(size, seed):
    donors = np.array([f"d{number}" for number in range(2 * size)])
    labels = np.repeat(["a", "b"], size)
    for part in split_rows(donors, labels, (0.6, 0.2, 0.2), seed):
        assert set(labels[part]) == {"a", "b"}


def test_many_small_strata_even_out():
    # Each donor has a combination of classes of its own, so each stratum is one donor.
    donors = np.repeat([f"d{number}" for number in range(31)], 5)
    labels = np.array([f"class{bit}" if number >> bit & 1 else "all" for number in range(31) for bit in range(5)])
    parts = split_rows(donors, labels, (0.5, 0.3), seed=0)
    assert [len(set(donors[part])) for part in parts] == pytest.approx([15.5, 9.3], abs=2)


def test_seeds_differ():
    donors = np.array([f"d{number}" for number in range(40)])
    labels = np.repeat(["a", "b"], 20)
    firsts = {tuple(split_rows(donors, labels, (0.5, 0.5), seed)[0]) for seed in range(10)}
    assert len(firsts) == 10


@pytest.mark.parametrize("fractions", [(), (0.5, 0.6), (0.5, 0), (0.5, -0.1), (float("nan"),), (float("inf"),)])
def test_impossible_fractions_are_refused(fractions):
    donors = np.array(["a", "b", "c", "d"])
    with pytest.raises(ConfigError, match="positive and add up to at most 1"):
        split_rows(donors, donors, fractions, 0)


def test_a_class_with_too_few_donors_is_named():
    donors = np.array(["a", "a", "b", "b", "c", "d", "e", "f"])
    labels = np.array(["rare"] * 4 + ["common"] * 4)
    with pytest.raises(CohortError, match=r"^c\.h5ad: class 'rare' has 2 donor\(s\), too few for part 3 of 3.*merge"):
        split_rows(donors, labels, (0.6, 0.2, 0.2), 0, source="c.h5ad")
    with pytest.raises(CohortError, match=r"class 'rare' has 2 donor\(s\), too few for 3 folds"):
        fold_rows(donors, labels, 3, 0)


def test_a_negative_seed_is_refused():
    donors, labels = np.array(["a", "b"]), np.array(["x", "x"])
    with pytest.raises(ConfigError, match="seed must be a whole number"):
        split_rows(donors, labels, (0.5, 0.5), -1)
    with pytest.raises(ConfigError, match="seed must be a whole number"):
        fold_rows(donors, labels, 2, -1)


@given(cohorts(least=5), st.integers(2, 5), SEEDS)
@settings(max_examples=40, deadline=None)
def test_folds_part_the_donors_evenly_in_each_class(cohort, k, seed):
    donors, labels = cohort
    folds = fold_rows(donors, labels, k, seed)
    np.testing.assert_array_equal(np.sort(np.concatenate(folds)), np.arange(len(donors)))
    assert max(Counter(donor for fold in folds for donor in set(donors[fold])).values()) == 1
    for name in set(labels):
        sizes = [len(set(donors[fold][labels[fold] == name])) for fold in folds]
        assert max(sizes) - min(sizes) <= 1


def test_one_fold_is_none():
    with pytest.raises(ConfigError, match="At least 2 folds"):
        fold_rows(np.array(["a", "b"]), np.array(["x", "x"]), 1, 0)


def test_cohorts_split_with_their_roles():
    cohort = datasets.simulate_cohort(10, 15, 50, samples_per_donor=2)
    train, holdout, reference = cohort.split(seed=3)
    assert [part.n_samples for part in (train, holdout, reference)] == [30, 10, 10]
    assert train.roles() == cohort.roles()
    assert not set(train.donors()) & set(holdout.donors())
    np.testing.assert_array_equal(train.adata.X, cohort.adata[train.adata.obs_names].X)
    tested = [test.n_samples for _, test in cohort.folds(5, seed=1)]
    assert tested == [10] * 5
    for rest, test in cohort.folds(5, seed=1):
        assert rest.n_samples == 40
        assert not set(rest.donors()) & set(test.donors())


def test_cells_split_by_donor_where_no_label_is_stated():
    cells = datasets.simulate_cells(5, 5, 30, cells_per_donor=10)
    cells = cells.with_adata(cells.adata, label=None)
    first, second = cells.split((0.5, 0.5))
    assert len(set(first.donors())) == len(set(second.donors())) == 5
    assert not set(first.donors()) & set(second.donors())


@given(st.integers(0, 500), st.lists(st.floats(0.01, 10), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_apportioning_keeps_the_total_and_each_share(total, weights):
    sizes = apportion(total, np.array(weights))
    assert sizes.sum() == total
    np.testing.assert_array_less(np.abs(sizes - total * np.array(weights) / sum(weights)), 1 + 1e-6)


def test_apportioning_by_hand():
    assert apportion(10, np.array([1, 1, 1])).tolist() == [4, 3, 3]
    assert apportion(3, np.array([0.5, 0.3, 0.2])).tolist() == [1, 1, 1]
    assert apportion(7, np.array([0.9, 0.1])).tolist() == [6, 1]
