"""`twinseq audit`: what it writes, what it says, and that nobody of the real cohort is in it."""

import json
import math

import numpy as np
import pandas as pd
import pytest

import twinseq as ts

from .conftest import everything_in, hospital_cohort, identities

NUMBER = (int, float)


def strings(value) -> set[str]:
    """Return every text in a JSON value, keys too."""
    if isinstance(value, dict):
        return set().union(*(strings(item) for item in (*value, *value.values())))
    if isinstance(value, list):
        return set().union(*(strings(item) for item in value))
    return {value} if isinstance(value, str) else set()


def check_schema(content: dict) -> None:
    """Hold ``metrics.json`` against its description in docs/report.md."""
    kinds = {
        "schema": int, "provenance": dict, "verdict": dict, "metrics": list, "omitted": list, "attacks": list,
        "controls": list, "ledger": list,
    }  # fmt: skip
    assert {key: type(value) for key, value in content.items() if key != "red_team"} == kinds
    assert content["red_team"] is None or isinstance(content["red_team"], dict)
    assert content["schema"] == 1
    assert set(content["verdict"]) == {"policy", "title", "outcome", "reasons", "checks"}
    assert content["verdict"]["outcome"] in ("not judged", "leak", "no leak found", "inconclusive")
    assert {"versions", "roles", "cohorts", "seed", "jobs", "seconds", "created"} <= set(content["provenance"])
    for metric in content["metrics"]:
        assert set(metric) == {
            "name", "group", "value", "direction", "ideal", "ci", "ci_note", "ceiling", "ceiling_source", "floor",
            "floor_source", "n", "n_unit",
        }  # fmt: skip
        assert isinstance(metric["value"], NUMBER)
        assert metric["direction"] in ("higher", "lower", "target")
        assert isinstance(metric["n"], int)
        assert metric["n"] > 0
        for key in ("ceiling", "floor", "ideal"):
            assert metric[key] is None or isinstance(metric[key], NUMBER)
        if metric["ci"] is not None:
            low, high = metric["ci"]
            assert low <= high
    for omitted in content["omitted"]:
        assert all(isinstance(omitted[key], str) and omitted[key] for key in ("name", "group", "reason"))


def refuse_constant(name: str):
    raise AssertionError(f"{name} is no JSON")


def test_metrics_json_follows_its_schema(audited):
    text = (audited.report / "metrics.json").read_text(encoding="utf-8")
    content = json.loads(text, parse_constant=refuse_constant)
    check_schema(content)
    names = [metric["name"] for metric in content["metrics"]]
    further = {"survival", "gene sets", "cells"}
    asked = [name for name in ts.metrics.names() if not further & set(ts.metrics.get(name).needs)]
    assert sorted(names + [item["name"] for item in content["omitted"]]) == sorted(asked)
    assert all(math.isfinite(metric["value"]) for metric in content["metrics"])
    assert content["verdict"]["outcome"] == "leak"
    assert "tells members from non-members" in content["verdict"]["reasons"][0]
    attacks = {(attack["name"], attack["level"]): attack for attack in content["attacks"]}
    assert {level for _, level in attacks} == {"T0", "T1"}
    assert set(attacks["mean_tracing", "T1"]) >= {
        "auc",
        "auc_ci",
        "tpr_at_fpr",
        "epsilon_lower",
        "tie_fraction",
        "n_members",
        "n_nonmembers",
    }
    assert [control["name"] for control in content["controls"]] == ["null", "positive", "negative"]
    assert (audited.report / "attack_roc.tsv").read_text(encoding="utf-8").startswith("level\tattack\tfpr\ttpr")


def test_provenance_names_the_files_and_no_folder(audited):
    content = json.loads((audited.report / "metrics.json").read_text(encoding="utf-8"))
    cohorts = content["provenance"]["cohorts"]
    assert {name: one["file"] for name, one in cohorts.items()} == {
        "train": "train.h5ad", "twin": "twin.h5ad", "holdout": "holdout.h5ad",
    }  # fmt: skip
    assert cohorts["train"]["samples"] == 40
    assert not [text for text in strings(content) if str(audited.parts.parent) in text]


def test_the_report_is_one_page_with_tables_beside_it(audited):
    page = (audited.report / "report.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "Leak found" in page
    assert "twin.h5ad compared with train.h5ad" in page
    tables = {path.stem for path in audited.report.glob("*.tsv")}
    assert {"library_size", "mean_variance", "eigenvalues", "de_genes", "roc"} <= tables
    genes = pd.read_csv(audited.report / "de_genes.tsv", sep="\t")
    assert set(genes["gene"]) <= set(ts.read(audited.twin).genes)
    assert {path.suffix for path in audited.report.iterdir()} == {".tsv", ".json", ".html"}


def test_nobody_of_the_real_cohort_is_in_twin_or_report(audited):
    names = set().union(*(identities(ts.read(path)) for path in audited.parts.glob("*.h5ad")))
    assert len(names) == 3 * 80
    for name, content in everything_in(audited.report).items():
        text = content.decode()
        assert not [one for one in names if one in text], name
    twin = ts.read(audited.twin).adata
    twin.write_h5ad(audited.twin.with_name("plain.h5ad"))  # without compression, names would be readable
    content = audited.twin.with_name("plain.h5ad").read_bytes()
    assert b"GENE00001" in content
    assert not [one for one in names if one.encode() in content]


@pytest.fixture
def made(tmp_path, files):
    """Return a copy of the cohort as csv and h5ad, with a twin for each."""
    for suffix in (".csv", ".h5ad"):
        for name in ("train", "twin"):
            ts.write(ts.read(files / "c.h5ad") if name == "train" else twin_of(files), tmp_path / f"{name}{suffix}")
    return tmp_path


def twin_of(files):
    return ts.generators.create("copula").fit(ts.read(files / "c.h5ad")).sample(seed=1)


def test_without_a_holdout_it_says_what_is_missing_why_and_how_to_get_it(twinseq, made):
    ended = twinseq("audit", made / "train.h5ad", made / "twin.h5ad", "-o", made / "report")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    start = next(number for number, line in enumerate(lines) if "needs a hold-out" in line)
    content = json.loads((made / "report" / "metrics.json").read_text(encoding="utf-8"))
    missing = [item["name"] for item in content["omitted"] if "needs a hold-out" in item["reason"]]
    assert lines[start].startswith(f"Not given, {len(missing)} figures: ")
    assert lines[start + 1].split() == " ".join(f"{name}," for name in missing).rstrip(",").split()
    assert "twinseq split REAL -o DIR" in lines[start + 2]
    assert "--holdout" in lines[start + 2]
    assert lines[-2].startswith("Verdict: not judged: membership cannot be judged without a hold-out")
    assert lines[-1] == f"Report: {made / 'report' / 'report.html'}"
    check_schema(content)


def test_without_a_label_it_says_how_to_get_the_rest(twinseq, made):
    ended = twinseq("audit", made / "train.csv", made / "twin.csv", "-o", made / "report")
    assert ended.code == 0
    assert "State the column of the classes with --label." in ended.out
    assert not (made / "report" / "de_genes.tsv").exists()


def test_tables_of_an_earlier_audit_go(twinseq, made):
    mine = made / "report" / "mine.tsv"
    twinseq("audit", made / "train.csv", made / "twin.csv", "--label", "condition", "-o", made / "report", "-q")
    mine.write_text("kept")
    assert (made / "report" / "de_genes.tsv").is_file()
    twinseq("audit", made / "train.csv", made / "twin.csv", "-o", made / "report", "-q")
    assert not (made / "report" / "de_genes.tsv").exists()
    assert (made / "report" / "library_size.tsv").is_file()
    assert mine.read_text() == "kept"


def test_json_and_quiet(twinseq, made):
    words = ("audit", made / "train.h5ad", made / "twin.h5ad", "-o", made / "report")
    ended = twinseq(*words, "--json")
    assert ended.err == ""
    check_schema(ended.json)
    assert ended.json == json.loads((made / "report" / "metrics.json").read_text(encoding="utf-8"))
    ended = twinseq(*words, "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


@pytest.mark.slow
def test_figures_do_not_depend_on_format_or_workers(twinseq, tmp_path):
    train, holdout = (hospital_cohort(seed=seed, n=10, n_genes=100) for seed in (0, 1))
    twin = ts.generators.create("copula").fit(train).sample(seed=1)
    roles = ["--label", "condition", "--donor", "donor", "--covariate", "sex", "--covariate", "age"]
    figures = []
    for suffix, jobs in ((".h5ad", 1), (".csv", 2)):
        paths = [tmp_path / f"{name}{suffix}" for name in ("train", "twin", "holdout")]
        for cohort, path in zip((train, twin, holdout), paths, strict=True):
            ts.write(cohort, path)
        words = (*paths[:2], "--holdout", paths[2], *roles, "--jobs", jobs, "-o", tmp_path / "r", "--json")
        ended = twinseq("audit", *words)
        figures.append({metric["name"]: (metric["value"], metric["ci"]) for metric in ended.json["metrics"]})
    assert len(figures[0]) > 40
    assert figures[0] == figures[1]


@pytest.mark.slow
def test_the_demo_needs_no_data(twinseq, tmp_path, monkeypatch):
    simulate = ts.datasets.simulate_cohort
    monkeypatch.setattr(ts.datasets, "simulate_cohort", lambda seed: simulate(10, 10, 100, seed=seed))
    ended = twinseq("demo", "-o", tmp_path / "demo")
    assert (ended.code, ended.err) == (0, "")
    assert "Verdict: " in ended.out
    assert "Classifier AUC" in ended.out
    written = {path.name for path in (tmp_path / "demo").iterdir()}
    assert {"train.h5ad", "holdout.h5ad", "twin.h5ad", "report.html", "metrics.json"} <= written
    assert ts.read(tmp_path / "demo" / "twin.h5ad").label == "condition"
    assert np.isfinite(ts.read(tmp_path / "demo" / "twin.h5ad").dense()).all()
