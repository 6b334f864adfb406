"""Bad input ends with exit code 2, one message that says what, where and what to do, and nothing written."""

import os
import re
import subprocess

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import twinseq as ts
from twinseq.cohort import Cohort

from .conftest import everything_in, hospital_cohort

GENES = [f"g{number}" for number in range(1, 7)]


@pytest.fixture
def refused(twinseq, tmp_path):
    """Run a command that must be refused with ``words`` in its message, in this order, and leave no trace."""

    def run(*command: object, words: tuple[str, ...]) -> str:
        before = everything_in(tmp_path)
        ended = twinseq(*command)
        assert ended.code == 2, ended
        assert ended.out == ""
        assert ended.err.startswith("Error: ")
        assert ended.err.count("\n") == 1
        assert len(ended.err) < 1000
        assert re.search(".*".join(map(re.escape, words)), ended.err), ended.err
        assert everything_in(tmp_path) == before
        return ended.err

    return run


@pytest.fixture
def table(tmp_path):
    """Write a count table of 6 genes × 8 samples with one thing changed; return its path."""

    def write(change=None, samples=None, name: str = "c.csv"):
        counts = pd.DataFrame(
            np.arange(1, 49).reshape(6, 8) % 11 + 1, index=GENES, columns=[f"s{number}" for number in range(1, 9)]
        )
        obs = pd.DataFrame(
            {"group": ["case"] * 4 + ["control"] * 4, "patient": [f"p{number}" for number in range(1, 9)]},
            index=counts.columns,
        )
        counts = counts.astype(object) if change is None else change(counts.astype(object))
        (obs if samples is None else samples(obs)).to_csv(tmp_path / "c.samples.csv")
        counts.to_csv(tmp_path / name)
        return tmp_path / name

    return write


def put(row: str, column: str, value: object):
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[row, column] = value
        return frame

    return change


def test_the_table_itself_is_fine(twinseq, table, tmp_path):
    ended = twinseq("generate", table(), "--label", "group", "--donor", "patient", "-o", tmp_path / "t.csv")
    assert ended.code == 0


# The cohort


@pytest.mark.parametrize("command", ["generate", "split", "audit"])
def test_missing_and_empty_files(refused, tmp_path, command):
    output = tmp_path / ("t.h5ad" if command == "generate" else "out")
    twin = [tmp_path / "nowhere.h5ad"] if command == "audit" else []
    refused(command, tmp_path / "gone.csv", *twin, "-o", output, words=("gone.csv: no such file", "Check"))
    (tmp_path / "empty.csv").touch()
    (tmp_path / "empty.samples.csv").touch()
    refused(command, tmp_path / "empty.csv", *twin, "-o", output, words=("empty.csv: empty",))
    (tmp_path / "letter.docx").write_text("Dear Sir or Madam")
    refused(command, tmp_path / "letter.docx", *twin, "-o", output, words=("letter.docx: not a table", ".h5ad"))
    (tmp_path / "letter.h5ad").write_text("Dear Sir or Madam")
    refused(command, tmp_path / "letter.h5ad", *twin, "-o", output, words=("letter.h5ad: not a readable .h5ad",))


def test_no_name_at_all(refused, table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused("generate", "", "-o", "t.csv", words=("no matrix.mtx",))
    refused("generate", table(), "--label", "", "-o", "t.csv", words=("no column ''",))
    refused("generate", table(), "-o", "", words=("cannot tell the format",))


def test_missing_sample_table(refused, table, tmp_path):
    path = table()
    refused("generate", path, "--obs", tmp_path / "no.csv", "-o", tmp_path / "t.csv", words=("no.csv: no such file",))
    (tmp_path / "c.samples.csv").unlink()
    refused("generate", path, "-o", tmp_path / "t.csv", words=("c.csv: no sample table", "--obs", "c.samples.csv"))


LABELS = {
    "absent": (None, "grop", ("c.csv", "no column 'grop' (label)", "did you mean 'group'")),
    "one class": (lambda obs: obs.assign(group="case"), "group", ("c.csv", "(label) has one class only, 'case'")),
    "a class of one": (
        put("s8", "group", "relapse"), "group", ("c.csv", "class 'relapse'", "'group' has 1 sample", "Merge"),
    ),
    "missing": (put("s3", "group", None), "group", ("c.csv", "(label) is missing for 1 sample", "'s3'", "drop")),
}  # fmt: skip


@pytest.mark.parametrize("case", LABELS)
@pytest.mark.parametrize("command", ["generate", "split"])
def test_labels(refused, table, tmp_path, command, case):
    samples, label, words = LABELS[case]
    output = tmp_path / ("t.csv" if command == "generate" else "out")
    refused(command, table(samples=samples), "--label", label, "-o", output, words=words)


VALUES = {
    "negative": (-3, ("c.csv", "a negative value (-3", "sample 's2', gene 'g2'", "--kind continuous")),
    "fraction": (2.5, ("c.csv", "not a whole number (2.5)", "sample 's2', gene 'g2'", "--kind continuous")),
    "infinite": ("inf", ("c.csv", "an infinite value", "sample 's2', gene 'g2'", "drop")),
    "missing": (None, ("c.csv", "a missing value (NaN)", "sample 's2', gene 'g2'", "drop")),
    "text": ("high", ("c.csv, row 3 ('g2'), column 3 ('s2')", "'high' is not a number", "--obs")),
}


@pytest.mark.parametrize("case", VALUES)
def test_values(refused, table, tmp_path, case):
    value, words = VALUES[case]
    refused("generate", table(put("g2", "s2", value)), "--label", "group", "-o", tmp_path / "t.csv", words=words)


TABLES = {
    "duplicate genes": (lambda f: f.rename({"g2": "g1"}), None, ("c.csv", "duplicate gene name(s): 'g1'", "once")),
    "duplicate samples": (
        lambda f: f.rename(columns={"s2": "s1"}), None, ("c.csv, row 1", "duplicate column name 's1'", "once"),
    ),
    "duplicate rows in the sample table": (
        None, lambda o: o.rename({"s2": "s1"}), ("c.samples.csv, row 3", "'s1' has two rows"),
    ),
    "other samples": (
        None, lambda o: o.rename({"s2": "s9"}), ("c.csv are not in", "'s2'", "c.samples.csv are not in", "'s9'"),
    ),
    "a sample without counts": (
        lambda f: f.assign(s2=0), None, ("c.csv", "1 sample(s) without a single count: 's2'", "Drop"),
    ),
    "no sample known": (lambda f: f.add_prefix("x"), None, ("c.csv", "neither its columns", "must match")),
    "either way round": (
        lambda f: f.iloc[:, :6].set_axis([f"s{n}" for n in range(1, 7)]), None, ("c.csv", "cannot be told which"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLES)
def test_tables(refused, table, tmp_path, case):
    change, samples, words = TABLES[case]
    refused("generate", table(change, samples), "--label", "group", "-o", tmp_path / "t.csv", words=words)


def test_donor_in_two_classes(refused, table, tmp_path):
    path = table(samples=put("s8", "patient", "p1"))
    command = ("--label", "group", "--donor", "patient", "-o", tmp_path / "out.h5ad")
    words = ("c.csv", "1 donor(s)", "more than one class of 'group'", "'p1'", "--paired")
    refused("generate", path, *command, words=words)
    refused("split", path, *command[:-1], tmp_path / "out", words=words)


# Settings


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-g", "copla"], ("Unknown generator 'copla'", "did you mean 'copula'?", "Known: basis-copula")),
        (["--preset", "faithfull"], ("no preset 'faithfull'", "did you mean 'faithful'?")),
        (["-g", "bootstrap", "--preset", "x"], ("'bootstrap' has no presets",)),
        (["--set", "smothing=1"], ("no parameter 'smothing'", "did you mean 'smoothing'?")),
        (["--set", "smoothing"], ("--set smoothing: write key=value",)),
        (["--set", "=1"], ("--set =1: write key=value",)),
        (["--set", "factors=many"], ("factors", "'many'")),
        (["--set", "smoothing=-1"], ("smoothing must be above 0, not -1",)),
        (["--set", "smoothing=nan"], ("smoothing", "nan")),
        (["--set", "smoothing=1e999"], ("smoothing", "inf")),
        (["--set", "smoothing=__import__('os').getcwd()"], ("smoothing", "__import__")),
    ],
)
def test_settings(refused, table, tmp_path, options, words):
    refused("generate", table(), "--label", "group", *options, "-o", tmp_path / "t.csv", words=words)


@pytest.mark.parametrize(
    ("fractions", "words"),
    [
        ("0.6", ("--fractions 0.6: give two or three numbers", "0.6 0.2 0.2")),
        ("0.4 0.2 0.2 0.2", ("--fractions 0.4 0.2 0.2 0.2: give two or three",)),
        ("most some", ("--fractions most some: give two or three numbers",)),
        ("", ("--fractions", "give two or three numbers")),
        ("60 20 20", ("add up to at most 1",)),
        ("0.6 -0.2", ("must be positive",)),
        ("nan 0.5", ("must be positive",)),
        ("0.5 0", ("must be positive",)),
    ],
)
def test_fractions(refused, table, tmp_path, fractions, words):
    refused("split", table(), "--label", "group", f"--fractions={fractions}", "-o", tmp_path / "out", words=words)
    if fractions and not fractions.startswith("most"):
        refused("split", table(), "--fractions", *fractions.split(), "-o", tmp_path / "out", words=words)


def test_too_few_donors_for_the_parts(refused, table, tmp_path):
    path = table(samples=lambda obs: obs.assign(group=["case"] * 6 + ["control"] * 2))
    refused("split", path, "--label", "group", "-o", tmp_path / "out", words=("c.csv", "'control'", "donor"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["generate", "--label", "group"], "REAL"),
        (["generate", "c.csv"], "--output"),
        (["generate", "c.csv", "--lable", "group", "-o", "t.csv"], "--lable"),
        (["generate", "c.csv", "--seed", "often", "-o", "t.csv"], "--seed"),
        (["generate", "c.csv", "--seed", "-1", "-o", "t.csv"], "--seed"),
        (["generate", "c.csv", "--n", "0", "-o", "t.csv"], "--n"),
        (["generate", "c.csv", "--kind", "logs", "-o", "t.csv"], "logs"),
        (["generate", "c.csv", "--jobs", "-2", "-o", "t.csv"], "--jobs"),
        (["audit", "c.csv", "-o", "out"], "TWIN"),
        (["list", "everything"], "everything"),
        (["invent"], "invent"),
    ],
)
def test_usage(twinseq, words, told):
    ended = twinseq(*words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.count("Error: ") == 1
    assert told in ended.err


# The output


@pytest.mark.parametrize("name", ["t", "t.xlsx", "t.rds", "t.h5ad.gz", "t.gz"])
def test_unknown_formats(refused, table, tmp_path, name):
    words = (f"{name}: cannot tell the format", ".h5ad, .zarr, .csv", ".parquet")
    refused("generate", table(), "--label", "group", "-o", tmp_path / name, words=words)


def test_places_that_cannot_be_written(refused, table, tmp_path):
    path, file = table(), tmp_path / "file"
    file.write_text("a file, not a folder")
    (tmp_path / "folder.h5ad").mkdir()
    for output in (file / "t.csv", file / "deeper" / "t.csv"):
        refused("generate", path, "-o", output, words=("t.csv", "file is not a folder"))
    refused("generate", path, "-o", tmp_path / "folder.h5ad", words=("folder.h5ad: is a folder", "another name"))
    for command in (["split", path], ["audit", path, path], ["demo"]):
        refused(*command, "-o", file, words=("file: is a file", "name of a folder"))
        refused(*command, "-o", file / "out", words=("out", "file is not a folder"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_the_right_to_write(refused, table, tmp_path):
    path, locked = table(), tmp_path / "locked"
    locked.mkdir(mode=0o500)
    for command, output in ((["generate", path], "t.csv"), (["split", path], "out"), (["demo"], "out")):
        refused(*command, "-o", locked / output, words=("locked is not writable", "Choose another"))


def test_a_folder_that_nobody_may_write_to(refused, table, tmp_path):
    path, locked = table(), tmp_path / "locked"
    locked.mkdir()
    if subprocess.run(["chattr", "+i", locked], capture_output=True, check=False).returncode:
        pytest.skip("this file system does not lock folders (chattr +i)")
    try:
        refused("generate", path, "-o", locked / "t.csv", words=("locked is not writable",))
        refused("split", path, "--label", "group", "-o", locked / "out", words=("locked is not writable",))
    finally:
        subprocess.run(["chattr", "-i", locked], check=True)


def test_an_output_that_is_an_input(refused, table, tmp_path):
    path = table()
    words = ("is an input", "another name")
    refused("generate", path, "-o", path, words=words)
    refused("generate", path, "--obs", tmp_path / "c.samples.csv", "-o", tmp_path / "c.samples.csv", words=words)
    (tmp_path / "other.csv").symlink_to(path)
    refused("generate", path, "-o", tmp_path / "other.csv", words=words)


def test_a_sample_table_beside_the_output_that_is_an_input(refused, table, tmp_path):
    """c.parquet would bring its own c.samples.csv, and that of c.csv would be gone."""
    words = ("c.samples.csv: is an input", "another name")
    refused("generate", table(), "--label", "group", "-o", tmp_path / "c.parquet", words=words)


def test_a_part_that_is_an_input(refused, tmp_path):
    ts.write(hospital_cohort(n=6, n_genes=20), tmp_path / "train.csv")
    words = ("train.csv: is an input",)
    refused("split", tmp_path / "train.csv", "--label", "condition", "-o", tmp_path, words=words)


def test_names_that_are_too_long_for_the_system(refused, table, tmp_path):
    refused("generate", tmp_path / f"{'x' * 5000}.csv", "-o", tmp_path / "t.csv", words=("name too long",))
    refused("generate", table(), "-o", tmp_path / f"{'x' * 5000}.csv", words=("name too long",))


# The audit


@pytest.fixture(scope="module")
def sides() -> dict[str, Cohort]:
    cohort = hospital_cohort(seed=0, n=10, n_genes=60)
    twin = ts.generators.create("copula").fit(cohort).sample(seed=1)
    return {"train": cohort, "twin": twin, "holdout": hospital_cohort(seed=1, n=10, n_genes=60)}


@pytest.fixture
def audit_refused(refused, sides, tmp_path):
    """Run an audit with one side changed; it must be refused."""

    def run(words: tuple[str, ...], *options: object, **changed: Cohort) -> None:
        for name, cohort in (sides | changed).items():
            ts.write(cohort, tmp_path / f"{name}.h5ad")
        train, twin, holdout = (tmp_path / f"{name}.h5ad" for name in ("train", "twin", "holdout"))
        refused("audit", train, twin, "--holdout", holdout, "-o", tmp_path / "out", *options, words=words)

    return run


def test_twin_and_real_with_different_genes(audit_refused, sides):
    twin = sides["twin"]
    fewer = twin.with_adata(twin.adata[:, 1:].copy())
    audit_refused(("twin.h5ad: 1 gene(s) missing: 'GENE00001'", "same genes"), twin=fewer)
    renamed = twin.adata.copy()
    renamed.var_names = [*renamed.var_names[:-1], "OTHER"]
    audit_refused(("twin.h5ad: 1 gene(s) missing", "1 gene(s) that", "'OTHER'"), twin=twin.with_adata(renamed))


def test_donors_in_two_real_sets(audit_refused, sides):
    train, holdout = sides["train"], sides["holdout"]
    shared = holdout.adata.copy()
    shared.obs["donor"] = [train.donors()[3], *holdout.donors()[1:]]
    words = ("holdout.h5ad: 1 donor(s)", f"in the train set too: '{train.donors()[3]}'", "twinseq split")
    audit_refused(words, holdout=holdout.with_adata(shared))
    first, tenth = sorted(train.donors())[0:10:9]
    audit_refused(("holdout.h5ad: 20 donor(s)", f"'{first}'", f"'{tenth}' and 10 more."), holdout=train)


def rows_replaced(cohort: Cohort, rows: np.ndarray) -> Cohort:
    """Give the first samples of a cohort other profiles."""
    adata = cohort.adata.copy()
    adata.X = np.vstack([rows, cohort.dense()[len(rows) :]]).astype(adata.X.dtype)
    return cohort.with_adata(adata)


def test_profiles_in_two_real_sets(audit_refused, sides):
    train, holdout = sides["train"], sides["holdout"]
    rows = train.dense()
    words = ("holdout.h5ad: 1 sample(s)", "have the same profile", "'Smp1x0000' = 'Smp0x0002'.", "twinseq split")
    audit_refused(words, holdout=rows_replaced(holdout, rows[2:3]))
    words = ("holdout.h5ad: 1 sample(s)", "nearly the same profile", "'Smp1x0000' ≈ 'Smp0x0002'.", "twinseq split")
    retouched = rows[2:3].copy()
    retouched[0, 7] += 100
    for near in (retouched, 2 * rows[2:3], np.rint(1.01 * rows[2:3]), np.random.default_rng(0).poisson(rows[2:3])):
        audit_refused(words, holdout=rows_replaced(holdout, near))
    words = ("12 sample(s)", "the same or nearly the same", "'Smp1x0000' =", "'Smp1x0009' ≈", "and 2 more.")
    audit_refused(words, holdout=rows_replaced(holdout, np.vstack([rows[:3], 2 * rows[3:12]])))


def test_a_reference_that_overlaps_the_targets(refused, sides, tmp_path):
    train, twin, holdout = (sides[name] for name in ("train", "twin", "holdout"))
    reference = hospital_cohort(seed=2, n=10, n_genes=60)
    command = ["audit", *(tmp_path / f"{name}.h5ad" for name in ("train", "twin"))]
    for name in ("holdout", "reference"):
        command += [f"--{name}", tmp_path / f"{name}.h5ad"]
    for name, cohort in sides.items():
        ts.write(cohort, tmp_path / f"{name}.h5ad")
    assert train.n_genes == twin.n_genes == reference.n_genes
    for name, other in (("train", train), ("holdout", holdout)):
        ts.write(rows_replaced(reference, 2 * other.dense()[5:6]), tmp_path / "reference.h5ad")
        words = ("reference.h5ad: 1 sample(s) of the reference set", f"of the {name} set", "'Smp2x0000' ≈ 'Smp")
        refused(*command, "-o", tmp_path / "out", words=words)


def with_values(cohort: Cohort, values: np.ndarray, kind: str) -> Cohort:
    adata = ad.AnnData(values, obs=cohort.obs.copy(), var=cohort.adata.var.copy())
    return cohort.with_adata(adata, kind=kind)


def test_twin_of_another_kind(audit_refused, sides):
    logs = with_values(sides["twin"], np.log2(sides["twin"].dense() + 1), "continuous")
    audit_refused(("twin.h5ad", "not a whole number"), twin=logs)


def test_twin_on_another_scale(audit_refused, sides):
    """Once all are called continuous, counts against logarithms must not pass for a comparison."""
    logs = with_values(sides["twin"], np.log2(sides["twin"].dense() + 1), "continuous")
    words = ("twin.h5ad: its values look like logarithms where the training data look unlogged", "same scale")
    audit_refused(words, "--kind", "continuous", twin=logs)


def test_twin_of_other_logarithms(audit_refused, sides):
    logged = {name: with_values(cohort, np.log2(cohort.dense() + 1), "continuous") for name, cohort in sides.items()}
    words = ("twin.h5ad: its values look like natural logarithms where the training data look like log2", "same scale")
    twin = with_values(sides["twin"], np.log(sides["twin"].dense() + 1), "continuous")
    audit_refused(words, **(logged | {"twin": twin}))


def test_twin_with_other_library_sizes(audit_refused, sides):
    """Counts per million have the form of counts."""
    counts = sides["twin"].dense(np.int64)
    words = ("twin.h5ad: its values give library sizes of about", "where the training data have", "raw counts")
    audit_refused(words, twin=with_values(sides["twin"], 30 * counts, "counts"))


def test_twin_without_one_of_the_classes(audit_refused):
    cohort = ts.datasets.simulate_cohort(n_cases=12, n_controls=12, n_genes=60, seed=0)

    def third(cohort: Cohort) -> Cohort:
        adata = cohort.adata.copy()
        adata.obs["condition"] = ["relapse"] * 4 + adata.obs["condition"].astype(str).tolist()[4:]
        return Cohort(adata, label="condition")

    twin = ts.generators.create("copula").fit(cohort).sample(seed=1)
    words = ("twin.h5ad: class 'relapse' of column 'condition' does not occur", "every class")
    other = third(ts.datasets.simulate_cohort(n_cases=12, n_controls=12, n_genes=60, seed=1))
    audit_refused(words, train=third(cohort), twin=twin, holdout=other)


def test_twin_without_the_label(audit_refused, sides):
    twin = sides["twin"]
    bare = twin.adata.copy()
    del bare.obs["condition"]
    bare = twin.with_adata(bare, label=None)
    audit_refused(("twin.h5ad", "no column 'condition'"), twin=bare)
    one = twin.subset(twin.labels() == "case")
    audit_refused(("twin.h5ad", "one class only, 'case'"), twin=one)


def test_a_missing_twin_or_holdout(refused, sides, tmp_path):
    ts.write(sides["train"], tmp_path / "train.h5ad")
    ts.write(sides["twin"], tmp_path / "twin.h5ad")
    train, twin, gone = (tmp_path / name for name in ("train.h5ad", "twin.h5ad", "gone.h5ad"))
    refused("audit", train, gone, "-o", tmp_path / "out", words=("gone.h5ad: no such file",))
    for option in ("--holdout", "--reference"):
        refused("audit", train, twin, option, gone, "-o", tmp_path / "out", words=("gone.h5ad: no such file",))


def test_the_report_must_not_go_into_an_input(refused, sides, tmp_path):
    for name in ("train", "twin"):
        ts.write(sides[name], tmp_path / f"{name}.mtx")
    train, twin = tmp_path / "train.mtx", tmp_path / "twin.mtx"
    refused("audit", train, twin, "--label", "condition", "-o", twin, words=("twin.mtx: is an input",))
