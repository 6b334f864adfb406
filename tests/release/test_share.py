"""The preset `share` in a release: who searches, for what, and that the audit deals others than the search."""

import dataclasses
from pathlib import Path

import pytest

import twinseq as ts
from twinseq.cohort import Cohort
from twinseq.errors import CohortError, ConfigError
from twinseq.policy import read_policy
from twinseq.release import Release
from twinseq.release_command import show
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


@pytest.mark.parametrize("asked", [{"epsilon": 4.0}, {"delta": 1e-5}, {"settings": {"factors": 3}}])
def test_what_a_search_would_leave_aside_is_refused(cohort: Cohort, tmp_path: Path, asked: dict[str, object]):
    # A guarantee that was asked for and not given would be taken for one.
    with pytest.raises(ConfigError, match=f"^{next(iter(asked))}: the preset 'share'"):
        ts.release(cohort, tmp_path / "r", **asked)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    "asked", [{"target_auc": 0.6}, {"min_de_recall": 0.5}, {"basis": "x.basis"}, {"preset": "share", "epsilon": 4.0}]
)
def test_of_cells_nothing_is_left_aside_either(tmp_path: Path, asked: dict[str, object]):
    cells = ts.datasets.simulate_cells(n_cases=3, n_controls=3, cells_per_donor=4, n_cell_types=2, n_genes=20, seed=0)
    with pytest.raises(ConfigError, match=list(asked)[-1]):
        ts.release(cells, tmp_path / "r", **asked)
    assert not (tmp_path / "r").exists()


def test_where_nothing_is_searched_it_is_said_with_what_to_do_instead(cohort: Cohort, tmp_path: Path, capsys):
    made = ts.release(
        dataclasses.replace(cohort, label=None), tmp_path / "r", splits=1, metrics=["exact_copies"], policy="internal"
    )
    show(made)
    printed = capsys.readouterr().out
    for text in (printed, (made.folder / "README.txt").read_text(), (made.folder / "report.html").read_text()):
        plain = " ".join(text.split())
        assert "Nothing was searched: a search keeps what tells classes apart, and the cohort has no label." in plain
        assert "The generator copula was taken as it is" in plain
        assert "State the column of the classes (--label)" in plain
    assert "stated beforehand" not in (made.folder / "README.txt").read_text()


def test_what_was_stated_is_called_so(released: Release):
    assert "Generator and settings were stated beforehand" in (released.folder / "README.txt").read_text()


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
    assert procedure.choice.startswith("Nothing was searched: there is a search for bulk profiles only.")
    assert "--set public=FILE" in procedure.choice
    assert not list(tmp_path.iterdir())
