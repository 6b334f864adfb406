"""All attacks together: what they are, what they weigh, and what the combination finds."""

import numpy as np
import pytest
from known import case, quarters

from twinseq.attacks import Attack, NotApplicableError, Samples, View, _registry, get
from twinseq.attacks._surrogate import Surrogate
from twinseq.attacks.meta import _learn, _normal_scores, meta


def only(monkeypatch, **functions):
    """Leave these attacks in the registry, and `meta`."""
    known = {
        name: Attack(name, ("T0",), "", "", "", function, slow=name.startswith("slow"))
        for name, function in functions.items()
    }
    monkeypatch.setattr(_registry, "_REGISTRY", {**known, "meta": get("meta")})


def nearest(view):
    return -np.array([np.abs(row - view.twin.on_log).mean(axis=1).min() for row in view.targets.on_log])


def test_normal_scores_by_hand():
    targets = Samples(np.zeros((5, 1)), np.array(["a", "b", "a", "b", "a"]), "continuous")
    scores = _normal_scores(np.array([5.0, 100.0, 1.0, 200.0, 3.0]), targets)
    np.testing.assert_allclose(scores, [0.967422, -0.674490, -0.967422, 0.674490, 0.0], atol=1e-6)


def test_weights_go_to_what_finds_members():
    rng = np.random.default_rng(0)
    inside = np.arange(40) < 20
    worlds = [np.column_stack([inside + rng.normal(size=40), rng.normal(size=40)]) for _ in range(4)]
    weights = _learn(worlds, [inside] * 4, 0.1)
    assert weights[0] > 5 * abs(weights[1])


def test_a_lone_attack_keeps_its_order(monkeypatch):
    only(monkeypatch, nearest=nearest)
    view = case("mvn", "T1").view
    scores = meta(view)
    assert np.array_equal(np.argsort(scores), np.argsort(_normal_scores(nearest(view), view.targets)))


def test_what_fails_somewhere_is_left_out(monkeypatch):
    def picky(view):
        if len(view.targets) != 80:
            raise NotApplicableError("not here")
        return np.arange(80.0)

    def never(view):
        raise AssertionError("a slow attack was mounted")

    only(monkeypatch, picky=picky, slow=never)
    view = case("mvn", "T1").view
    with pytest.raises(NotApplicableError, match="no other attack"):
        meta(view)
    only(monkeypatch, nearest=nearest, picky=picky, slow=never)
    assert np.array_equal(np.argsort(meta(view)), np.argsort(_normal_scores(nearest(view), view.targets)))


@pytest.mark.parametrize("keeps_margins", [False, True])
def test_the_surrogate_keeps_means_and_depth(keeps_margins):
    members, *_ = quarters()
    drawn = Surrogate(keeps_margins).fit(members, 0).draw(np.repeat(["case", "control"], 400), 1)
    assert drawn.values.dtype.kind == "i"
    assert drawn.values.min() >= 0
    for name in ("case", "control"):
        here, there = drawn.values[drawn.labels == name], members.values[members.labels == name]
        assert np.corrcoef(np.log1p(here.mean(axis=0)), np.log1p(there.mean(axis=0)))[0, 1] > 0.99
        assert here.sum(axis=1).mean() == pytest.approx(there.sum(axis=1).mean(), rel=0.2)
    with pytest.raises(NotApplicableError):
        Surrogate(keeps_margins).fit(members, 0).losses(members)
    with pytest.raises(NotApplicableError):
        Surrogate(keeps_margins).fit(members, 0).log_likelihood(members)


def test_the_surrogate_draws_what_is_full_rank():
    """A surrogate whose samples lay in the span of its training would teach the attacker to look there."""
    x = np.random.default_rng(0).normal(size=(20, 100))
    drawn = Surrogate(False).fit(Samples(x, np.full(20, "a"), "continuous"), 0).draw(np.full(60, "a"), 1)
    assert np.linalg.matrix_rank(drawn.values - drawn.values.mean(axis=0)) == 59


def test_it_needs_a_reference_of_some_size():
    view = case("mvn", "T1").view
    few = view.reference.subset(np.arange(29))
    with pytest.raises(NotApplicableError, match="needs 30 reference samples; there are 29"):
        meta(View("T1", view.twin, view.targets, few))
    labels = np.array([f"class {number // 5}" for number in range(40)])
    scattered = Samples(view.reference.values, labels, "counts")
    with pytest.raises(NotApplicableError, match="needs 6 reference samples of a class; the largest has 5"):
        meta(View("T1", view.twin, view.targets, scattered))


@pytest.mark.slow
@pytest.mark.parametrize(("generator", "level"), [("mvn", "T1"), ("copula", "T2")])
def test_it_finds_members(generator, level):
    found = case(generator, level)
    assert found.auc(get("meta").score(found.view)) > 0.85


@pytest.mark.slow
def test_strangers_are_not_found():
    found = case("mvn", "T1", trained_on_others=True)
    low, high = found.interval(get("meta").score(found.view))
    assert low < 0.5 < high
