"""Shadow models: who is calibrated by whom, and whom the combined losses find."""

import sys

import numpy as np
import pytest
from known import Case, case, quarters, together

from twinseq.attacks import NotApplicableError, Samples, ThreatLevelError, View, get
from twinseq.attacks._shadow import FOLDS, TRUST, deal, excess
from twinseq.knowledge import KnownGenerator


class Mean:
    """A model that is its training mean, and loses by the distance from it."""

    def __init__(self, samples):
        self.centre = samples.on_log.mean(axis=0)
        self.seen = {row.tobytes() for row in samples.values}

    def losses(self, samples):
        assert not any(row.tobytes() in self.seen for row in samples.values), "a record in its own comparison"
        return ((samples.on_log - self.centre) ** 2).sum(axis=1, keepdims=True)


class FitMean:
    def fit(self, samples, seed):
        return Mean(samples)


def continuous(n, seed, labels=("a", "b")):
    return Samples(np.random.default_rng(seed).normal(size=(n, 6)), np.resize(labels, n), "continuous")


def losses(model, samples):
    return model.losses(samples)


def test_excess_by_hand():
    """With a suspect that always says 0, the difference is minus the mean loss under models without the record."""

    class Silent:
        def losses(self, samples):
            return np.zeros((len(samples), 1))

    others, records = continuous(40, 0, ("a",)), continuous(5, 1, ("a",))
    of_records, of_others = excess(Silent(), records, others, FitMean(), losses, 7)
    folds = deal(others.labels, FOLDS, 4, np.random.default_rng([7, 1]))
    fits = [others.on_log[np.setdiff1d(np.arange(40), fold)].mean(axis=0) for fold in folds]
    held = [-((others.on_log[fold] - fit) ** 2).sum(axis=1) for fold, fit in zip(folds, fits, strict=True)]
    null = np.concatenate(held)
    by_hand = np.array([-((records.on_log - fit) ** 2).sum(axis=1) for fit in fits])
    spread = np.sqrt(((null - null.mean()) ** 2).sum() * (1 + TRUST / 39) / (39 + TRUST))
    np.testing.assert_allclose(of_records[:, :, 1], (by_hand - null.mean()) / spread)
    np.testing.assert_allclose(of_others[:, 1], (null - null.mean()) / spread)
    assert not of_records[:, :, 0].any()


def test_small_classes_have_no_opinion():
    others = continuous(40, 0)
    others.labels[:3] = "rare"
    records = continuous(6, 1)
    records.labels[0] = "rare"
    of_records, of_others = excess(Mean(continuous(9, 2)), records, others, FitMean(), losses, 0)
    assert not of_records[:, 0].any()
    assert of_records[:, 1:].all()
    assert len(of_others) == 37


def test_deal_is_disjoint_and_even():
    labels = np.repeat(["a", "b", "c"], [21, 9, 2])
    parts = deal(labels, 3, 3, np.random.default_rng(0))
    assert sorted(np.concatenate(parts).tolist()) == list(range(30))
    assert {len(part) for part in parts} == {10}
    assert {int((labels[part] == "a").sum()) for part in parts} == {7}


@pytest.mark.parametrize("level", ["T2", "T3"])
@pytest.mark.parametrize("generator", ["mvn", "independent"])
def test_overfitting_is_found(generator, level):
    found = case(generator, level)
    assert found.auc(get("shadow_loss").score(found.view)) > 0.95


@pytest.mark.parametrize("generator", ["mvn", "lowrank-mvn"])
def test_strangers_are_not(generator):
    found = case(generator, "T2", trained_on_others=True)
    low, high = found.interval(get("shadow_loss").score(found.view))
    assert low < 0.5 < high


@pytest.mark.slow
@pytest.mark.parametrize("trained_on_others", [False, True])
def test_an_overfitted_network_is_found(trained_on_others, monkeypatch):
    """One shadow world and two folds will do where a network replays what it saw."""
    monkeypatch.setattr(sys.modules["twinseq.attacks.shadow_loss"], "WORLDS", 1)
    monkeypatch.setattr("twinseq.attacks._shadow.FOLDS", 2)
    small = {"latent": 8, "hidden": "16", "steps": 150, "batch": 20, "patience": None, "dropout": 0.0, "residual": 0}
    network = KnownGenerator("cvae", params={**small, "learning_rate": 5e-3})
    members, nonmembers, reference, others = quarters()
    model = network.fit(others if trained_on_others else members, 3)
    view = View("T2", model.draw(members.labels, 4), together(members, nonmembers), reference, network, None, 5)
    found = Case(view, len(members))
    scores = get("shadow_loss").score(view)
    if trained_on_others:
        low, high = found.interval(scores)
        assert low < 0.5 < high
    else:
        assert found.auc(scores) > 0.75


def test_it_is_the_same_each_time():
    found = case("lowrank-mvn", "T2")
    assert np.array_equal(get("shadow_loss").score(found.view), get("shadow_loss").score(found.view))
    assert found.auc(get("shadow_loss").score(found.view)) > 0.6


def test_what_it_needs():
    view = case("mvn", "T2").view
    members, *_ = quarters()
    few = members.subset(np.r_[0:3, 30:33])
    with pytest.raises(NotApplicableError, match="needs 8 reference samples of a class; the largest has"):
        get("shadow_loss").score(View("T2", view.twin, view.targets, few, KnownGenerator("mvn")))
    with pytest.raises(NotApplicableError, match="'bootstrap' has no loss"):
        get("shadow_loss").score(View("T2", view.twin, view.targets, view.reference, KnownGenerator("bootstrap")))
    with pytest.raises(NotApplicableError, match="no attack of level T1"):
        get("shadow_loss").score(view.at("T1"))
    with pytest.raises(ThreatLevelError):
        _ = view.model
