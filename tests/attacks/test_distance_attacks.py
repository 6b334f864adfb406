"""`nearest_distance`, `mc` and `gan_leaks_calibrated`: loops over pairs, and copies that they must catch."""

import numpy as np
import pytest
from planted_donors import continuous, leaky, like, naive_standard, rows, together, world

from twinseq.attacks import View, get
from twinseq.attacks.roc import auc, tie_fraction


def pairwise(first, second):
    return np.array([[np.sqrt(sum((x - y) ** 2)) for y in second] for x in first])


def test_nearest_distance_by_hand():
    """Genes have deviations 1 and 2 within the twin: the target is 3 and 4 deviations from the nearest sample."""
    twin = continuous(np.array([[-1, -2], [-1, 2], [1, -2], [1, 2]]) * np.sqrt(3 / 4))
    target = continuous([[3 + np.sqrt(3 / 4), 8 + np.sqrt(3)]])
    score = get("nearest_distance").score(View("T0", twin, target))
    np.testing.assert_allclose(score, [-np.log(5)])


def test_nearest_distance_against_loops(held):
    twin, targets, _ = naive_standard(held, "T0")
    expected = -np.log(pairwise(targets, twin).min(axis=1))
    np.testing.assert_allclose(get("nearest_distance").score(held.at("T0")), expected, rtol=1e-9)


def test_gan_leaks_against_loops(held):
    twin, targets, reference = naive_standard(held)
    expected = np.log(pairwise(targets, reference).min(axis=1) / pairwise(targets, twin).min(axis=1))
    np.testing.assert_allclose(get("gan_leaks_calibrated").score(held), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("setting", "quantile"), [("median", 0.5), ("10th percentile", 0.1)])
def test_mc_against_loops(held, setting, quantile):
    twin, targets, _ = naive_standard(held, "T0")
    among = pairwise(twin, twin)
    np.fill_diagonal(among, np.inf)
    radius = np.quantile(among.min(axis=1), quantile)
    soft = 1 / (1 + np.exp(-(radius - pairwise(targets, twin)) / (0.05 * radius)))
    np.testing.assert_allclose(get("mc").score(held.at("T0"), setting), np.log(soft.mean(axis=1)), rtol=1e-9)


@pytest.mark.parametrize("kind", ["continuous", "counts"])
def test_copies_are_caught_and_do_not_tie(kind):
    """In few genes, most copied donors are each other's nearest neighbours."""
    for n_genes in (8, 160):
        donors = world(kind, 50, n_genes)
        for name, level in (("nearest_distance", "T0"), ("gan_leaks_calibrated", "T1")):
            assert donors.auc(donors.members, name, level=level) == 1.0
            scores = get(name).score(donors.view(donors.members).at(level))
            assert tie_fraction(scores) < 0.05
            assert scores[: len(donors.members)].min() > scores[len(donors.members) :].max() + 10


def test_a_resampled_twin_does_not_void_the_attack():
    """Two thirds of the members are in it, some of them several times."""
    donors = world()
    drawn = np.random.default_rng(0).integers(0, 100, 100)
    view = donors.view(rows(donors.members, drawn), "T0")
    scores = get("nearest_distance").score(view)
    assert tie_fraction(scores) == 0
    chosen = np.unique(drawn)
    assert auc(scores[chosen], np.delete(scores, chosen)) == 1.0


def test_a_crowd_around_members_is_caught_by_counting():
    donors = world()
    rng = np.random.default_rng(0)
    crowd = together(*[donors.members] * 4)
    spread = donors.members.values.std(axis=0)
    twin = like(crowd, crowd.values + 0.3 * spread * rng.normal(size=crowd.values.shape))
    for setting in ("median", "10th percentile"):
        assert donors.auc(twin, "mc", setting, "T0") > 0.95
    assert donors.auc(twin, "gan_leaks_calibrated") > 0.99


def test_distances_far_beyond_the_underflow_of_a_density_still_tell():
    """exp(−d²) would be 0 for everybody here."""
    donors = world(per_class=20, n_genes=2000)
    scores = get("nearest_distance").score(donors.view(leaky(donors.members), "T0"))
    assert scores.max() < -np.log(np.sqrt(745))
    assert tie_fraction(scores) == 0
    assert tie_fraction(get("mc").score(donors.view(leaky(donors.members), "T0"), "median")) == 0


def test_a_twin_of_one_repeated_sample_in_each_class_has_a_ball_all_the_same():
    twin = continuous(np.repeat([[0.0, 0.0], [0.0, 1.0], [4.0, 0.0]], 5, axis=0))
    scores = get("mc").score(View("T0", twin, continuous([[0.0, 0.5], [9.0, 9.0]])), "median")
    assert scores[0] > scores[1]
