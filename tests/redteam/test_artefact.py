"""The audit of one twin: leaks are found, harmless twins are not accused, and what cannot be judged is said."""

import dataclasses

import numpy as np
import pytest

import twinseq as ts
from twinseq import attacks
from twinseq.cohort import Cohort
from twinseq.errors import ConfigError
from twinseq.knowledge import KnownGenerator, KnownModel
from twinseq.redteam import attack_twin
from twinseq.redteam.trial import Trial, available
from twinseq.results import RedTeam


@pytest.fixture(scope="module")
def found(parts: dict[str, Cohort], twin: Cohort) -> RedTeam:
    return attack_twin(parts["train"], twin, parts["holdout"], parts["reference"])[0]


def test_a_faithful_twin_is_caught_and_the_controls_come_out(found: RedTeam):
    assert found.outcome == "leak"
    assert [control.passed for control in found.controls] == [True, True, True]
    assert [headline.level for headline in found.headlines] == ["T0", "T1"]
    for headline in found.headlines:
        assert headline.leaks
        assert headline.auc_ci[0] > 0.5
        assert headline.auc_ci[0] <= headline.auc <= headline.auc_ci[1]
    assert found.power["n_members"] == found.power["n_nonmembers"] == 50


def test_whoever_holds_more_is_no_weaker(found: RedTeam):
    t0, t1 = found.headlines
    assert t1.auc >= t0.auc
    assert t1.n_tried > t0.n_tried


def test_every_attack_of_a_level_is_accounted_for(found: RedTeam):
    wanted = {
        (name, level)
        for name in attacks.names()
        for level in attacks.get(name).levels
        if level in ("T0", "T1") and not attacks.get(name).slow and not attacks.get(name).cells
    }
    assert {(result.name, result.level) for result in found.attacks} == wanted
    for result in found.attacks:
        if result.status == "measured":
            assert 0 <= result.auc_ci[0] <= result.auc <= result.auc_ci[1] <= 1
            assert set(result.tpr_at_fpr) == {"0.1", "0.01"}
        else:
            assert result.reason
            assert result.auc is None


def test_attackers_can_be_held_to_some_attacks_and_levels(parts: dict[str, Cohort], twin: Cohort):
    sides = (parts["train"], twin, parts["holdout"], parts["reference"])
    found, _ = attack_twin(*sides, chosen=("mean_tracing", "T1"))
    assert {(result.name, result.level) for result in found.attacks} == {("mean_tracing", "T1")}
    assert [headline.level for headline in found.headlines] == ["T1"]
    assert "only some attacks were run, by choice: T1, mean_tracing" in found.reasons
    trial = Trial.of(twin, parts["train"], parts["holdout"], parts["reference"])
    every = {(name, level) for name, level, _ in available(trial, slow=True)}
    # A level alone stands for all its fast attacks; a name for the attack, be it slow.
    assert {level for _, level, _ in available(trial, chosen=("T0",))} == {"T0"}
    slow = next(name for name, level in every if attacks.get(name).slow)
    assert {name for name, _, _ in available(trial, chosen=(slow,))} == {slow}
    with pytest.raises(ConfigError, match="no attack or threat level 'mean_tracin'; did you mean 'mean_tracing'"):
        ts.audit(parts["train"], twin, attacks=["mean_tracin"])


def test_a_twin_of_strangers_is_not_accused(parts: dict[str, Cohort], foreign: Cohort):
    found, _ = attack_twin(parts["train"], foreign, parts["holdout"], parts["reference"])
    assert found.outcome in ("no leak found", "inconclusive")
    assert not any(headline.leaks for headline in found.headlines)
    # Whatever single attacks show by chance, the corrected interval allows for.
    assert all(headline.auc_ci[0] <= 0.5 <= headline.auc_ci[1] for headline in found.headlines)


def test_without_a_hold_out_nothing_is_judged_and_the_way_out_is_told(parts: dict[str, Cohort], twin: Cohort):
    found, curves = attack_twin(parts["train"], twin)
    assert found.outcome == "not judged"
    assert "twinseq split" in " ".join(found.reasons)
    assert found.headlines == ()
    assert curves.empty


def test_half_of_a_large_hold_out_plays_the_reference(parts: dict[str, Cohort], twin: Cohort):
    found, _ = attack_twin(parts["train"], twin, parts["holdout"])
    assert [headline.level for headline in found.headlines] == ["T0", "T1"]
    assert found.power["n_nonmembers"] == 25
    assert any("half of the hold-out" in reason for reason in found.reasons)


def test_a_small_hold_out_is_not_halved(parts: dict[str, Cohort], twin: Cohort):
    small = parts["holdout"].subset(np.arange(0, 50, 4))
    found, _ = attack_twin(parts["train"], twin, small)
    assert [headline.level for headline in found.headlines] == ["T0"]
    assert any("--reference" in reason for reason in found.reasons)


def test_fewer_than_ten_are_inconclusive_and_the_power_is_said(parts: dict[str, Cohort], twin: Cohort):
    few = parts["holdout"].subset(np.arange(0, 50, 7))
    found, _ = attack_twin(parts["train"], twin, few, parts["reference"])
    assert found.outcome == "inconclusive"
    assert "fewer than 10" in found.reasons[0]
    assert "ε" in found.reasons[1]
    assert found.headlines


def test_members_that_differ_from_others_by_batch_withhold_the_verdict(parts: dict[str, Cohort], foreign: Cohort):
    """The negative control: nobody was in this twin, but members alone carry a batch that the reference carries too."""
    train, holdout, reference = (parts[name] for name in ("train", "holdout", "reference"))
    rng = np.random.default_rng(0)
    batch = np.exp2(rng.normal(0, 1.5, train.n_genes))

    def shifted(cohort: Cohort) -> Cohort:
        adata = cohort.adata.copy()
        adata.X = np.rint(cohort.dense() * batch).astype(np.int64)
        return cohort.with_adata(adata)

    batched = ts.generators.create("copula").fit(shifted(parts["strangers"]), seed=0).sample(seed=1)
    found, _ = attack_twin(shifted(train), batched, holdout, shifted(reference))
    assert found.outcome == "not judged"
    assert "negative" in found.reasons[0]
    assert {control.name: control.passed for control in found.controls}["negative"] is False


def test_a_class_that_the_reference_lacks_is_left_out_and_named(parts: dict[str, Cohort], twin: Cohort):
    reference = parts["reference"]
    wanted = reference.labels() != "case"
    lone = reference.subset(np.append(np.flatnonzero(wanted), np.flatnonzero(~wanted)[:1]))
    found, _ = attack_twin(parts["train"], twin, parts["holdout"], lone)
    assert any("case" in reason and "left out" in reason for reason in found.reasons)
    assert found.power["n_members"] == 25


def test_an_attack_that_fails_is_reported_as_failed(parts: dict[str, Cohort], twin: Cohort, monkeypatch):
    broken = dataclasses.replace(
        attacks.get("mc"), function=lambda view, **_: np.full(len(view.targets), np.nan), settings={"": {}}
    )
    monkeypatch.setitem(attacks._registry._REGISTRY, "mc", broken)
    found, _ = attack_twin(parts["train"], twin, parts["holdout"], parts["reference"])
    result = next(result for result in found.attacks if result.name == "mc")
    assert result.status == "failed"
    assert "not finite" in result.reason
    assert result.auc is None


def test_scores_that_tie_make_an_attack_void(parts: dict[str, Cohort], twin: Cohort, monkeypatch):
    tied = dataclasses.replace(
        attacks.get("mc"), function=lambda view, **_: np.arange(len(view.targets)) // 4, settings={"": {}}
    )
    monkeypatch.setitem(attacks._registry._REGISTRY, "mc", tied)
    found, _ = attack_twin(parts["train"], twin, parts["holdout"], parts["reference"])
    result = next(result for result in found.attacks if result.name == "mc")
    assert result.status == "void"
    assert "tie" in result.reason


def test_threads_and_order_change_nothing(parts: dict[str, Cohort], twin: Cohort, found: RedTeam):
    again, _ = attack_twin(parts["train"], twin, parts["holdout"], parts["reference"], jobs=2)
    assert again.headlines == found.headlines
    assert again.attacks == found.attacks


@pytest.mark.slow
def test_a_known_and_a_held_generator_open_levels(parts: dict[str, Cohort]):
    model = ts.generators.create("mvn").fit(parts["train"], seed=0)
    found, _ = attack_twin(
        parts["train"],
        model.sample(seed=1),
        parts["holdout"],
        parts["reference"],
        KnownGenerator("mvn"),
        KnownModel(model, None, parts["train"].genes),
        slow=True,
    )
    assert "T3" in [headline.level for headline in found.headlines]
    white_box = [result for result in found.attacks if result.level == "T3" and result.status == "measured"]
    assert {result.name for result in white_box} >= {"white_box_likelihood", "white_box_tracing"}


def test_donors_with_several_samples_count_once(parts: dict[str, Cohort]):
    train, holdout = (parts[name] for name in ("train", "holdout"))

    def paired(cohort: Cohort, prefix: str) -> Cohort:
        adata = cohort.adata.copy()
        order = np.argsort(cohort.labels(), kind="stable")
        half = len(order) // 2
        donors = np.empty(len(order), dtype=object)
        donors[order] = [f"{prefix}{place % half}" for place in range(len(order))]
        adata.obs["donor"] = donors
        return Cohort(adata, label=cohort.label, donor="donor", paired=True)

    twin = ts.generators.create("copula").fit(paired(train, "m"), seed=0).sample(seed=1)
    found, _ = attack_twin(paired(train, "m"), twin, paired(holdout, "n"), paired(parts["reference"], "r"))
    assert found.power["n_members"] == found.power["n_nonmembers"] == 25
    assert all(result.n_members == 25 for result in found.attacks)
