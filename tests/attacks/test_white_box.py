"""Attacks with the model file in hand."""

import numpy as np
import pytest
from known import case, together

from twinseq.attacks import NotApplicableError, Samples, View, get
from twinseq.attacks._standard import standard


class Normal:
    """Unit-variance normal around a mean; draws are its mean with noise."""

    def __init__(self, mean):
        self.mean = mean

    def draw(self, labels, seed):
        noise = np.random.default_rng(seed).normal(size=(len(labels), len(self.mean)))
        return Samples(self.mean + noise, labels, "continuous")

    def losses(self, samples):
        raise NotApplicableError("none")

    def log_likelihood(self, samples):
        return -0.5 * ((samples.on_log - self.mean) ** 2).sum(axis=1)


class FitNormal:
    def fit(self, samples, seed):
        return Normal(samples.on_log.mean(axis=0))


def view_of_normals(n_genes=40, seed=0):
    rng = np.random.default_rng(seed)
    members, strangers, reference = (
        Samples(rng.normal(size=(n, n_genes)), np.full(n, "a"), "continuous") for n in (12, 12, 60)
    )
    model = FitNormal().fit(members, 0)
    targets = together(members, strangers)
    return View("T3", model.draw(members.labels, 1), targets, reference, FitNormal(), model), model


def test_likelihood_ratio_by_hand():
    """For unit normals the ratio is linear: ⟨x, μ_model − μ_R⟩ up to a constant."""
    view, model = view_of_normals()
    found = get("white_box_likelihood").score(view, "calibrated")
    by_hand = view.targets.on_log @ (model.mean - view.reference.on_log.mean(axis=0))
    assert np.corrcoef(found, by_hand)[0, 1] > 0.99
    alone = get("white_box_likelihood").score(view, "uncalibrated")
    assert np.corrcoef(alone, model.log_likelihood(view.targets))[0, 1] == pytest.approx(1.0)


def test_tracing_uses_the_means_of_the_model():
    """A model that draws without noise gives the tracing statistic of its mean itself."""
    view, model = view_of_normals()

    class Exact(Normal):
        def draw(self, labels, seed):
            return Samples(np.tile(self.mean, (len(labels), 1)), labels, "continuous")

    exact = View("T3", view.twin, view.targets, view.reference, FitNormal(), Exact(model.mean))
    found = get("white_box_tracing").score(exact, "plain")
    deviation = np.sqrt(
        sum(((side.on_log - side.on_log.mean(axis=0)) ** 2).sum(axis=0) for side in (view.twin, view.reference)) / 70
    )
    away = (view.targets.on_log - view.reference.on_log.mean(axis=0)) / deviation
    shift = (model.mean - view.reference.on_log.mean(axis=0)) / deviation
    by_hand = away @ shift / np.linalg.norm(away, axis=1)
    np.testing.assert_allclose(np.corrcoef(found, by_hand)[0, 1], 1.0, rtol=1e-9)
    assert standard(view).n_genes == 40


@pytest.mark.parametrize("generator", ["mvn", "copula"])
@pytest.mark.parametrize(
    ("attack", "setting"), [("white_box_likelihood", "calibrated"), ("white_box_tracing", "ridge 0.1")]
)
def test_members_are_found(generator, attack, setting):
    found = case(generator, "T3")
    assert found.auc(get(attack).score(found.view, setting)) > 0.75


@pytest.mark.parametrize(
    ("attack", "setting"),
    [("white_box_likelihood", "calibrated"), ("white_box_likelihood", "uncalibrated"), ("white_box_tracing", "plain")],
)
def test_strangers_are_not(attack, setting):
    found = case("mvn", "T3", trained_on_others=True)
    low, high = found.interval(get(attack).score(found.view, setting))
    assert low < 0.5 < high


def test_it_beats_the_twin_alone():
    """The model's own means trace better than those of one twin drawn from it."""
    found = case("mvn", "T3")
    inside = found.auc(get("white_box_tracing").score(found.view, "ridge 1"))
    outside = found.auc(get("mean_tracing").score(found.view.at("T1"), "ridge 1"))
    assert inside > outside


def test_a_model_without_a_likelihood():
    found = case("bootstrap", "T3")
    with pytest.raises(NotApplicableError, match="'bootstrap' states no likelihood"):
        get("white_box_likelihood").score(found.view, "calibrated")
