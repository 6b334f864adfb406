"""Private twins from the command line: claims, the ledger of a cohort, public bases."""

import json

import numpy as np
import pytest

import twinseq as ts
from twinseq.dp.claims import read_claim, read_releases

from .conftest import everything_in, hospital_cohort, identities

DP = ("--preset", "dp", "--epsilon", "4", "--delta", "1e-3", "--set", "ranges=age=18:100")


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    path = tmp_path_factory.mktemp("private") / "real.h5ad"
    ts.write(hospital_cohort(seed=5, n=60), path)
    return path


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    path = tmp_path_factory.mktemp("public") / "public.h5ad"
    ts.write(hospital_cohort(seed=6, n=40), path)
    return path


def test_a_private_twin_has_its_claim_beside_it(twinseq, real, tmp_path):
    ended = twinseq("generate", real, *DP, "-o", tmp_path / "twin.h5ad")
    assert ended.code == 0
    assert "Guarantee: (4, 0.001)-differential privacy of donors" in ended.out
    claim = read_claim(tmp_path / "twin.h5ad.ledger.json")
    assert (claim.generator, claim.epsilon, claim.delta) == ("dp-copula", 4.0, 1e-3)
    assert claim.spent == pytest.approx(4.0, rel=1e-3)
    measured = [query.measured for query in claim.ledger.queries]
    assert measured[0] == "number of donors in each class"
    assert any("covariate" in text for text in measured)
    twin = ts.read(tmp_path / "twin.h5ad", label="condition", donor=None)
    assert twin.obs["sex"].notna().all()
    assert twin.obs["age"].between(18, 100).all()
    written = b"".join(everything_in(tmp_path).values())
    assert not any(name.encode() in written for name in identities(ts.read(real)))


@pytest.mark.parametrize("asked", [("--preset", "dp"), ("-g", "scdesign2", "--preset", "dp"), ("-g", "dp-scdesign")])
def test_cells_have_a_generator_of_their_own(twinseq, tmp_path, asked):
    cells = ts.datasets.simulate_cells(15, 15, 60, cells_per_donor=12)
    ts.write(cells, tmp_path / "cells.h5ad")
    promise = ("--epsilon", "20", "--delta", "1e-3", "--set", "ranges=age=18:90")
    ended = twinseq("generate", tmp_path / "cells.h5ad", *asked, *promise, "--n", "200", "-o", tmp_path / "twin.h5ad")
    assert ended.code == 0
    claim = read_claim(tmp_path / "twin.h5ad.ledger.json")
    assert (claim.generator, claim.epsilon) == ("dp-scdesign", 20.0)
    twin = ts.read(tmp_path / "twin.h5ad", donor=None)
    assert (twin.n_samples, twin.cell_type) == (200, "cell_type")
    assert np.array_equal(twin.dense(), np.rint(twin.dense()))
    assert b"donor-0-" not in (tmp_path / "twin.h5ad").read_bytes()


def test_a_basis_of_cells_is_built_and_used(twinseq, tmp_path):
    for number, name in enumerate(("cells", "public")):
        # Donors are named by the seed.
        ts.write(ts.datasets.simulate_cells(15, 15, 60, cells_per_donor=20, seed=number), tmp_path / f"{name}.h5ad")
    ended = twinseq("basis", "build", tmp_path / "public.h5ad", "-o", tmp_path / "b.basis", "--json")
    assert (ended.json["types"], ended.json["genes"]) == (["type1", "type2", "type3", "type4"], 60)
    promise = ("--preset", "dp", "--epsilon", "2", "--delta", "1e-3", "--set", "ranges=age=18:90")
    for how in (("--basis", tmp_path / "b.basis"), ("--public", tmp_path / "public.h5ad")):
        twin = tmp_path / f"twin{len(how[0])}.h5ad"
        assert twinseq("generate", tmp_path / "cells.h5ad", *promise, *how, "-o", twin).code == 0
        claim = read_claim(twin.with_name(twin.name + ".ledger.json"))
        assert claim.generator == "dp-scdesign"
        assert any("the basis, built from" in text for text in claim.ledger.public)
    ended = twinseq("basis", "build", tmp_path / "public.h5ad", "-o", tmp_path / "c.basis", "--factors", "3")
    assert (ended.code, "has as many factors as stand out" in ended.err) == (2, True)


def test_releases_of_a_cohort_add_up(twinseq, real, tmp_path):
    ledger = tmp_path / "cohort.json"
    totals = []
    for number in (1, 2):
        ended = twinseq("generate", real, *DP, "--ledger", ledger, "-o", tmp_path / f"{number}.h5ad", "--json")
        assert (ended.code, ended.json["releases"]) == (0, number)
        totals.append(ended.json["released_epsilon"])
    assert totals[0] == pytest.approx(4.0, rel=1e-3)
    assert totals[0] < totals[1] < 8
    assert len(read_releases(ledger)) == 2


def test_a_basis_is_built_and_used(twinseq, real, public, tmp_path):
    ended = twinseq("basis", "build", public, "-o", tmp_path / "b.basis", "--json")
    assert ended.code == 0
    assert (ended.json["samples"], ended.json["genes"], ended.json["axes"]) == (80, 300, 26)
    words = ("generate", real, *DP, "--basis", tmp_path / "b.basis", "-o", tmp_path / "twin.h5ad")
    assert twinseq(*words).code == 0
    claim = read_claim(tmp_path / "twin.h5ad.ledger.json")
    assert claim.parameters["basis"] == "b.basis"  # no folder
    assert any("the basis, built from 80 samples" in text for text in claim.ledger.public)
    plain = twinseq("generate", real, "--basis", tmp_path / "b.basis", "-o", tmp_path / "plain.h5ad", "--json")
    assert plain.json["generator"] == "basis-copula"


def test_a_public_cohort_becomes_a_basis_beside_the_twin(twinseq, real, public, tmp_path):
    ended = twinseq("generate", real, *DP, "--public", public, "-o", tmp_path / "twin.h5ad", "--json")
    assert ended.code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "twin.h5ad", "twin.h5ad.basis", "twin.h5ad.ledger.json",
    ]  # fmt: skip


def test_the_report_repeats_and_tests_the_claim(twinseq, real, tmp_path):
    parts, twin = tmp_path / "parts", tmp_path / "twin.h5ad"
    assert twinseq("split", real, "--fractions", 0.6, 0.4, "-o", parts).code == 0
    # With a smaller budget, noise takes the library sizes of so few donors far from real ones now and then.
    assert twinseq("generate", parts / "train.h5ad", *DP, "--epsilon", "40", "-o", twin).code == 0
    words = ("audit", parts / "train.h5ad", twin, "--holdout", parts / "holdout.h5ad", "-o", tmp_path / "report", "-q")
    assert twinseq(*words).code == 0
    content = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert [claim["epsilon"] for claim in content["ledger"]] == [40.0]
    page = (tmp_path / "report" / "report.html").read_text()
    assert "What is promised" in page
    assert "No attack of this audit refutes it" in page
    # A claim that was tampered with is no claim.
    claim = twin.with_name("twin.h5ad.ledger.json")
    claim.write_text(claim.read_text().replace('"epsilon": 40.0', '"epsilon": 0.1'))
    ended = twinseq(*words)
    assert ended.code == 2
    assert "it promises 0.1" in ended.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--preset", "dp", "--epsilon", "4"), "State delta"),
        (("--preset", "dp", "--delta", "1e-3"), "State epsilon"),
        (("--preset", "dp", "--epsilon", "0", "--delta", "1e-3"), "epsilon must be above 0"),
        (("--preset", "dp", "--epsilon", "-1", "--delta", "1e-3"), "epsilon must be above 0"),
        (("--preset", "dp", "--epsilon", "4", "--delta", "0.1"), "one over the number of donors"),
        (("--preset", "dp", "--epsilon", "4", "--delta", "1e-3"), "'age' is a quantity, and its range"),
        (("-g", "smote", "--preset", "dp", "--epsilon", "4"), "There is no generator 'dp-smote'"),
        (("-g", "mvn", "--epsilon", "4"), "'mvn' gives no guarantee"),
        (("-g", "mvn", "--ledger", "l.json"), "gives no guarantee to be written down"),
        (("-g", "mvn", "--basis", "b.basis"), "uses no public basis"),
        (("--basis", "b.basis", "--public", "p.h5ad"), "either --basis or --public"),
        (("--basis", "b.basis"), "no such file"),
    ],
)
def test_bad_input_writes_nothing(twinseq, real, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    ended = twinseq("generate", real, *words, "-o", tmp_path / "twin.h5ad")
    assert ended.code == 2
    assert message in " ".join(ended.err.split())
    assert list(tmp_path.iterdir()) == []


def test_private_samples_are_no_public_ones(twinseq, real, tmp_path):
    ended = twinseq("generate", real, *DP, "--public", real, "-o", tmp_path / "twin.h5ad")
    assert ended.code == 2
    assert "is not public" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_what_a_large_epsilon_is_worth_is_said(twinseq, real, tmp_path):
    words = ("generate", real, *DP, "--epsilon", "80", "-o", tmp_path / "twin.h5ad", "-q")
    ended = twinseq(*words)
    assert ended.code == 0
    assert "a guarantee in name only" in " ".join(ended.err.split())
    assert np.isfinite(ts.read(tmp_path / "twin.h5ad").dense()).all()
