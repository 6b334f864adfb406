"""Attacks from the command line: generators audited without a twin, levels opened by what is known, bad input."""

import json

import pytest

import twinseq as ts


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A small cohort whole and in three parts, a fitted model and its twin."""
    folder = tmp_path_factory.mktemp("attacks")
    whole = ts.datasets.simulate_cohort(n_cases=45, n_controls=45, n_genes=120, seed=2)
    ts.write(whole, folder / "cohort.h5ad")
    for name, part in zip(("train", "holdout", "reference"), whole.split((0.34, 0.33, 0.33), seed=0), strict=True):
        ts.write(part, folder / f"{name}.h5ad")
        if name == "train":
            model = ts.generators.create("mvn").fit(part, seed=0)
            model.save(folder / "model.npz")
            ts.write(model.sample(seed=1), folder / "twin.h5ad")
    return folder


def test_a_generator_is_audited_without_a_twin(twinseq, parts, tmp_path):
    ended = twinseq("audit", parts / "cohort.h5ad", "-g", "mvn", "--splits", 2, "-o", tmp_path / "report")
    assert (ended.code, ended.err) == (0, "")
    assert "Verdict: leak" in ended.out
    content = json.loads((tmp_path / "report" / "metrics.json").read_text(encoding="utf-8"))
    assert content["red_team"]["mode"] == "procedure"
    assert content["provenance"]["generator"]["name"] == "mvn"
    assert content["provenance"]["splits"] == 2
    assert {attack["level"] for attack in content["attacks"]} == {"T0", "T1", "T2", "T3"}
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "What mvn gives away of cohort.h5ad" in page
    assert "How to read the figures" not in page


def test_a_model_file_opens_the_white_box(twinseq, parts, tmp_path):
    files = [parts / "train.h5ad", parts / "twin.h5ad", "--holdout", parts / "holdout.h5ad"]
    files += ["--reference", parts / "reference.h5ad", "--model", parts / "model.npz"]
    ended = twinseq("audit", *files, "-o", tmp_path / "report", "--json")
    assert ended.code == 0
    content = json.loads(ended.out)
    assert [headline["level"] for headline in content["red_team"]["headlines"]] == ["T0", "T1", "T3"]
    white = [attack for attack in content["attacks"] if attack["name"] == "white_box_tracing"]
    assert white[0]["status"] == "measured"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Give a TWIN to be audited, or --generator NAME"),
        (["-g", "copla"], "did you mean 'copula'"),
        (["-g", "copula", "--holdout", "holdout.h5ad"], "--holdout goes with a TWIN"),
        (["-g", "copula", "--set", "factors=many"], "factors must be"),
        (["--preset", "faithful"], "--preset and --set go with --generator"),
        (["-g", "mvn", "--model", "model.npz"], "--model says which generator"),
        (["--model", "cohort.h5ad"], "model"),
    ],
)
def test_what_does_not_fit_together_is_refused(twinseq, parts, tmp_path, words, message):
    given = [parts / word if word.endswith((".h5ad", ".npz")) else word for word in words]
    ended = twinseq("audit", parts / "cohort.h5ad", *given, "-o", tmp_path / "report")
    assert ended.code == 2
    assert message in ended.err
    assert not (tmp_path / "report").exists()


def test_too_few_donors_for_three_parts_are_refused(twinseq, tmp_path):
    few = ts.datasets.simulate_cohort(n_cases=2, n_controls=20, n_genes=50, seed=0)
    ts.write(few, tmp_path / "few.h5ad")
    ended = twinseq("audit", tmp_path / "few.h5ad", "-g", "mvn", "-o", tmp_path / "report")
    assert ended.code == 2
    assert "too few for part" in ended.err
    assert not (tmp_path / "report").exists()
