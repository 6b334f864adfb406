"""The preset `share` in a release: who searches, for what, and that the audit deals others than the search."""

import dataclasses
from pathlib import Path

import pytest

import twinseq as ts
from twinseq.cohort import Cohort
from twinseq.errors import CohortError, ConfigError
from twinseq.policy import read_policy
from twinseq.releasing.kept import Kept
from twinseq.releasing.shared import Wanted, floor_of, is_shared, target_of, tuned
from twinseq.sharing import Setting

from .conftest import cohort_of

TWO = (
    Setting("share-copula", {"factors": 1, "mean_noise": 8.0, "loading_noise": 8.0, "offset_noise": 2.0}),
    Setting("share-copula", {"factors": 3, "within": 1, "mean_noise": 8.0}),
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory):
    """What a search among two settings has found, and where it is kept."""
    kept = Kept(tmp_path_factory.mktemp("kept"))
    cohort = cohort_of(n=14, n_genes=40)
    steps: list[int] = []
    wanted = Wanted(target_auc=0.7, candidates=TWO)
    given = {"cohort": "x"}
    procedure = tuned(
        cohort, wanted, read_policy("partner"), 0, 1, kept, given, lambda done, total, text: steps.append(done)
    )
    return procedure, kept, cohort, wanted, given, steps


def test_the_chosen_setting_is_the_procedure_and_the_rest_is_the_frontier(found):
    procedure, *_, steps = found
    chosen = procedure.frontier[procedure.frontier["chosen"]]
    assert len(chosen)
    assert procedure.generator.info.name == chosen["generator"].iloc[0] == "share-copula"
    assert procedure.reasons
    assert "2 settings" in procedure.choice
    assert "had no part in the choice" in procedure.choice
    assert steps == sorted(steps)


def test_a_search_is_taken_up(found):
    procedure, kept, cohort, wanted, given, _ = found
    said: list[str] = []
    again = tuned(cohort, wanted, read_policy("partner"), 0, 1, kept, given, lambda *step: said.append(step[2]))
    assert not said
    assert again.generator.params() == procedure.generator.params()
    assert again.frontier.equals(procedure.frontier)
    assert again.reasons == procedure.reasons


def test_who_searches(cohort: Cohort):
    assert is_shared(cohort, None, None)
    assert is_shared(cohort, "copula", "share")
    assert not is_shared(cohort, "copula", None)
    assert not is_shared(cohort, None, "faithful")
    assert not is_shared(dataclasses.replace(cohort, label=None), None, None)
    with pytest.raises(ConfigError, match="not of this generator"):
        is_shared(cohort, "mvn", "share")


def test_a_target_needs_a_search_and_a_search_a_label(cohort: Cohort, tmp_path: Path):
    with pytest.raises(ConfigError, match="target_auc"):
        ts.release(cohort, tmp_path / "r", preset="faithful", target_auc=0.6)
    with pytest.raises(CohortError, match="label"):
        ts.release(dataclasses.replace(cohort, label=None), tmp_path / "r", preset="share")
    assert not (tmp_path / "r").exists()


def test_the_target_is_the_limit_of_the_policy():
    assert target_of(read_policy("partner")) == read_policy("partner").auc.value
    assert target_of(dataclasses.replace(read_policy("partner"), auc=None)) is None


def test_the_floor_of_the_policy_is_the_least_replication_searched_for():
    policy = read_policy("partner")
    stated = {name: value for name, _, value in policy.fidelity[0].first_of}
    assert floor_of(policy) == stated["lfc_replication"]
    assert floor_of(dataclasses.replace(policy, fidelity=())) is None


def test_cells_get_the_limited_preset_and_nothing_is_searched(tmp_path: Path):
    cells = ts.datasets.simulate_cells(n_cases=3, n_controls=3, cells_per_donor=10, n_cell_types=2, n_genes=30, seed=0)
    assert is_shared(cells, None, None)
    procedure = tuned(cells, Wanted(), read_policy("open"), 0, 1, Kept(tmp_path), {}, lambda *step: None)
    assert procedure.generator.info.name == "cell-copula"
    assert procedure.generator.params()["contrast"] > 0
    assert procedure.frontier is None
    assert not list(tmp_path.iterdir())
