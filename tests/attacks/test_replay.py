"""`quantile_replay`: repeats counted value by value, and a generator that gives out training values as they are."""

import numpy as np
import pytest
from planted_donors import calibrate, continuous, leaky, like, replayed, rows, world

from twinseq.attacks import NotApplicableError, Samples, View, get
from twinseq.attacks.quantile_replay import NEIGHBOURS, ROUNDING


def excess(x, twin, counts):
    """Repeats beyond chance of one profile, gene by gene, by lists."""
    hits = expected = variance = 0.0
    for gene in range(len(x)):
        values = sorted(twin[:, gene])
        span = values[-1] - values[0]
        if span == 0:
            continue
        half = 0.5 if counts else ROUNDING * span
        below = [value for value in values if value < x[gene] - half]
        above = [value for value in values if value >= x[gene] + half]
        equal = len(values) - len(below) - len(above)
        near = [*below[-NEIGHBOURS:], *above[:NEIGHBOURS]]
        around = [*near, *[x[gene]] * equal] if counts else [*near, *values[len(below) : len(below) + equal]]
        left, right = min(around), max(around)
        width = max(right - left, x[gene] - left, right - x[gene])
        chance = 1 - np.exp(-(len(near) + 1) / (width + 2 * half) * 2 * half)
        hits, expected, variance = hits + (equal > 0), expected + chance, variance + chance * (1 - chance)
    return (hits - expected) / np.sqrt(1 + variance)


@pytest.mark.parametrize("level", ["T0", "T1"])
@pytest.mark.parametrize("kind", ["wide", "counted"])
def test_replay_against_lists(request, kind, level):
    view = request.getfixturevalue(kind)

    def each(side):
        return np.array(
            [
                excess(x.astype(float), view.twin.values[view.twin.labels == name].astype(float), kind == "counted")
                for x, name in zip(side.values, side.labels, strict=True)
            ]
        )

    expected = each(view.targets)
    if level == "T1":
        expected = calibrate(expected, view, each(view.reference))
    np.testing.assert_allclose(get("quantile_replay").score(view.at(level)), expected, rtol=1e-9, atol=1e-12)


def test_by_hand():
    """One gene with counts 0 to 9 in the twin: 4 is met with chance 1 − exp(−10/10), 100 hardly at all."""
    twin = Samples(np.arange(10)[:, None], np.full(10, "all"), "counts")
    scores = get("quantile_replay").score(
        View("T0", twin, Samples(np.array([[4], [100]]), np.full(2, "all"), "counts"))
    )
    chance = 1 - np.exp(-1)
    far = 1 - np.exp(-6 / 96)
    expected = [(1 - chance) / np.sqrt(1 + chance * (1 - chance)), -far / np.sqrt(1 + far * (1 - far))]
    np.testing.assert_allclose(scores, expected)


def interpolated(donors, seed=0):
    """A twin by inverse empirical distributions: half of its ranks fall on a training value, the others between two."""
    rng = np.random.default_rng(seed)
    values = donors.values.astype(float)
    for name in np.unique(donors.labels):
        mine = np.flatnonzero(donors.labels == name)
        for gene in range(values.shape[1]):
            ordered = np.sort(values[mine, gene])
            place = rng.random(len(mine)) * (len(mine) - 1)
            place = np.where(rng.random(len(mine)) < 0.5, np.rint(place), place)
            values[mine, gene] = np.interp(place, np.arange(len(mine)), ordered)
    return like(donors, np.rint(values).astype(int) if donors.kind == "counts" else values)


@pytest.mark.parametrize("kind", ["continuous", "counts"])
def test_values_given_out_as_they_are_name_members(kind):
    donors = world(kind, 25, 600)
    twin = interpolated(donors.members)
    assert donors.auc(twin, "nearest_distance", level="T0") < 0.75
    for level in ("T0", "T1"):
        assert donors.auc(twin, "quantile_replay", level=level) > {"continuous": 0.999, "counts": 0.8}[kind]


def test_rounding_and_storage_in_single_precision_do_not_hide_repeats():
    donors = world(per_class=20, n_genes=60)
    twin = replayed(donors.members)
    off = twin.values + 1e-10 * np.ptp(twin.values, axis=0)
    assert donors.auc(like(twin, off), "quantile_replay", level="T0") == 1.0
    single = twin.values.astype(np.float32).astype(np.float64)
    targets = like(donors.targets, donors.targets.values.astype(np.float32))
    scores = get("quantile_replay").score(View("T0", like(twin, single), targets))
    assert scores[:40].min() > scores[40:].max()


def test_frequent_counts_say_little():
    """Genes of a few counts repeat by chance; a member's rare values tell more than a non-member's common ones."""
    donors = world("counts", 25, 300)
    scores = get("quantile_replay").score(donors.view(donors.strangers, "T0"))
    assert np.abs(scores.mean()) < 1.5


def test_what_replay_needs():
    donors = world(per_class=20, n_genes=60)
    with pytest.raises(NotApplicableError, match="repeats no value"):
        get("quantile_replay").score(donors.view(donors.strangers, "T0"))
    with pytest.raises(NotApplicableError, match="no sample of class 'b'"):
        get("quantile_replay").score(donors.view(rows(donors.members, np.arange(20)), "T0"))


def test_small_classes_borrow_the_values_of_others():
    donors = world(per_class=20, n_genes=60)
    twin = rows(replayed(donors.members), np.r_[0:20, 20:23])
    scores = get("quantile_replay").score(donors.view(twin, "T0"))
    assert np.isfinite(scores).all()
    assert scores[20:40].mean() > scores[60:].mean() + 1


def test_a_class_without_variation_scores_nothing():
    """Not whatever lay in memory."""
    donors = world(per_class=20, n_genes=60)
    values = leaky(donors.members).values
    values[:20] = values[0]
    scores = get("quantile_replay").score(donors.view(continuous(values, donors.members.labels), "T0"))
    assert (scores[donors.targets.labels == "a"] == 0).all()
    assert (scores[donors.targets.labels == "b"] != 0).all()
