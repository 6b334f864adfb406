import gzip
import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from twinseq import datasets, io
from twinseq.cohort import Cohort, from_anndata
from twinseq.errors import ConfigError, OutputError

TABLES = ["c.csv", "c.csv.gz", "c.tsv", "c.tsv.gz", "c.txt", "c.parquet"]
EVERY = ["c.h5ad", *TABLES, "c.mtx"]
ROLES = {"label": "condition", "donor": "donor", "covariates": ["sex", "age", "crp"]}


@pytest.fixture(scope="module")
def bulk() -> Cohort:
    return datasets.simulate_cohort(6, 7, 120, samples_per_donor=2, missing_rate=0.3)


@pytest.fixture(scope="module")
def cells() -> Cohort:
    return datasets.simulate_cells(3, 3, 80, cells_per_donor=20)


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Tables of text hold no categories."""
    return frame.astype({name: str for name in frame if frame[name].dtype == "category"})


def cohort_of(genes: list[str], samples: list[str], **columns: list[object]) -> Cohort:
    counts = np.arange(1, 1 + len(samples) * len(genes), dtype=np.int32).reshape(len(samples), len(genes))
    obs = pd.DataFrame(columns, index=samples)
    return from_anndata(ad.AnnData(counts, obs=obs, var=pd.DataFrame(index=genes)))


@pytest.mark.parametrize("name", EVERY)
def test_every_format_comes_back_as_it_was(bulk, tmp_path, name):
    written = io.write(bulk, tmp_path / name)
    assert all(path.exists() for path in written)
    back = io.read(tmp_path / name, **ROLES)
    np.testing.assert_array_equal(back.dense(), bulk.dense())
    assert back.adata.X.dtype == np.int32
    assert back.genes.tolist() == bulk.genes.tolist()
    pd.testing.assert_frame_equal(plain(back.obs), plain(bulk.obs))
    assert back.roles() == bulk.roles()


@pytest.mark.parametrize("name", EVERY)
def test_the_same_cohort_gives_the_same_bytes(bulk, cells, tmp_path, name):
    for cohort in (bulk, cells):
        first = [io.write(cohort, tmp_path / folder / name) for folder in ("a", "b")]
        for one, other in zip(*first, strict=True):
            files = sorted(one.iterdir()) if one.is_dir() else [one]
            for path in files:
                twin = other / path.name if other.is_dir() else other
                assert path.read_bytes() == twin.read_bytes()


@pytest.mark.parametrize("name", ["c.h5ad", "c.mtx"])
def test_sparse_stays_sparse(cells, tmp_path, name):
    io.write(cells, tmp_path / name)
    back = io.read(tmp_path / name, label="condition", donor="donor", cell_type="cell_type")
    assert sp.issparse(back.adata.X)
    assert back.adata.X.format == "csr"
    assert (back.adata.X != cells.adata.X).nnz == 0


def test_csc_becomes_csr(tmp_path):
    x = sp.csc_matrix(np.array([[1, 0, 2], [0, 3, 0]], dtype=np.float32))
    ad.AnnData(x, obs=pd.DataFrame(index=["a", "b"]), var=pd.DataFrame(index=["x", "y", "z"])).write_h5ad(
        tmp_path / "c.h5ad"
    )
    back = io.read(tmp_path / "c.h5ad")
    assert back.adata.X.format == "csr"
    np.testing.assert_array_equal(back.dense(), x.toarray())


def test_an_h5ad_file_carries_the_roles(cells, tmp_path):
    io.write(cells, tmp_path / "c.h5ad")
    back = io.read(tmp_path / "c.h5ad")
    assert back.roles() == cells.roles()
    assert io.read(tmp_path / "c.h5ad", covariates=["age"]).covariates == ("age",)
    assert io.read(tmp_path / "c.h5ad", label="sex", donor="donor", covariates=[]).label == "sex"


def test_an_h5ad_file_carries_the_truth(bulk, tmp_path):
    io.write(bulk, tmp_path / "c.h5ad")
    back = io.read(tmp_path / "c.h5ad")
    pd.testing.assert_frame_equal(back.adata.var, bulk.adata.var, check_names=False)
    assert datasets.gene_sets(back) == datasets.gene_sets(bulk)
    pd.testing.assert_frame_equal(back.adata.uns["truth"]["samples"], bulk.adata.uns["truth"]["samples"])


def test_writing_changes_nothing_in_the_cohort(bulk, tmp_path):
    before = bulk.adata.copy()
    for name in EVERY:
        io.write(bulk, tmp_path / name)
    assert "twinseq" not in bulk.adata.uns
    pd.testing.assert_frame_equal(bulk.obs, before.obs)
    np.testing.assert_array_equal(bulk.adata.X, before.X)


def test_scanpy_opens_what_is_written(cells, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import scanpy as sc
    io.write(cells, tmp_path / "c.h5ad")
    adata = sc.read_h5ad(tmp_path / "c.h5ad")
    adata.X = adata.X.astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scanpy's own
        sc.pp.normalize_total(adata)
        sc.pp.log1p(adata)
        sc.pp.highly_variable_genes(adata, n_top_genes=40)
        sc.pp.pca(adata, n_comps=5)
    assert adata.obsm["X_pca"].shape == (cells.n_samples, 5)
    assert adata.obs["cell_type"].dtype == "category"


@pytest.mark.parametrize("name", TABLES)
def test_continuous_values_come_back_exactly(tmp_path, name):
    values = np.random.default_rng(0).normal(size=(4, 30)) * 10.0 ** np.arange(-15, 15)
    obs = pd.DataFrame({"age": [0.1 + 0.2, 1e300, -3.5, np.pi]}, index=list("abcd"))
    cohort = Cohort(ad.AnnData(values, obs=obs), kind="continuous", covariates=("age",))
    io.write(cohort, tmp_path / name)
    back = io.read(tmp_path / name, kind="continuous", covariates=["age"])
    np.testing.assert_array_equal(back.dense(), values)
    np.testing.assert_array_equal(back.obs["age"], obs["age"])


def test_continuous_values_come_back_exactly_from_a_10x_folder(tmp_path):
    values = sp.random(20, 30, density=0.2, random_state=0, format="csr")
    cohort = Cohort(ad.AnnData(values), kind="continuous")
    io.write(cohort, tmp_path / "c.mtx")
    np.testing.assert_array_equal(io.read(tmp_path / "c.mtx", kind="continuous").dense(), values.toarray())


def test_counts_past_32_bits_stay_whole(tmp_path):
    counts = np.array([[1, 2**40], [3, 4]])
    cohort = Cohort(ad.AnnData(counts, obs=pd.DataFrame(index=["s1", "s2"]), var=pd.DataFrame(index=["g1", "g2"])))
    for name in ["c.csv", "c.parquet", "c.h5ad"]:
        io.write(cohort, tmp_path / name)
        back = io.read(tmp_path / name)
        assert back.adata.X.dtype == np.int64
        np.testing.assert_array_equal(back.adata.X, counts)


WEIRD = [
    "a,b",
    'a "quoted" name',
    "it's",
    "(paren)",
    "<script>alert(1)</script>",
    "βeta-α ∆ 基因 🧬",
    "two\nlines",
    "carriage\rreturn",
    "semi;colon",
    " leading and trailing ",
    "=1+1",
    "#comment",
    "SYMBOL|123",
    "NA",
    "nan",
    "1.0",
    "007",
    "True",
    "back\\slash",
    "%s {} $x",
    "x" * 10_000,
]


@pytest.mark.parametrize("name", ["c.h5ad", *TABLES])
def test_any_name_may_be_used_for_genes_samples_and_columns(tmp_path, name):
    samples = [f"{word}!" for word in WEIRD]
    columns = {
        # HDF5 has no way to write a slash in the name of a column.
        word.replace("/", "") if name == "c.h5ad" else word: [f"{index % 3}{word}" for index in range(len(WEIRD))]
        for word in WEIRD
    }
    cohort = cohort_of(WEIRD, samples, **columns)
    io.write(cohort, tmp_path / name)
    back = io.read(tmp_path / name, label=WEIRD[0], min_per_class=1)
    assert back.genes.tolist() == WEIRD
    assert back.adata.obs_names.tolist() == samples
    assert back.obs.columns.tolist() == list(columns)
    for word, values in columns.items():
        assert back.obs[word].astype(str).tolist() == values
    np.testing.assert_array_equal(back.dense(), cohort.dense())


def test_any_one_line_name_may_be_used_in_a_10x_folder(tmp_path):
    genes = [word for word in WEIRD if not set("\n\r") & set(word)]
    cohort = cohort_of(genes, [f"{word}!" for word in genes])
    io.write(cohort, tmp_path / "c.mtx")
    back = io.read(tmp_path / "c.mtx")
    assert back.genes.tolist() == genes
    assert back.adata.obs_names.tolist() == [f"{word}!" for word in genes]


@pytest.mark.parametrize("name", ["a\tb", "a\nb", ""])
def test_a_10x_folder_refuses_a_name_it_cannot_hold(tmp_path, name):
    cohort = cohort_of([name, "b"], ["s1", "s2"])
    with pytest.raises(OutputError, match=r"10x matrix cannot store.*\.h5ad"):
        io.write(cohort, tmp_path / "c.mtx")
    assert list(tmp_path.iterdir()) == []


def test_h5ad_refuses_a_column_with_a_slash(tmp_path):
    with pytest.raises(OutputError, match=r"'mg/L' has a '/' in its name.*csv"):
        io.write(cohort_of(["g"], ["s1", "s2"], **{"mg/L": [1, 2]}), tmp_path / "c.h5ad")
    assert list(tmp_path.iterdir()) == []


def test_h5ad_refuses_what_it_cannot_store(bulk, tmp_path):
    adata = bulk.adata.copy()
    adata.uns["object"] = object()
    with pytest.raises(OutputError, match=r"cannot be stored as \.h5ad"):
        io.write(bulk.with_adata(adata), tmp_path / "c.h5ad")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["c.h5ad", *TABLES])
def test_columns_keep_their_kind_and_their_gaps(tmp_path, name):
    columns = {
        "number": [1.5, np.nan, 3.25, -0.0],
        "whole": [1, 2, 3, 4],
        "text": ["a", "b", np.nan, "a"],
        "unique": ["w", "x", np.nan, "z"],
        "truth": [True, False, True, True],
        "empty": [np.nan, np.nan, np.nan, np.nan],
        "plate": ["007", "008", "010", "007"],
        "treatment": ["None", "drug", "None", "drug"],
        "accession": ["99999999999999999999", "1", "2", "3"],
    }
    io.write(cohort_of(["g", "h"], list("abcd"), **columns), tmp_path / name)
    back = io.read(tmp_path / name, label="treatment").obs
    for column in ("text", "unique", "plate", "treatment", "accession"):
        expected = pd.Series(columns[column], index=list("abcd"), name=column)
        pd.testing.assert_series_equal(back[column].astype(object), expected.astype(object))
    for column in ("number", "whole", "truth"):
        assert back[column].dtype == np.array(columns[column]).dtype
        np.testing.assert_array_equal(back[column], columns[column])
    assert back["empty"].isna().all()


@pytest.mark.parametrize("name", ["t.csv", "t.tsv.gz", "t.parquet"])
def test_a_transposed_table_is_turned_by_its_sample_names(bulk, tmp_path, name):
    io.write(bulk, tmp_path / "c.csv")
    frame = pd.read_csv(tmp_path / "c.csv", index_col=0).T
    if name.endswith("parquet"):
        frame.to_parquet(tmp_path / name)
    else:
        frame.to_csv(tmp_path / name, sep="," if "csv" in name else "\t")
    back = io.read(tmp_path / name, obs=tmp_path / "c.samples.csv", **ROLES)
    np.testing.assert_array_equal(back.dense(), bulk.dense())
    assert back.genes.tolist() == bulk.genes.tolist()


def test_a_table_of_r_without_a_corner_is_read(tmp_path):
    (tmp_path / "c.tsv").write_text('"s1"\t"s2"\n"g1"\t1\t2\n"g2"\t3\t4\n')
    (tmp_path / "o.tsv").write_text('"group"\t"age"\n"s1"\t"a"\t50\n"s2"\t"b"\tNA\n')
    back = io.read(tmp_path / "c.tsv", obs=tmp_path / "o.tsv", label="group", min_per_class=1)
    np.testing.assert_array_equal(back.dense(), [[1, 3], [2, 4]])
    assert back.obs["age"].tolist()[0] == 50
    assert np.isnan(back.obs["age"].iloc[1])


@pytest.mark.parametrize("text", ["\ufeff,s1,s2\r\ng1,1,2\r\ng2,3,4\r\n", ',s1,s2\n\n"g1", 1 ,2\ng2,+3,4\n\n'])
def test_marks_blanks_and_windows_lines_do_no_harm(tmp_path, text):
    (tmp_path / "c.csv").write_bytes(text.encode())
    (tmp_path / "c.samples.csv").write_bytes(text[:1].replace(",", "").encode() + b"sample\ns1\ns2\n")
    np.testing.assert_array_equal(io.read(tmp_path / "c.csv").dense(), [[1, 3], [2, 4]])


def test_the_sample_table_may_have_any_order_and_format(bulk, tmp_path):
    io.write(bulk, tmp_path / "c.csv.gz")
    obs = plain(bulk.obs).iloc[::-1]
    obs.to_parquet(tmp_path / "o.parquet")
    obs.rename_axis("name").reset_index().to_parquet(tmp_path / "flat.parquet")
    with gzip.open(tmp_path / "o.tsv.gz", "wt") as file:
        obs.to_csv(file, sep="\t")
    for name in ("o.parquet", "flat.parquet", "o.tsv.gz"):
        back = io.read(tmp_path / "c.csv.gz", obs=tmp_path / name, **ROLES)
        pd.testing.assert_frame_equal(plain(back.obs), plain(bulk.obs))
        np.testing.assert_array_equal(back.dense(), bulk.dense())


def test_a_sample_table_is_put_beside_an_h5ad_file(bulk, tmp_path):
    io.write(bulk, tmp_path / "c.h5ad")
    pd.DataFrame({"arm": ["a", "b"] * 13}, index=bulk.adata.obs_names).to_csv(tmp_path / "o.csv")
    adata = ad.read_h5ad(tmp_path / "c.h5ad")
    del adata.uns["twinseq"]
    adata.write_h5ad(tmp_path / "c.h5ad")
    assert io.read(tmp_path / "c.h5ad", obs=tmp_path / "o.csv", label="arm").obs.columns.tolist() == ["arm"]


def test_a_10x_folder_as_cell_ranger_writes_it(tmp_path):
    folder = tmp_path / "filtered"
    folder.mkdir()
    (folder / "matrix.mtx").write_text(
        '%%MatrixMarket matrix coordinate integer general\n%metadata_json: {"software_version": "x"}\n'
        "3 2 3\n1 1 5\n3 1 1\n2 2 7\n"
    )
    (folder / "genes.tsv").write_text("ENSG1\tA\nENSG2\tB\nENSG3\tB\n")
    (folder / "barcodes.tsv").write_text("AAAC-1\nAAAG-1\n")
    back = io.read(folder)
    np.testing.assert_array_equal(back.dense(), [[5, 0, 1], [0, 7, 0]])
    assert back.genes.tolist() == ["ENSG1", "ENSG2", "ENSG3"]
    assert back.adata.var["symbol"].tolist() == ["A", "B", "B"]


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("twin.csv.gz", "twin.samples.csv"),
        ("a.b.parquet", "a.b.samples.csv"),
        ("TWIN.CSV", "TWIN.samples.csv"),
        ("m.mtx", "m.samples.csv"),
        ("folder", "folder.samples.csv"),
    ],
)
def test_where_the_sample_table_is_looked_for(tmp_path, name, beside):
    assert io.samples_beside(tmp_path / name) == tmp_path / beside


@pytest.mark.parametrize("name", ["twin.xlsx", "twin", "twin.h5ad.gz", "twin.mtx.gz", "twin.gz"])
def test_an_unknown_output_format_is_refused_before_any_work(bulk, tmp_path, name):
    with pytest.raises(ConfigError, match=r"cannot tell the format.*\.h5ad"):
        io.check_writable_format(tmp_path / name)
    with pytest.raises(ConfigError):
        io.write(bulk, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real
def test_real_tables_read_back_identically(data_dir, tmp_path):
    cohort = datasets.load("tb-blood-44")
    for name in ("c.csv.gz", "c.mtx", "c.h5ad"):
        io.write(cohort, tmp_path / name)
        back = io.read(tmp_path / name, label="group", covariates=["sex"])
        np.testing.assert_array_equal(back.adata.X.toarray() if name == "c.mtx" else back.adata.X, cohort.adata.X)
        pd.testing.assert_frame_equal(plain(back.obs), plain(cohort.obs))
