"""The data sheet and the README: what they say, and that names from the data do nothing in them."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

import twinseq as ts
from twinseq.cohort import Cohort
from twinseq.release import Release
from twinseq.release_command import as_plain, show
from twinseq.releasing.words import leaving, readme

from .conftest import texts

NASTY = "</script><script>alert(1)</script>"
IMAGE = "<img src=x onerror=alert(2)>"
ESCAPE = "\x1b[2Jgone"
REQUIRED = ("@context", "@type", "name", "conformsTo", "description", "license", "url", "version", "datePublished")


@pytest.fixture(scope="module")
def sheet(released: Release) -> dict:
    return json.loads((released.folder / "twin.croissant.json").read_text())


def test_the_sheet_has_what_croissant_asks_for(sheet: dict):
    assert set(REQUIRED) <= set(sheet)
    assert sheet["@type"] == "sc:Dataset"
    assert "http://mlcommons.org/croissant/1.0" in sheet["conformsTo"]
    assert sheet["@context"]["cr"] == "http://mlcommons.org/croissant/"
    assert (sheet["name"], sheet["license"]) == ("A twin", "CC0")
    for one in sheet["distribution"]:
        assert one["@type"] == "cr:FileObject"
        assert {"@id", "name", "contentUrl", "encodingFormat", "sha256", "contentSize"} <= set(one)


def test_the_sheet_has_the_sums_of_the_files_that_go_along(sheet: dict, released: Release):
    sums = {one["contentUrl"]: one["sha256"] for one in sheet["distribution"]}
    assert set(sums) == {"twin.h5ad", "twin.samples.csv"}
    for name, digest in sums.items():
        assert hashlib.sha256((released.folder / name).read_bytes()).hexdigest() == digest


def test_every_column_of_the_sample_table_is_described(sheet: dict, released: Release):
    (records,) = sheet["recordSet"]
    header = (released.folder / "twin.samples.csv").read_text().splitlines()[0].split(",")
    fields = {one["source"]["extract"]["column"]: one for one in records["field"]}
    assert list(fields) == header
    assert {one["source"]["fileObject"]["@id"] for one in fields.values()} == {"twin.samples.csv"}
    assert fields["condition"]["dataType"] == "sc:Text"
    assert "no donor" in fields["donor"]["description"]
    assert "no role" in fields["crp"]["description"]
    assert "description" not in fields["sex"]


def test_the_sheet_states_verdict_and_limits_of_use(sheet: dict, released: Release):
    said = {one["name"]: one["value"] for one in sheet["additionalProperty"]}
    assert said["verdict"] == released.report.verdict["outcome"]
    assert said["policy"] == "partner"
    assert any("decisions on patients" in text for text in sheet["rai:dataLimitations"])
    assert "No guarantee" in sheet["rai:personalSensitiveInformation"]
    assert "copula" in sheet["rai:dataCollection"]


@pytest.mark.parametrize(
    ("outcome", "said", "stays"),
    [("pass", "if the committee says so", False), ("review", "after a review", False),
     ("fail", "policy is not met", True), ("inconclusive", "cannot tell", True)],
)  # fmt: skip
def test_what_stands_over_the_twin_hangs_on_the_verdict(
    released: Release, capsys, outcome: str, said: str, stays: bool
):
    verdict = {**released.report.verdict, "outcome": outcome}
    made = dataclasses.replace(released, report=dataclasses.replace(released.report, verdict=verdict))
    show(made)
    printed = capsys.readouterr().out
    written = readme(made.report, ["twin.h5ad"], {}, [], [], [])
    for text, heading in ((printed, leaving(outcome)), (written, leaving(outcome).upper())):
        assert said in heading.lower()
        assert ("stay inside" in heading.lower()) is stays
        assert ("may leave" in text.lower()) is not stays
        assert text.index(heading) < text.index("twin.h5ad")
    assert as_plain(made)["outgoing"] == [str(path) for path in made.outgoing]


def test_markup_and_control_characters_in_names_do_nothing(cohort: Cohort, tmp_path: Path):
    adata = cohort.adata.copy()
    adata.var_names = [f"{NASTY}{number}" for number in range(adata.n_vars)]
    adata.obs[f"arm{IMAGE}"] = [f"{NASTY}{label}{ESCAPE}" for label in adata.obs["condition"]]
    adata.obs[f"free{ESCAPE}"] = NASTY
    hostile = dataclasses.replace(cohort, adata=adata, label=f"arm{IMAGE}")
    made = ts.release(
        hostile, tmp_path / "r", generator="independent", splits=1, metrics=["exact_copies", "library_size_ks"],
        title=NASTY, licence=ESCAPE,
    )  # fmt: skip
    found = texts(made.folder)
    assert "<script>alert" not in found["report.html"]
    assert "<img src=x" not in found["report.html"]
    assert "<" not in found["twin.croissant.json"]
    assert json.loads((made.folder / "twin.croissant.json").read_text())["name"] == NASTY
    assert "\x1b" not in found["README.txt"]
    assert "\x1b" not in found["twin.croissant.json"]
