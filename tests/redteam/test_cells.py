"""The audit of twins of single cells: donors are the unit, however many cells they have."""

import numpy as np
import pytest

import twinseq as ts
from twinseq.cohort import Cohort
from twinseq.datasets import simulate_cells
from twinseq.knowledge import KnownGenerator, KnownModel
from twinseq.redteam import attack_procedure, attack_twin, holding
from twinseq.redteam.aggregation import AGGREGATES
from twinseq.redteam.holding import at_most, draw, held
from twinseq.redteam.trial import Trial, available, joined, parted, score


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulate_cells(24, 24, 80, seed=1, cells_per_donor=14, n_cell_types=2, depth=1_000, donor_sd=0.4)


@pytest.fixture(scope="module")
def parts(cohort: Cohort) -> tuple[Cohort, ...]:
    return cohort.split((0.25, 0.25, 0.25, 0.25), seed=0)


def naive(scores, donors, types, how):
    found = []
    for donor in range(donors.max() + 1):
        own, kinds = np.sort(scores[donors == donor]), types[donors == donor]
        if how == "by type":
            found.append(np.mean([scores[(donors == donor) & (types == kind)].mean() for kind in set(kinds.tolist())]))
        elif how == "sum":
            found.append(own.sum())
        elif how == "trimmed":
            cut = int(0.1 * len(own))
            found.append(own[cut : len(own) - cut].mean())
        elif how == "top 5 %":
            found.append(own[-max(1, round(0.05 * len(own))) :].mean())
        else:
            found.append(own.mean())
    return np.array(found)


@pytest.mark.parametrize("how", AGGREGATES)
def test_scores_of_cells_become_scores_of_donors(how):
    rng = np.random.default_rng(0)
    donors = rng.permutation(np.repeat(np.arange(4), [1, 7, 20, 40]))
    scores, types = rng.normal(size=68), rng.choice(["a", "b", "c"], 68)
    assert AGGREGATES[how](scores, donors, types) == pytest.approx(naive(scores, donors, types, how))


def test_every_way_from_cells_to_donors_counts_as_tried(parts):
    members, others, reference, _ = parts
    trial = Trial.of(members, members, others, reference)
    keys = available(trial)
    ways = [parted(name, setting)[1] for name, _, setting in keys if name == "copula_llr"]
    assert sorted(set(ways)) == sorted(AGGREGATES)
    assert {setting for name, _, setting in keys if name == "composition"} == {""}
    assert all(joined(*parted(name, setting)) == setting for name, _, setting in keys)
    found = score(trial, [key for key in keys if key[0] == "nearest_distance"])
    assert len(found.keys) == len(AGGREGATES)
    assert found.values.shape[0] == len(np.unique(trial.donors))


def test_donors_are_compared_by_label_and_not_by_the_types_they_happen_to_have(parts):
    members, others, reference, _ = parts
    trial = Trial.of(members, members, others, reference)
    assert set(trial.strata) == set(members.labels())


def test_quotas_are_the_largest_that_fit():
    donors = np.repeat(np.arange(3), [2, 10, 30])
    rng = np.random.default_rng(0)
    assert np.bincount(donors[draw(donors, 20, rng)]).tolist() == [2, 9, 9]
    assert np.bincount(donors[draw(donors, 41, rng)]).tolist() == [2, 10, 29]
    assert np.bincount(donors[at_most(donors, 5, rng)]).tolist() == [2, 5, 5]
    assert len(draw(np.arange(50), 20, rng)) == 20
    shown = [at_most(donors, 5, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)]
    assert shown[0] == shown[1] != shown[2]


def test_large_cohorts_are_held_in_part_and_that_is_said(parts, monkeypatch):
    members, others, reference, _ = parts
    monkeypatch.setattr(holding, "MOST_CELLS", 100)
    part, words = held(members, 0)
    assert part.n_samples <= 100 < members.n_samples
    assert set(part.donors()) == set(members.donors())
    assert words == f"{part.n_samples} of {members.n_samples}"
    trial = Trial.of(members, members, others, reference)
    assert len(trial.view.twin) <= 100
    assert len(trial.notes) == 4
    assert len(trial.with_twin(others).view.twin) <= 100


def test_bulk_cohorts_are_held_whole(monkeypatch):
    bulk = ts.datasets.simulate_cohort(10, 10, 50, seed=0)
    monkeypatch.setattr(holding, "MOST_CELLS", 5)
    assert held(bulk, 0)[0] is bulk


def test_few_cells_are_a_budget(parts):
    members, others, reference, _ = parts
    trial = Trial.of(members, members, others, reference).on_cells(3)
    names, sizes = np.unique(trial.donors, return_counts=True)
    assert sizes.max() == 3
    assert len(names) == len(set(members.donors()) | set(others.donors()))
    assert trial.view.targets.people.tolist() == trial.donors.tolist()


def test_classes_of_label_and_cell_type_reach_a_generator_and_come_back(parts):
    members, others, reference, _ = parts
    view = Trial.of(members, members, others, reference).view
    model = KnownGenerator("scdesign2").fit(view.reference, 0)
    drawn = model.draw(view.targets.labels[:20], 1)
    assert drawn.cells
    assert drawn.labels.tolist() == view.targets.labels[:20].tolist()
    fitted = ts.generators.create("scdesign2").fit(members, seed=0)
    assert KnownModel(fitted, None, members.genes).draw(view.targets.labels[:20], 1).values.shape == (20, 80)


@pytest.mark.slow
def test_a_leaking_twin_is_caught_and_the_controls_come_out(parts):
    members, others, reference, _ = parts
    model = ts.generators.create("scdesign2").fit(members, seed=0)
    known = KnownModel(model, None, members.genes)
    found, _ = attack_twin(members, model.sample(seed=1), others, reference, KnownGenerator("scdesign2"), known)
    assert [control.passed for control in found.controls] == [True, True, True]
    assert found.outcome == "leak"
    assert [row.get("cells") for row in found.partial] == [1, 10]
    assert all(row["n_tried"] > 20 for row in found.partial)
    assert "T3" in {headline.level for headline in found.headlines}


@pytest.mark.slow
def test_a_twin_of_strangers_is_not_accused(parts):
    members, others, reference, strangers = parts
    twin = ts.generators.create("scdesign2").fit(strangers, seed=0).sample(seed=1)
    found, _ = attack_twin(members, twin, others, reference)
    assert found.outcome in ("no leak found", "inconclusive")


@pytest.mark.slow
def test_a_procedure_is_attacked_with_cells_that_it_never_saw(cohort):
    found, _ = attack_procedure(cohort, KnownGenerator("scdesign2", genes=cohort.genes), splits=1)
    assert found.outcome == "leak"
    unseen = [row for row in found.partial if row.get("unseen")]
    assert len(unseen) == 1
    assert 0 <= unseen[0]["auc_ci"][0] <= unseen[0]["auc"] <= unseen[0]["auc_ci"][1] <= 1
