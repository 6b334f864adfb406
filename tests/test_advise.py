"""The adviser: what it ranks first, where its figures come from, what it says of size."""

import json
import runpy
from pathlib import Path

import pandas as pd
import pytest
from anndata import AnnData

import twinseq as ts
from twinseq.advise import STANDINGS, Advice, advise
from twinseq.cohort import Cohort
from twinseq.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]


def design(donors: int, genes: int, kind: str = "continuous") -> Cohort:
    """Return a cohort of which nothing but the design can be read: all values are zero."""
    import scipy.sparse as sp

    obs = pd.DataFrame({"group": ["a", "b"] * (donors // 2)}, index=[f"s{row}" for row in range(donors // 2 * 2)])
    values = sp.csr_matrix((len(obs), genes), dtype="float32")
    return Cohort(AnnData(values, obs=obs), label="group", kind=kind)


@pytest.fixture(scope="module")
def large() -> Advice:
    return advise(design(1000, 1354), "classify", policy="partner", rehearse=False)


def test_what_gives_too_much_away_is_never_ahead_of_what_does_not(large: Advice):
    places = [STANDINGS.index(one.standing) for one in large.options]
    assert places == sorted(places)
    faithful = next(one for one in large.options if one.preset == "faithful")
    assert faithful.standing == "gives too much away"
    assert "0.70" in faithful.reason


def test_the_best_of_those_that_suit_leads(large: Advice):
    first = large.options[0]
    assert first.standing == "suits"
    assert first.epsilon is not None
    rest = [one for one in large.options if one.standing == "suits"]
    assert first.figure("f1_ratio").value == max(one.figure("f1_ratio").value for one in rest)


def test_every_figure_is_one_of_a_committed_table(large: Advice):
    for option in large.options:
        for one in option.expected:
            file = one.source.partition(",")[0]
            assert (ROOT / file).is_file()
            assert f"{one.value:.2f}"[:4] in (ROOT / file).read_text() or f"{one.value:g}" in (ROOT / file).read_text()


def test_what_the_package_says_stands_in_the_tables():
    """A table that has grown does no harm; one that says something else has to be gathered anew."""
    script = runpy.run_path(str(ROOT / "benchmarks" / "advice.py"))
    known = {json.dumps(row) for row in json.loads(script["gathered"]())["rows"]}
    ours = json.loads((ROOT / "src" / "twinseq" / "advice.json").read_text(encoding="utf-8"))["rows"]
    assert len(ours) > 150
    assert [row for row in ours if json.dumps(row) not in known] == []


def test_a_cohort_far_from_all_measured_ones_is_told_so():
    found = advise(design(60, 20_000), "classify", policy="partner", rehearse=False)
    assert not any(one.standing == "suits" for one in found.options)
    assert "Nothing that was measured on a cohort like yours" in found.notes[0]
    private = next(one for one in found.options if one.generator == "dp-cvae" and one.epsilon == 4)
    assert "far from yours" in private.reason
    assert "expect worse figures" in private.reason


def test_private_twins_are_rehearsed_at_the_numbers_of_the_cohort():
    found = advise(design(400, 60), "classify", policy="partner")
    one = next(one for one in found.options if one.generator == "dp-copula" and one.epsilon == 2)
    assert one.figure("f1_ratio").source == "twinseq plan"
    assert (one.figure("f1_ratio").donors, one.figure("f1_ratio").genes) == (400, 60)


def test_too_few_donors_for_the_policy_is_told():
    notes = " ".join(advise(design(20, 500), "de", policy="open", rehearse=False).notes)
    assert "nothing passes it" in notes
    assert "knows an AUC to ±" in notes


def test_a_basis_moves_what_needs_one_into_the_ranking(large: Advice, tmp_path: Path):
    public = ts.datasets.simulate_cohort(n_cases=15, n_controls=15, n_genes=50, seed=3)
    ts.build_basis(public).save(tmp_path / "p.basis")
    assert not any(one.basis for one in large.options)
    assert any("With a public basis" in note for note in large.notes)
    found = advise(design(1000, 1354), "classify", policy="partner", basis=tmp_path / "p.basis", rehearse=False)
    assert any(one.basis for one in found.options)


def test_cells_get_generators_of_cells():
    cells = ts.datasets.simulate_cells(n_cases=4, n_controls=4, cells_per_donor=10, n_genes=30, seed=0)
    found = advise(cells, "share")
    assert {"scdesign2", "dp-scdesign"} <= {one.generator for one in found.options}
    assert not any(one.generator == "cvae" for one in found.options)


def test_plain_values_are_json_and_unknown_tasks_are_refused(large: Advice):
    assert json.loads(json.dumps(large.to_dict()))["task"] == "classify"
    with pytest.raises(ConfigError, match="did you mean 'classify'"):
        advise(design(40, 30), "clasify")
