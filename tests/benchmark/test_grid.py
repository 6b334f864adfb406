"""Grids: what a good one means, and what is said of a bad one, with its line."""

import pytest

from twinseq.benchmark.grid import read_grid
from twinseq.benchmark.inputs import data_digest, load_cohort
from twinseq.benchmark.tasks import units
from twinseq.datasets import simulate_cohort
from twinseq.errors import CohortError
from twinseq.io import write
from twinseq.places import PlaceError

SIMULATED = "cohorts:\n  - simulate: {n_cases: 20, n_controls: 20, n_genes: 50}\n"
COPULA = "generators:\n  - copula\n"


@pytest.fixture
def grid(tmp_path):
    def read(text):
        path = tmp_path / "grid.yaml"
        path.write_text(text)
        return read_grid(path)

    return read


def test_what_is_not_stated_has_a_default(grid):
    found = grid(SIMULATED + COPULA)
    assert found.title == "grid"
    assert [cohort.name for cohort in found.cohorts] == ["simulate"]
    assert (found.splits, found.fractions, found.seed) == (1, (0.6, 0.2, 0.2), 0)
    assert (found.attacks, found.slow) == (True, False)
    assert "mmd" in found.metrics
    assert not any("survival" in name or "pathway" in name for name in found.metrics)


def test_everything_that_can_be_stated(grid, tmp_path):
    write(simulate_cohort(n_cases=10, n_controls=10, n_genes=30), tmp_path / "real.h5ad")
    (tmp_path / "genes.txt").write_text("a\nb\n")
    (tmp_path / "sets.gmt").write_text("set\tabout\ta\tb\n")
    found = grid(
        """
title: Everything
seed: 7
cohorts:
  - {name: mine, file: real.h5ad, label: condition, covariates: [sex], kind: counts, genes: genes.txt,
     where: {condition: [case, control], sex: female}, scale: log2-cpm}
  - dataset: tb-blood-44
generators:
  - {generator: copula, preset: faithful, set: {factors: 3}}
  - {name: dp, generator: dp-copula, set: {epsilon: 4, delta: 1e-3}}
  - {name: other, command: "prog {train} {twin} {seed}", timeout: 60}
splits: {number: 3, fractions: [0.5, 0.5]}
metrics: [biology, mmd]
attacks: all
gene_sets: [sets.gmt]
"""
    )
    mine, public = found.cohorts
    assert (mine.name, mine.log_cpm, mine.where) == (
        "mine",
        True,
        {"condition": ("case", "control"), "sex": ("female",)},
    )
    assert mine.roles == {"label": "condition", "covariates": ("sex",), "kind": "counts"}
    assert (public.source, public.value) == ("dataset", "tb-blood-44")
    assert [maker.name for maker in found.generators] == ["copula faithful factors=3", "dp", "other"]
    assert found.generators[1].settings == {"epsilon": 4, "delta": 1e-3}
    assert (found.splits, found.fractions, found.seed, found.slow) == (3, (0.5, 0.5), 7, True)
    assert found.metrics[-1] == "mmd"
    assert {"de_recall", "pathway_nes_r"} <= set(found.metrics)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", "", "the file is empty"),
        ("cohorts: [", ", line 1", "not YAML"),
        ("- a\n", ", line 1", "expected keys (title, cohorts"),
        (SIMULATED, ", line 1", "'generators' is missing"),
        (SIMULATED + COPULA + "metric: [mmd]\n", ", line 5", "unknown key 'metric'; did you mean 'metrics'?"),
        (SIMULATED + COPULA + "seed: 1\nseed: 2\n", ", line 6", "seed: stated twice"),
        (SIMULATED + COPULA + "seed: -1\n", ", line 5", "seed: expected a whole number of at least 0, not '-1'"),
        (SIMULATED + COPULA + "seed: true\n", ", line 5", "expected a whole number"),
        (SIMULATED + COPULA + "metrics: [mmmd]\n", ", line 5", "metrics[0]: 'mmmd' is not known; did you mean 'mmd'?"),
        (SIMULATED + COPULA + "attacks: some\n", ", line 5", "attacks: 'some' is not known"),
        (SIMULATED + COPULA + "splits: {fractions: [0.9, 0.3]}\n", ", line 5", "splits.fractions: give two or three"),
        (SIMULATED + COPULA + "splits: 3\n", ", line 5", "splits: expected keys (number, fractions), not '3'"),
        (SIMULATED + "generators: copula\n", ", line 3", "generators: expected a list"),
        (SIMULATED + "generators: []\n", ", line 3", "generators: the list is empty"),
        (SIMULATED + "generators:\n  - copla\n", ", line 4", "'copla' is not known; did you mean 'copula'?"),
        (SIMULATED + "generators:\n  - copula\n  - copula\n", ", line 5", "the name 'copula' is taken"),
        (SIMULATED + "generators:\n  - {preset: x}\n", ", line 4", "state either generator or command"),
        (SIMULATED + "generators:\n  - generator: mvn\n    set: {nois: 1}\n", ", line 4", "did you mean 'noise'?"),
        (SIMULATED + "generators:\n  - {command: prog}\n", ", line 4", "{train} is missing"),
        (
            SIMULATED + 'generators:\n  - {command: "p {train} {twin}", set: {a: 1}}\n',
            ", line 4",
            "has no settings here",
        ),
        ("cohorts:\n  - {name: a}\n" + COPULA, ", line 2", "state one of file, dataset, simulate"),
        ("cohorts:\n  - {file: no.h5ad}\n" + COPULA, ", line 2", "cohorts[0].file: there is no file"),
        ("cohorts:\n  - {dataset: tb-blod-44}\n" + COPULA, ", line 2", "did you mean 'tb-blood-44'?"),
        ("cohorts:\n  - simulate: {n_case: 3}\n" + COPULA, ", line 2", "did you mean 'n_cases'?"),
        ("cohorts:\n  - simulate: {}\n    kind: coutns\n" + COPULA, ", line 3", "kind: 'coutns' is not known"),
        (
            SIMULATED + COPULA + "attacks: [mean_tracin]\n",
            ", line 5",
            "attacks[0]: 'mean_tracin' is not known; did you",
        ),
        (SIMULATED + COPULA + "attacks: [T4]\n", ", line 5", "attacks[0]: 'T4' is not known"),
        (SIMULATED + COPULA + "policies: [partnr]\n", ", line 5", "policies[0]: 'partnr' is not known; did you mean"),
        (SIMULATED + COPULA + "policies: [open, open]\n", ", line 5", "policies[1]: a policy 'open' is named already"),
        (SIMULATED + COPULA + "policies: [no.yaml]\n", ", line 5", "policies[0]: there is no file"),
        (SIMULATED + COPULA + "policies: partner\n", ", line 5", "policies: expected a list"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(grid, tmp_path, text, line, words):
    with pytest.raises(PlaceError) as caught:
        grid(text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'grid.yaml'}{line}:")
    assert words in message


def test_attacks_and_policies_by_name(grid, tmp_path):
    (tmp_path / "board.yaml").write_text("based_on: partner\nauc: {at_most: 0.65, why: decided}\n", encoding="utf-8")
    found = grid(SIMULATED + COPULA + "attacks: [mean_tracing, T1]\npolicies: [open, board.yaml]\n")
    assert (found.attacks, found.slow, found.chosen) == (True, False, ("mean_tracing", "T1"))
    assert [policy.name for policy in found.policies] == ["open", "board.yaml"]
    assert found.policies[1].auc.value == 0.65
    plain = grid(SIMULATED + COPULA)
    assert (plain.chosen, plain.policies) == ((), ())


def test_a_policy_that_cannot_be_used_is_named_with_its_own_line(grid, tmp_path):
    (tmp_path / "board.yaml").write_text("title: x\nauk: {at_most: 0.65}\n", encoding="utf-8")
    with pytest.raises(PlaceError, match=r"board\.yaml, line 2: unknown key 'auk'"):
        grid(SIMULATED + COPULA + "policies: [board.yaml]\n")


def test_nothing_in_a_grid_is_executed(grid, tmp_path):
    with pytest.raises(PlaceError, match="line 1"):
        grid(f"title: !!python/object/apply:os.mkdir ['{tmp_path / 'made'}']\n" + SIMULATED + COPULA)
    assert not (tmp_path / "made").exists()


def test_a_missing_grid(tmp_path):
    with pytest.raises(PlaceError, match=r"no\.yaml: cannot be read"):
        read_grid(tmp_path / "no.yaml")


def test_cohorts_are_what_the_grid_keeps_of_them(grid, tmp_path):
    whole = simulate_cohort(n_cases=12, n_controls=12, n_genes=30, seed=1)
    write(whole, tmp_path / "real.h5ad")
    (tmp_path / "genes.txt").write_text("\n".join(whole.genes[:10]))
    text = "cohorts:\n  - {file: real.h5ad, genes: genes.txt, where: {condition: case}, scale: log2-cpm}\n"
    (entry,) = grid(text + COPULA).cohorts
    cohort = load_cohort(entry)
    assert (cohort.n_samples, cohort.n_genes, cohort.kind) == (12, 10, "continuous")
    assert set(cohort.labels()) == {"case"}
    for kept, words in (("{sexx: male}", "no column 'sexx'"), ("{sex: none}", "no sample has sex = none")):
        (entry,) = grid(f"cohorts:\n  - {{file: real.h5ad, where: {kept}}}\n" + COPULA).cohorts
        with pytest.raises(CohortError, match=words):
            load_cohort(entry)


def test_keys_hang_on_data_settings_and_seeds_and_on_nothing_else(grid, tmp_path):
    cohort = simulate_cohort(n_cases=10, n_controls=10, n_genes=30)
    write(cohort, tmp_path / "real.h5ad")
    text = "cohorts: [{name: NAME, file: real.h5ad}]\ngenerators: [{name: TITLE, generator: mvn, set: {noise: 0.5}}]\n"
    (unit,) = units(grid(text))
    (renamed,) = units(grid(text.replace("NAME", "other").replace("TITLE", "another") + "title: new\n"))
    assert (renamed.fit_key, renamed.audit_key) == (unit.fit_key, unit.audit_key)
    (judged,) = units(grid(text + "metrics: [mmd]\n"))
    assert judged.fit_key == unit.fit_key
    assert judged.audit_key != unit.audit_key
    changes = [text.replace("0.5", "0.6"), text + "seed: 1\n", text + "splits: {fractions: [0.5, 0.3, 0.2]}\n"]
    changes.append(text.replace("real.h5ad", "real.h5ad, label: sex"))
    keys = {unit.fit_key, *(units(grid(change))[0].fit_key for change in changes)}
    adata = cohort.adata.copy()
    adata.X[0, 0] += 1
    write(cohort.with_adata(adata), tmp_path / "real.h5ad")
    keys.add(units(grid(text))[0].fit_key)
    assert len(keys) == 6


def test_data_digests_see_what_is_beside_a_table(grid, tmp_path):
    write(simulate_cohort(n_cases=10, n_controls=10, n_genes=30), tmp_path / "real.csv")
    (entry,) = grid("cohorts:\n  - {file: real.csv, label: condition}\n" + COPULA).cohorts
    before = data_digest(entry)
    beside = tmp_path / "real.samples.csv"
    beside.write_text(beside.read_text().replace("case", "Case"))
    assert data_digest(entry) != before


def test_first_splits_come_first(grid):
    found = units(grid(SIMULATED + "generators: [copula, mvn]\nsplits: {number: 2}\n"))
    assert [(unit.split, unit.generator.name) for unit in found] == [
        (0, "copula"),
        (0, "mvn"),
        (1, "copula"),
        (1, "mvn"),
    ]
    assert [unit.seed for unit in found] == [0, 0, 1, 1]


def test_a_program_that_changed_is_run_anew(grid, tmp_path):
    program = tmp_path / "maker.py"
    program.write_text("1")
    text = SIMULATED + 'generators: [{command: "python maker.py {train} {twin}"}]\n'
    before = units(grid(text))[0].fit_key
    assert units(grid(text))[0].fit_key == before
    program.write_text("2")
    assert units(grid(text))[0].fit_key != before
