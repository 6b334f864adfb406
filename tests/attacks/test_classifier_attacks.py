"""`confidence` and `logan_d1`: the same as a classifier on all genes, and twins that make it too sure."""

import numpy as np
import pytest
from planted_donors import calibrate, continuous, naive_standard, rows, together, world
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression

from twinseq.attacks import NotApplicableError, View, get
from twinseq.attacks._classifiers import log_odds
from twinseq.attacks.roc import auc


def on_all_genes(points, classes):
    """Ridge logistic regression on the genes themselves, not on principal coordinates."""
    model = LogisticRegression(C=1.0, class_weight="balanced", tol=1e-10, max_iter=10_000, solver="newton-cg")
    return model.fit(points / np.sqrt(points.shape[1]), classes)


@pytest.mark.parametrize("level", ["T0", "T1"])
def test_confidence_is_that_of_a_classifier_on_all_genes(held, level):
    twin, targets, reference = naive_standard(held, "T0")
    model = on_all_genes(twin, held.twin.labels)

    def own(points, labels):
        return model.decision_function(points / np.sqrt(points.shape[1])) * np.where(labels == "b", 1, -1)

    expected = own(targets, held.targets.labels)
    if level == "T1":
        expected = calibrate(expected, held, own(reference, held.reference.labels))
    np.testing.assert_allclose(get("confidence").score(held.at(level), "logistic"), expected, rtol=1e-5, atol=1e-5)


def test_logan_is_that_of_a_classifier_on_all_genes(held):
    twin, targets, reference = naive_standard(held)
    is_twin = np.r_[np.ones(len(twin)), np.zeros(len(reference))]
    expected = on_all_genes(np.vstack([twin, reference]), is_twin).decision_function(targets / np.sqrt(twin.shape[1]))
    np.testing.assert_allclose(get("logan_d1").score(held, "logistic"), expected, rtol=1e-5, atol=1e-5)


def test_odds_of_several_classes():
    rng = np.random.default_rng(0)
    classes = np.repeat(["x", "y", "z"], 20)
    points = rng.normal(size=(60, 30)) + (np.searchsorted(["x", "y", "z"], classes))[:, None]
    targets = rng.normal(size=(9, 30)) + 1
    margins = on_all_genes(points - points.mean(axis=0), classes).decision_function(
        (targets - points.mean(axis=0)) / np.sqrt(30)
    )
    odds = log_odds("logistic", points, classes, targets, rng)
    for k in range(3):
        others = [place for place in range(3) if place != k]
        np.testing.assert_allclose(odds[:, k], margins[:, k] - logsumexp(margins[:, others], axis=1), atol=1e-5)


def test_a_classifier_that_is_very_sure_still_tells_one_target_from_another():
    """One minus a probability of nearly one would have no digits left."""
    rng = np.random.default_rng(0)
    classes = np.repeat(["x", "y", "z"], 20)
    points = rng.normal(size=(60, 30)) + 3.0 * np.searchsorted(["x", "y", "z"], classes)[:, None]
    targets = 200.0 + rng.normal(size=(50, 30))
    odds = log_odds("logistic", points, classes, targets, rng)[:, 2]
    assert odds.min() > 40
    assert len(np.unique(odds)) == 50


def test_forests_follow_the_seed_and_nothing_else():
    donors = world(per_class=20, n_genes=60)
    first, again = (get("logan_d1").score(donors.view(donors.members, seed=1), "forest") for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (first != get("logan_d1").score(donors.view(donors.members, seed=2), "forest")).any()


def test_copies_make_classifiers_sure():
    donors = world()
    assert donors.auc(donors.members, "logan_d1", "forest") > 0.95
    assert donors.auc(donors.members, "confidence", "forest", "T0") > 0.65


def test_a_linear_rule_learnt_from_nothing_but_noise_remembers_its_samples():
    """The classes do not differ: whoever is on the right side of the rule by more than chance was used to draw it."""
    rng = np.random.default_rng(0)
    members, nonmembers = (continuous(rng.normal(size=(60, 1500)), np.repeat(["a", "b"], 30)) for _ in range(2))
    scores = get("confidence").score(View("T0", members, together(members, nonmembers)), "logistic")
    assert auc(scores[:60], scores[60:]) > 0.99


def test_a_twin_apart_from_people_is_told_by_its_members_too():
    """The members' mean is the twin's; with the reference's it makes a direction that a linear rule finds."""
    donors = world(per_class=20, n_genes=1500)
    assert donors.auc(donors.members, "logan_d1", "logistic") > 0.75


def test_what_classifiers_need():
    donors = world(per_class=10, n_genes=40)
    with pytest.raises(NotApplicableError, match="no sample of class 'b'"):
        get("confidence").score(donors.view(rows(donors.members, np.arange(10)), "T0"), "logistic")
    only = donors.targets.subset(donors.targets.labels == "a")
    with pytest.raises(NotApplicableError, match="two classes"):
        get("confidence").score(View("T0", rows(donors.members, np.arange(10)), only), "forest")
    with pytest.raises(NotApplicableError, match="two reference samples"):
        get("logan_d1").score(View("T1", donors.members, donors.targets, rows(donors.reference, [0])), "forest")
