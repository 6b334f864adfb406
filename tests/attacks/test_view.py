"""What each attacker is given and refused, work that is shared, and the scale on which everybody is put."""

import numpy as np
import pytest
from planted_donors import CASES, continuous, label, like, outcome, rows, world

from twinseq.attacks import LEVELS, NotApplicableError, Samples, ThreatLevelError, View, get
from twinseq.transforms import size_reference

GRANTED = {"reference": "T1", "generator": "T2", "model": "T3"}


def everything(level, **left_out):
    held = {"reference": continuous([[5.0, 6.0]]), "generator": "generator", "model": "model"} | left_out
    return View(level, continuous([[1.0, 2.0], [3.0, 4.0]]), continuous([[0.0, 1.0]]), **held)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("what", GRANTED)
def test_a_level_grants_what_it_says(level, what):
    view = everything(level)
    if level >= GRANTED[what]:
        assert getattr(view, what) is not None
    else:
        with pytest.raises(ThreatLevelError, match=f"level {level} has no"):
            getattr(view, what)


@pytest.mark.parametrize(("what", "words"), [("reference", "cohort"), ("generator", "know"), ("model", "fitted")])
def test_what_was_not_given_is_not_applicable(what, words):
    with pytest.raises(NotApplicableError, match=words):
        getattr(everything("T4", **{what: None}), what)


def test_a_lower_attacker_holds_less():
    view = everything("T3")
    assert view.at("T3") is view
    assert view.at("T1") is view.at("T1")
    assert view.at("T1").at("T0").level == "T0"
    with pytest.raises(ThreatLevelError):
        _ = view.at("T2").model
    with pytest.raises(ThreatLevelError):
        _ = view.at("T0").reference
    for level in LEVELS:
        if level > "T1":
            with pytest.raises(ThreatLevelError, match="level T1"):
                view.at("T1").at(level)


def test_a_reference_is_had_where_it_is_granted_and_given():
    assert everything("T1").has_reference
    assert not everything("T0").has_reference
    assert not everything("T1", reference=None).has_reference


@pytest.mark.parametrize("case", [case for case in CASES if case[1] == "T0"], ids=label)
def test_without_a_reference_nothing_is_learnt_from_one(case):
    donors = world("counts", 14, 60)
    with_one = View("T0", donors.members, donors.targets, donors.reference, seed=1)
    without = View("T0", donors.members, donors.targets, seed=1)
    scores = outcome(case, with_one)
    assert (scores is None) == (outcome(case, without) is None)
    if scores is not None:
        np.testing.assert_array_equal(scores, outcome(case, without))


@pytest.mark.parametrize("case", [case for case in CASES if case[1] == "T1"], ids=label)
def test_with_no_reference_nothing_is_mounted_at_t1(case):
    donors = world("counts", 14, 60)
    view = View("T1", donors.members, donors.targets)
    with pytest.raises(NotApplicableError, match="needs a reference cohort"):
        get(case[0]).score(view, case[2])


def test_shared_work_is_made_once():
    view, made = everything("T1"), []

    def make(which):
        made.append(which)
        return len(made)

    assert [view.shared("axes", make) for _ in range(3)] == [1, 1, 1]
    assert view.shared("axes", make, 5) == 2
    assert view.shared("other", make) == 3
    assert view.at("T0").shared("axes", make) == 4
    assert made == [view, view, view, view.at("T0")]


def test_random_streams_are_told_apart_and_stay_the_same():
    view, other = everything("T1"), everything("T1", seed=1)
    assert view.rng(1).random() == view.rng(1).random() == view.at("T0").rng(1).random()
    assert len({view.rng(1).random(), view.rng(2).random(), view.rng(1, 1).random(), other.rng(1).random()}) == 4


def naive_log(counts, twin):
    """By the median of log ratios to the geometric means of the twin's genes without zeros, one sample."""
    ratios = []
    for gene in range(twin.shape[1]):
        column = twin[:, gene]
        if (column > 0).all() and counts[gene] > 0:
            ratios.append(np.log(counts[gene]) - np.log(column).mean())
    return np.log2(counts / np.exp(np.median(ratios)) + 1)


def test_size_factors_are_taken_against_the_twin():
    donors = world("counts", 10, 40)
    view = View("T1", donors.strangers, donors.targets, donors.reference)
    for side in (view.twin, view.targets, view.reference):
        expected = [naive_log(row, donors.strangers.values) for row in side.values]
        np.testing.assert_allclose(side.on_log, expected, rtol=1e-12)
    # A level below, everybody is still on that scale, and nothing is computed anew.
    assert view.at("T0").targets is view.targets


def test_a_size_factor_depends_on_no_other_target():
    donors = world("counts", 10, 40)
    among = View("T0", donors.strangers, donors.targets).targets.on_log
    values = 17 * donors.targets.values
    values[3] = donors.targets.values[3]
    for targets in (rows(donors.targets, [3]), like(donors.targets, values)):
        alone = View("T0", donors.strangers, targets).targets.on_log
        np.testing.assert_array_equal(alone[0 if len(alone) == 1 else 3], among[3])
    # Nor does the reference cohort change the scale.
    other = View("T1", donors.strangers, donors.targets, like(donors.reference, 5 * donors.reference.values))
    np.testing.assert_array_equal(other.targets.on_log, among)


def test_a_twin_without_a_complete_gene_has_a_scale_too():
    rng = np.random.default_rng(0)
    twin = Samples((rng.random((30, 12)) < 0.3).astype(int), np.full(30, "all"), "counts")
    targets = like(twin, rng.poisson(0.4, (30, 12)))
    view = View("T0", twin, targets)
    assert not view.twin.reference.complete
    assert np.isfinite(view.targets.on_log).all()


def test_samples_keep_their_scale_when_taken_apart_and_joined():
    donors = world("counts", 10, 40)
    reference = size_reference(donors.strangers.values)
    targets, people = donors.targets.against(reference), donors.reference
    assert targets.against(reference) is targets
    both = targets.joined(people)
    np.testing.assert_array_equal(both.on_log, np.vstack([targets.on_log, people.against(reference).on_log]))
    np.testing.assert_array_equal(targets.subset([4, 2]).on_log, targets.on_log[[4, 2]])
    np.testing.assert_array_equal(targets.genes(np.array([7, 1])).on_log, targets.on_log[:, [7, 1]])
    assert targets.genes(np.array([7, 1])).subset([0]).reference is reference
    flat = continuous([[1.0, 2.0]])
    assert flat.against(reference=None) is flat
    np.testing.assert_array_equal(flat.on_log, flat.values)
