"""`twinseq split`, `twinseq list`, and what holds for every command."""

import re

import pytest

import twinseq as ts
from twinseq import attacks

PARTS = ["train", "holdout", "reference"]


@pytest.mark.parametrize("source", ["c.h5ad", "c.csv", "c.csv.gz", "c.tsv", "c.parquet", "c.mtx"])
def test_parts_are_disjoint_and_in_the_format_of_the_cohort(twinseq, files, tmp_path, cohort, source):
    ended = twinseq("split", files / source, "--label", "condition", "--donor", "donor", "-o", tmp_path, "--json")
    assert (ended.code, ended.err) == (0, "")
    suffix = ".h5ad" if source.endswith("mtx") else source.removeprefix("c")
    assert [ended.json[name]["file"] for name in PARTS] == [str(tmp_path / f"{name}{suffix}") for name in PARTS]
    parts = [ts.read(tmp_path / f"{name}{suffix}", label="condition", donor="donor") for name in PARTS]
    assert [part.n_samples for part in parts] == [ended.json[name]["samples"] for name in PARTS] == [24, 8, 8]
    assert sorted(name for part in parts for name in part.adata.obs_names) == sorted(cohort.adata.obs_names)
    assert ended.json["train"]["classes"] == {"case": 12, "control": 12}


@pytest.mark.parametrize(
    ("words", "sizes"),
    [
        (["--fractions", "0.5", "0.5"], [20, 20]),
        (["--fractions", "0.5", "0.25", "0.25"], [20, 10, 10]),
        (["--fractions", "0.5 0.25 0.25"], [20, 10, 10]),
        (["--fractions=.5,.25,.25"], [20, 10, 10]),
        (["--fractions", "0.5", ".3", "2e-1"], [20, 12, 8]),
        ([], [24, 8, 8]),
    ],
)
def test_fractions_need_no_quotes(twinseq, files, tmp_path, words, sizes):
    ended = twinseq("split", files / "c.h5ad", *words, "-o", tmp_path, "--json")
    assert [part["samples"] for part in ended.json.values()] == sizes


def test_the_table_of_parts(twinseq, files, tmp_path):
    ended = twinseq("split", files / "c.h5ad", "--fractions", 0.75, 0.25, "-o", tmp_path / "parts")
    lines = [line.split() for line in ended.out.splitlines()]
    assert lines[:3] == [
        ["part", "samples", "donors", "case", "control"],
        ["train", "30", "30", "15", "15"],
        ["holdout", "10", "10", "5", "5"],
    ]
    assert twinseq("split", files / "c.h5ad", "-o", tmp_path / "parts", "-q").out == ""


def test_same_seed_same_parts(twinseq, files, tmp_path):
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        twinseq("split", files / "c.csv", "--label", "condition", "-o", tmp_path / folder, "--seed", seed)
    a, b, c = ((tmp_path / folder / "train.samples.csv").read_bytes() for folder in "abc")
    assert a == b != c


def test_lists(twinseq):
    for what, names in (
        ("generators", ts.generators.names()),
        ("metrics", ts.metrics.names()),
        ("attacks", attacks.names()),
        ("datasets", ts.datasets.names()),
    ):
        ended = twinseq("list", what)
        assert (ended.code, ended.err) == (0, "")
        assert all(name in ended.out for name in names)
        assert [row["name"] for row in twinseq("list", what, "--json").json] == list(names)


def test_the_list_of_generators_says_what_can_be_set(twinseq):
    rows = {row["name"]: row for row in twinseq("list", "generators", "--json").json}
    assert rows["copula"]["presets"] == ["faithful"]
    assert rows["copula"]["settings"]["smoothing"] == 0.7
    assert "smoothing=0.7" in twinseq("list", "generators").out


def test_the_list_of_generators_is_a_table(twinseq):
    header, *lines = twinseq("list", "generators").out.splitlines()
    assert header.split() == ["generator", "what", "it", "is", "takes", "presets", "privacy", "needs"]
    table = lines[: lines.index("")]
    assert [line.split()[0] for line in table] == ts.generators.names()
    copula = next(line for line in table if line.startswith("copula "))
    assert copula.rstrip().endswith("–")
    assert header.index("takes") == copula.index("any kind")
    assert header.index("presets") == copula.index("faithful")


@pytest.mark.parametrize("present", [True, False])
def test_the_list_of_generators_says_what_is_not_installed(twinseq, monkeypatch, present):
    from twinseq.generators import _extras

    monkeypatch.setitem(_extras.EXTRAS, "deep", ("math" if present else "no_such_package",))
    rows = {row["name"]: row for row in twinseq("list", "generators", "--json").json}
    assert (rows["cvae"]["extra"], rows["cvae"]["missing"]) == ("deep", [] if present else ["no_such_package"])
    assert (rows["copula"]["extra"], rows["copula"]["missing"]) == (None, [])
    printed = twinseq("list", "generators").out
    line = next(line for line in printed.splitlines() if line.startswith("cvae "))
    assert line.rstrip().endswith("twinseq[deep], installed" if present else "twinseq[deep], not installed")
    remedy = "Not installed here: no_such_package, for ctgan, cvae, cvae-gmm"
    assert (remedy in printed) != present
    assert ("pip install 'twinseq[deep]'" in printed) != present


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_of_generators_fits_a_terminal(twinseq, monkeypatch, width):
    from twinseq import terminal

    monkeypatch.setattr(terminal.out, "width", width)
    printed = twinseq("list", "generators").out
    assert max(map(len, printed.splitlines())) <= width
    assert "…" not in printed
    for name in ts.generators.names():
        assert re.search(rf"^{name} ", printed, re.MULTILINE)


def test_the_list_of_attacks_says_what_an_attacker_has_and_does(twinseq):
    row = next(row for row in twinseq("list", "attacks", "--json").json if row["name"] == "nearest_distance")
    attack = attacks.get("nearest_distance")
    assert row == {
        "name": "nearest_distance", "levels": ["T0"], "threat": attack.threat, "settings": [], "slow": False,
        "reference": attack.reference,
    }  # fmt: skip
    listed = twinseq("list", "attacks").out
    assert attack.threat in listed
    assert "T1  the twin and a reference cohort of other donors" in listed


@pytest.mark.parametrize("command", ["generate", "split", "audit", "demo", "list"])
def test_help_is_whole(twinseq, command):
    text = twinseq(command, "-h").out
    assert f"Usage: twinseq {command}" in text
    assert max(map(len, text.splitlines())) <= 80
    line = next(line for line in twinseq("-h").out.splitlines() if line.strip().startswith(command))
    assert line.endswith(".")
    assert not line.endswith("...")


def test_version(twinseq):
    assert twinseq("--version").out == f"twinseq {ts.__version__}\n"
