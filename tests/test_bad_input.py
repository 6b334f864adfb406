"""Each thing that can be wrong with input has one message: what, where, and what to do."""

import gzip
import re
from io import StringIO

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from twinseq import io
from twinseq.audit import audit
from twinseq.cohort import Cohort
from twinseq.datasets import simulate_cohort
from twinseq.errors import CohortError

COUNTS = ",s1,s2,s3,s4\ng1,1,2,3,4\ng2,5,6,7,8\ng3,0,1,0,2\n"
SAMPLES = "sample,condition,donor\ns1,case,p1\ns2,case,p2\ns3,control,p3\ns4,control,p4\n"


@pytest.fixture
def files(tmp_path):
    """Write a table and its sample table; return how to read them."""

    def write(counts: str | bytes = COUNTS, samples: str | bytes = SAMPLES, name: str = "c.csv", **roles):
        path = tmp_path / name
        path.write_bytes(counts.encode() if isinstance(counts, str) else counts)
        (tmp_path / "c.samples.csv").write_bytes(samples.encode() if isinstance(samples, str) else samples)
        return io.read(path, **({"label": "condition"} | roles))

    return write


def refused(*words: str):
    """Expect a CohortError with all ``words``, in this order."""
    return pytest.raises(CohortError, match="(?s)" + ".*".join(re.escape(word) for word in words))


def h5ad(path, x, obs=None, genes=None, **fields):
    obs = pd.DataFrame({"condition": ["case", "case", "control", "control"]}, list("abcd")) if obs is None else obs
    var = pd.DataFrame(index=genes or [f"g{number}" for number in range(x.shape[1])])
    adata = ad.AnnData(x, obs=obs, **fields)
    adata.var_names = var.index
    adata.write_h5ad(path)
    return path


def test_the_good_input_is_good(files):
    assert files(donor="donor").n_samples == 4


# Files


def test_missing_files(tmp_path, files):
    with refused("nowhere.csv: no such file", "Check the name"):
        io.read(tmp_path / "nowhere.csv")
    with refused("nowhere.tsv: no such file", "sample table"):
        files(obs=tmp_path / "nowhere.tsv")
    (tmp_path / "lone.csv").write_text(COUNTS)
    with refused("lone.csv: no sample table", "--obs", "lone.samples.csv"):
        io.read(tmp_path / "lone.csv")


@pytest.mark.parametrize("name", ["c.xlsx", "c.rds", "c", "c.gz", "c.h5"])
def test_unknown_formats(files, name):
    with refused(name, "not a table that can be read", ".h5ad", ".parquet"):
        files(name=name)


@pytest.mark.parametrize("name", ["c.csv", "c.tsv", "c.csv.gz", "c.parquet", "c.h5ad"])
@pytest.mark.parametrize("content", [bytes(range(256)) * 20, b"\x89PNG\r\n\x1a\n\x00\x00", b"\x1f\x8b\x08\x00broken"])
def test_binary_rubbish(files, name, content):
    with refused(name, "not a readable", "Check that it"):
        files(content, name=name)


@pytest.mark.parametrize(
    "text", ["Dear Sir or Madam,\nplease find enclosed\nthe data.", "<html><body>404</body></html>"]
)
@pytest.mark.parametrize("name", ["c.csv", "c.tsv", "c.h5ad", "c.parquet"])
def test_text_rubbish(files, name, text):
    with refused(name):
        files(text, name=name)


@pytest.mark.parametrize("name", ["c.csv", "c.tsv", "c.csv.gz", "c.parquet", "c.h5ad"])
def test_empty_files(files, name):
    with refused(name):
        files(b"", name=name)


def test_empty_tables(tmp_path, files):
    with refused("c.csv: empty", "first column and first row"):
        files("")
    with refused("c.csv: empty", "header of 5 column(s) and no row"):
        files(",s1,s2,s3,s4\n")
    with refused("c.samples.csv: empty", "no row below it"):
        files(samples="sample,condition\n")
    with refused("c.samples.csv: empty"):
        files(samples="")
    frame = pd.read_csv(StringIO(COUNTS), index_col=0).iloc[:0]
    frame.to_parquet(tmp_path / "e.parquet")
    with refused("e.parquet: empty", "no row"):
        io.read(tmp_path / "e.parquet", obs=tmp_path / "c.samples.csv")
    with refused("e.parquet: empty", "One row for each sample"):
        files(obs=tmp_path / "e.parquet")


def test_wrong_separator(files):
    with refused("c.csv: no column of values", "separator", "','"):
        files(COUNTS.replace(",", ";"))
    with refused("c.tsv: no column of values", r"'\t'"):
        files(COUNTS, name="c.tsv")


@pytest.mark.parametrize("row", ["g2,5,6,7", "g2,5,6,7,8,9"])
def test_ragged_rows(files, row):
    columns = row.count(",") + 1
    with refused("c.csv, row 3 ('g2')", f"{columns} columns, where the header has 5", "Every row"):
        files(COUNTS.replace("g2,5,6,7,8", row))
    with refused("c.samples.csv, row 3 ('s2')", "2 columns, where the header has 3"):
        files(samples=SAMPLES.replace("s2,case,p2", "s2,case"))


@pytest.mark.parametrize("suffix", [".csv.gz", ".tsv.gz"])
def test_broken_gzip(files, suffix):
    text = COUNTS + "".join(f"x{number},1,2,3,{number}\n" for number in range(20_000))
    whole = gzip.compress(text.replace(",", "\t" if "tsv" in suffix else ",").encode())
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    for content in (b"not compressed at all", whole[: len(whole) // 2], whole[:15], bytes(damaged)):
        with refused(f"c{suffix}", "not a readable table", "complete"):
            files(content, name=f"c{suffix}")


def test_broken_parquet(tmp_path, files):
    frame = pd.read_csv(StringIO(COUNTS), index_col=0)
    frame.to_parquet(tmp_path / "whole.parquet")
    content = (tmp_path / "whole.parquet").read_bytes()
    with refused("c.parquet", "not a readable table"):
        files(content[: len(content) // 2], name="c.parquet")
    (tmp_path / "o.parquet").write_bytes(content[:50])
    with refused("o.parquet", "not a readable table"):
        files(obs=tmp_path / "o.parquet")
    frame.reset_index(drop=True).to_parquet(tmp_path / "nameless.parquet")
    with refused("nameless.parquet", "no column of names"):
        io.read(tmp_path / "nameless.parquet", obs=tmp_path / "c.samples.csv")


def test_broken_h5ad(tmp_path):
    path = h5ad(tmp_path / "c.h5ad", np.ones((4, 50), dtype=np.int32))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with refused("c.h5ad", "not a readable .h5ad", "copied whole"):
        io.read(path)
    with h5py.File(path, "w") as file:
        file["something"] = 1
    with refused("c.h5ad"):
        io.read(path)


def test_h5ad_without_profiles(tmp_path):
    ad.AnnData(obs=pd.DataFrame(index=["a", "b"])).write_h5ad(tmp_path / "c.h5ad")
    with refused("c.h5ad", "no X", "samples × genes"):
        io.read(tmp_path / "c.h5ad")
    h5ad(tmp_path / "e.h5ad", np.ones((4, 0), dtype=np.int32))
    with refused("e.h5ad", "empty (4 samples × 0 genes)"):
        io.read(tmp_path / "e.h5ad")


def test_h5ad_whose_roles_are_rubbish(tmp_path):
    h5ad(tmp_path / "c.h5ad", np.ones((4, 2), dtype=np.int32), uns={"twinseq": "rubbish"})
    with refused("c.h5ad", "no roles", "Remove"):
        io.read(tmp_path / "c.h5ad")
    h5ad(tmp_path / "c.h5ad", np.ones((4, 2), dtype=np.int32), uns={"twinseq": {"label": "gone"}})
    with refused("c.h5ad", "no column 'gone' (label)"):
        io.read(tmp_path / "c.h5ad")


def test_10x_folders(tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    with refused("m: no matrix.mtx"):
        io.read(folder)
    (folder / "matrix.mtx").write_text("%%MatrixMarket matrix coordinate integer general\n2 2 2\n1 1 5\n2 2 7\n")
    with refused("m: no features.tsv"):
        io.read(folder)
    (folder / "features.tsv").write_text("g1\ng1\n")
    (folder / "barcodes.tsv").write_text("a\nb\nc\n")
    with refused("2 genes × 2 cells", "2 features", "3 barcodes"):
        io.read(folder)
    (folder / "barcodes.tsv").write_text("a\nb\n")
    with refused("duplicate gene", "'g1'", "rename"):
        io.read(folder)
    for rubbish in ("", "rubbish", "%%MatrixMarket matrix coordinate integer general\n2 2 2\n1 1 5\n"):
        (folder / "matrix.mtx").write_text(rubbish)
        with refused("not a readable 10x matrix"):
            io.read(folder)
    (folder / "matrix.mtx.gz").write_bytes(gzip.compress(b"%%MatrixMarket" * 1000)[:30])
    with refused("not a readable 10x matrix"):
        io.read(folder)


# Labels, donors, covariates


def test_label_column_absent(files):
    with refused("c.csv", "no column 'conditon' (label)", "did you mean 'condition'"):
        files(label="conditon")
    with refused("no column 'patient' (donor)", "condition"):
        files(donor="patient")
    with refused("no column 'age' (covariate)"):
        files(covariates=["age"])


def test_one_column_in_two_roles(files):
    with refused("'condition' is stated both as label and as covariate", "one role"):
        files(covariates=["condition"])


def test_one_class(files):
    with refused("'condition' (label) has one class only, 'case'", "two or more"):
        files(samples=SAMPLES.replace("control", "case"))


def test_class_with_one_sample(files):
    samples = SAMPLES.replace("s4,control", "s4,relapse")
    with refused("class 'control' of column 'condition' has 1 sample", "Merge"):
        files(samples=samples)
    assert files(samples=samples, min_per_class=1).n_samples == 4


@pytest.mark.parametrize("missing", ["", "NA", "NaN"])
def test_missing_labels(files, missing):
    with refused("'condition' (label) is missing for 1 sample", "'s2'", "drop"):
        files(samples=SAMPLES.replace("s2,case", f"s2,{missing}"))
    with refused("'donor' (donor) is missing for 1 sample", "'s2'"):
        files(samples=SAMPLES.replace("p2", missing), donor="donor")


def test_donor_in_two_classes(files):
    samples = SAMPLES.replace("p3", "p1")
    with refused("1 donor(s) have samples in more than one class", "'p1'", "--paired"):
        files(samples=samples, donor="donor")
    assert files(samples=samples, donor="donor", paired=True).paired


def test_covariates_that_cannot_be_used(files):
    samples = "sample,condition,x\n" + "".join(f"s{n},{'a' if n < 5 else 'b'},id{n}\n" for n in range(1, 9))
    counts = "," + ",".join(f"s{n}" for n in range(1, 9)) + "\ng1,1,2,3,4,5,6,7,8\ng2,1,1,1,1,1,1,1,1\n"
    with refused("covariate 'x' has 8 levels for 8 samples", "identifier", "Leave it out"):
        files(counts, samples, covariates=["x"])
    with refused("covariate 'x' has no value at all"):
        files(counts, re.sub(r"id\d", "", samples), covariates=["x"])
    with refused("covariate 'x' has an infinite value"):
        files(counts, re.sub(r"id\d", "inf", samples), covariates=["x"])


# Values


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("-3", ["a negative value (-3", "--kind continuous"]),
        ("2.5", ["not a whole number (2.5)", "--kind continuous"]),
        ("inf", ["infinite value", "drop"]),
        ("1e999", ["infinite value"]),
        ("NA", ["missing value (NaN)", "drop"]),
        ("", ["missing value (NaN)"]),
    ],
)
def test_values_that_are_no_counts(files, tmp_path, value, words):
    with refused("c.csv", words[0], "sample 's2', gene 'g2'", "1 such", *words[1:]):
        files(COUNTS.replace("g2,5,6", f"g2,5,{value}"))
    x = np.array([[1.0, 2], [3, float(value if value not in ("", "NA") else "nan")], [5, 6], [7, 8]])
    for matrix in (x, sp.csr_matrix(x)):
        with refused("c.h5ad", words[0].split(" (")[0], "sample 'b', gene 'g1'", "1 such", *words[1:]):
            io.read(h5ad(tmp_path / "c.h5ad", matrix))


def test_a_whole_column_of_missing_values(files):
    with refused("missing value (NaN)", "sample 's2'"):
        files(re.sub(r"(g\d,\d),\d", r"\1,NA", COUNTS))


def test_continuous_values_are_welcome_where_stated(files):
    assert files(COUNTS.replace("5", "-2.5"), kind="continuous").kind == "continuous"


@pytest.mark.parametrize("value", ["high", "1;2", "5 reads", "2024-01-01", "true", "1,000"])
def test_text_among_numbers(files, value):
    with refused("c.csv, row 3 ('g2'), column 3 ('s2')", f"'{value}' is not a number", "--obs"):
        files(COUNTS.replace("g2,5,6", f'g2,5,"{value}"').replace("g3,0,1", "g3,0,NA"))


def test_annotation_among_the_counts(files):
    with refused("row 2 ('g1'), column 6 ('chromosome')", "'chr1' is not a number"):
        files(",s1,s2,s3,s4,chromosome\ng1,1,2,3,4,chr1\n")


@pytest.mark.parametrize("sparse", [False, True])
def test_a_sample_without_counts(files, tmp_path, sparse):
    with refused("1 sample(s) without a single count", "'s3'", "Drop"):
        files(COUNTS.replace("3,4", "0,4").replace("7,8", "0,8"))
    x = np.array([[1, 2], [0, 0], [5, 6], [0, 0]], dtype=np.int32)
    with refused("2 sample(s) without a single count", "'b', 'd'"):
        io.read(h5ad(tmp_path / "c.h5ad", sp.csr_matrix(x) if sparse else x))


# Names


def test_duplicate_names_in_tables(files):
    with refused("c.csv, row 1", "duplicate column name 's1'", "once"):
        files(COUNTS.replace("s3", "s1"))
    with refused("c.csv", "1 duplicate gene name(s): 'g1'", "sum"):
        files(COUNTS.replace("g2", "g1"))
    with refused("c.samples.csv, row 4", "'s1' has two rows"):
        files(samples=SAMPLES.replace("s3", "s1"))
    with refused("c.samples.csv, row 1", "duplicate column name 'condition'"):
        files(samples=SAMPLES.replace("donor", "condition"))
    turned = "s,g1,g2\ns1,1,2\ns2,3,4\ns2,3,4\ns4,5,6\n"
    with refused("c.csv", "duplicate sample name(s): 's2'"):
        files(turned)
    with refused("c.csv, row 1", "duplicate column name 'g1'"):
        files(turned.replace("g2", "g1"))


def test_duplicate_names_in_h5ad(tmp_path):
    x = np.ones((4, 2), dtype=np.int32)
    obs = pd.DataFrame({"condition": list("xxyy")}, index=["a", "b", "b", "d"])
    with pytest.warns(UserWarning, match="not unique"):
        path = h5ad(tmp_path / "c.h5ad", x, obs)
    with refused("1 duplicate sample name(s): 'b'"):
        io.read(path)
    path = h5ad(tmp_path / "c.h5ad", x, genes=["g", "g"])
    with refused("1 duplicate gene name(s): 'g'"):
        io.read(path)


def test_samples_that_do_not_match(files):
    with refused("1 sample(s) of", "c.csv are not in", "'s4'", "1 sample(s) of", "c.samples.csv are not in", "'s9'"):
        files(samples=SAMPLES.replace("s4", "s9"))
    with refused("1 sample(s) of", "c.samples.csv are not in", "'s5'", "same samples"):
        files(samples=SAMPLES + "s5,case,p5\n")


def test_a_table_that_cannot_be_turned(files):
    with refused("neither its columns (first 's1') nor its rows (first 'g1')", "(first 'x1')", "must match"):
        files(samples=SAMPLES.replace("\ns", "\nx"))
    with refused("4 rows and as many columns", "cannot be told", "Rename"):
        files(",s1,s2,s3,s4\ns1,1,2,3,4\ns2,1,2,3,4\ns3,1,2,3,4\ns4,1,2,3,4\n")


def test_long_names_are_cut_in_messages(files):
    long = "x" * 10_000
    with pytest.raises(CohortError) as caught:
        files(COUNTS.replace("g2,5,6", f"{long},5,-6"), SAMPLES.replace("donor", long))
    assert len(str(caught.value)) < 600
    with pytest.raises(CohortError) as caught:
        files(samples=SAMPLES.replace("donor", long), label=long + "y")
    assert len(str(caught.value)) < 600


# Sets that the audit compares


METRICS = ["gene_mean_ks", "correlation_r", "total_variance_ratio", "pca_subspace", "de_recall", "dcr_median"]


def test_genes_that_are_constant_are_welcome():
    """A gene without a count, or with the same one everywhere, in any set: figures are given all the same."""

    def constant(seed: int, genes: slice) -> Cohort:
        cohort = simulate_cohort(n_cases=8, n_controls=8, n_genes=60, seed=seed)
        values = cohort.dense(np.int64)
        values[:, genes], values[:, 50:55] = 9, 0
        adata = ad.AnnData(values, obs=cohort.obs.copy(), var=cohort.adata.var.copy())
        return Cohort(adata, label="condition")

    train, holdout = constant(0, slice(0, 4)), constant(1, slice(2, 8))
    for twin in (constant(2, slice(6, 12)), constant(3, slice(0, 20))):
        report = audit(train, twin, holdout=holdout, metrics=METRICS)
        assert not report.omitted
