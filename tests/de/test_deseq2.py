import numpy as np
import pandas as pd
import pytest

from twinseq.de import fit_deseq2
from twinseq.errors import CohortError, ConfigError

COLUMNS = ["baseMean", "log2FoldChange", "lfcSE", "stat", "pvalue", "padj", "dispersion"]
CONTRAST = ("group", "case", "control")


def cohort(n=16, n_genes=600, seed=5):
    """Counts with the first 60 genes changed by two on the log2 scale, up or down, and their metadata."""
    rng = np.random.default_rng(seed)
    index = [f"sample {i}" for i in range(n)]
    case = np.arange(n) % 2
    mean = np.exp(rng.uniform(2, 9, n_genes))
    alpha = 0.05 + 4 / mean
    change = np.where(np.arange(n_genes) < 60, 2 * np.log(2), 0) * (-1.0) ** np.arange(n_genes)
    mu = np.exp(rng.normal(0, 0.2, n))[:, None] * mean * np.exp(np.outer(case, change))
    counts = rng.negative_binomial(1 / alpha, 1 / (1 + alpha * mu))
    metadata = pd.DataFrame(
        {"group": np.where(case, "case", "control"), "age": rng.normal(50, 9, n), "site": np.arange(n) // 2 % 3},
        index=index,
    )
    return pd.DataFrame(counts, index=index, columns=[f"g{i}" for i in range(n_genes)]), metadata


def test_recovers_planted_changes():
    counts, metadata = cohort()
    result = fit_deseq2(counts, metadata, "group", CONTRAST)
    assert list(result.columns) == COLUMNS
    assert list(result.index) == list(counts.columns)
    called = (result["padj"] < 0.05).to_numpy()
    assert called[:60].mean() > 0.95
    assert called[60:].mean() < 0.02
    assert result["log2FoldChange"].iloc[:60:2].median() == pytest.approx(2, abs=0.15)
    assert result["log2FoldChange"].iloc[1:60:2].median() == pytest.approx(-2, abs=0.15)
    assert result.attrs["size_factors"] == "ratio"
    assert result.attrs["n_not_converged"] == 0


def test_swapping_the_contrast_flips_the_sign_and_arrays_do_as_well_as_frames():
    counts, metadata = cohort(n_genes=150)
    result = fit_deseq2(counts, metadata, ["group", "age"], CONTRAST)
    flipped = fit_deseq2(counts, metadata, ["group", "age"], ("group", "control", "case"))
    np.testing.assert_allclose(result["log2FoldChange"], -flipped["log2FoldChange"], atol=1e-4)
    array = fit_deseq2(counts.to_numpy(), metadata, ["group", "age"], CONTRAST)
    np.testing.assert_array_equal(array.to_numpy(), result.to_numpy())
    shuffled = fit_deseq2(counts, metadata.iloc[::-1], ["group", "age"], CONTRAST)
    np.testing.assert_array_equal(shuffled.to_numpy(), result.to_numpy())


def test_threads_change_nothing():
    counts, metadata = cohort(n_genes=900)
    one, two = (fit_deseq2(counts, metadata, ["group", "site"], CONTRAST, n_cpus=k) for k in (1, 3))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_any_characters_in_columns_and_levels():
    counts, metadata = cohort(n_genes=120)
    plain = fit_deseq2(counts, metadata, ["site", "group"], CONTRAST)
    names = {"case": 'TB, "active" (x|y) ~ 1 + ü 病 ' + "long" * 200, "control": "C(group)[T.case]; `a`"}
    odd = metadata.assign(group=metadata["group"].map(names)).rename(
        columns={"group": "Gruppe, (a) ~ 'b' + \N{GREEK SMALL LETTER ALPHA}", "site": "1 - 1"}
    )
    column = odd.columns[0]
    result = fit_deseq2(counts, odd, ["1 - 1", column], (column, names["case"], names["control"]))
    np.testing.assert_array_equal(result.to_numpy(), plain.to_numpy())


def test_a_zero_in_every_gene_turns_to_positive_counts():
    counts, metadata = cohort()
    for k in range(600):
        counts.iloc[k % 16, k] = 0
    result = fit_deseq2(counts, metadata, "group", CONTRAST, refit_cooks=False, cooks_filter=False)
    assert result.attrs["size_factors"] == "poscounts"
    assert result["log2FoldChange"].iloc[:60:2].median() == pytest.approx(2, abs=0.2)


def test_a_gene_of_zeros_and_two_silent_levels():
    counts, metadata = cohort(n_genes=150)
    metadata["group"] = ["case", "control", "other", "other"] * 4
    counts["g3"] = 0
    counts.loc[metadata["group"] != "other", "g4"] = 0
    result = fit_deseq2(counts, metadata, "group", CONTRAST)
    assert result.loc["g3", "baseMean"] == 0
    assert result.loc["g3"].drop("baseMean").isna().all()
    assert tuple(result.loc["g4", ["log2FoldChange", "stat", "pvalue"]]) == (0, 0, 1)


@pytest.mark.parametrize(("refit", "filter_"), [(True, True), (False, True), (True, False), (False, False)])
def test_outliers_are_treated_as_pydeseq2_treats_them(refit, filter_, monkeypatch):
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.ds import DeseqStats

    from twinseq.de import NumbaInference
    from twinseq.de.trend import DispersionTrend

    counts, metadata = cohort(n=20, n_genes=300)
    metadata["group"] = ["case"] * 8 + ["control"] * 8 + ["few"] * 4
    counts.iloc[0, 100:110] = 90_000
    counts.iloc[18, 110:120] = 90_000
    counts.iloc[:8, 120] = 0
    counts.iloc[1:, 121] = 0
    counts.iloc[0, 121] = 3000
    dds = DeseqDataSet(
        counts=counts,
        metadata=metadata,
        design="~group",
        refit_cooks=refit,
        inference=NumbaInference(),
        quiet=True,
    )
    dds.deseq2()
    stats = DeseqStats(dds, contrast=list(CONTRAST), cooks_filter=filter_, inference=NumbaInference(), quiet=True)
    stats.summary()
    expected = stats.results_df

    # The trends differ by definition; with theirs, everything downstream must agree.
    trend = DispersionTrend(*dds.uns["trend_coeffs"], True, dds.uns["_squared_logres"], dds.uns["prior_disp_var"])
    monkeypatch.setattr("twinseq.de.fitting.fit_trend", lambda *_: trend)
    mine = fit_deseq2(counts, metadata, "group", CONTRAST, refit_cooks=refit, cooks_filter=filter_)
    assert (mine["pvalue"].isna() == expected["pvalue"].isna()).all()
    assert mine["pvalue"].isna().any() == filter_
    np.testing.assert_allclose(mine["baseMean"], expected["baseMean"], rtol=1e-9)
    assert mine.attrs["n_refitted"] == (dds.var["refitted"].sum() if refit else 0)
    np.testing.assert_allclose(mine["dispersion"], dds.var["dispersions"], rtol=1e-6)
    # A gene whose counts are all in one group has no finite fold change; the solvers stop at different ones.
    assert (np.abs(mine["log2FoldChange"] - expected["log2FoldChange"]) < 1e-4).mean() > 0.99


def bad(change):
    counts, metadata = cohort(n=8, n_genes=30)
    counts = counts.astype(object)
    arguments = {"counts": counts, "metadata": metadata, "design": ["group"], "contrast": CONTRAST}
    change(arguments)
    return arguments


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda a: a.update(design=["grup"]), ConfigError, "did you mean 'group'"),
        (lambda a: a.update(design=["group", "group"]), ConfigError, "twice"),
        (lambda a: a.update(design=["age"]), ConfigError, "not in the design"),
        (lambda a: a.update(contrast=("group", "cases", "control")), ConfigError, "did you mean 'case'"),
        (lambda a: a.update(contrast=("group", "case", "case")), ConfigError, "with itself"),
        (lambda a: a.update(contrast=("group", "case")), ConfigError, "reference level"),
        (lambda a: a["metadata"].__setitem__("group", ["case"] + ["control"] * 7), CohortError, "has 1 sample"),
        (
            lambda a: (a["metadata"].insert(0, "batch", ["p", "q"] * 4), a.update(design=["batch", "group"])),
            CohortError,
            "column 'group' is determined",
        ),
        (
            lambda a: (a["metadata"].insert(0, "flat", 1.0), a.update(design=["group", "flat"])),
            CohortError,
            "column 'flat' is determined",
        ),
        (
            lambda a: (a["metadata"].insert(0, "who", list("abcdefgh")), a.update(design=["group", "who"])),
            CohortError,
            "full rank|cannot estimate",
        ),
        (
            lambda a: a["metadata"].__setitem__("group", [None] + ["case", "control"] * 3 + ["case"]),
            CohortError,
            "sample 0",
        ),
        (lambda a: a["metadata"].insert(0, "group", "x", allow_duplicates=True), CohortError, "more than one column"),
        (lambda a: a["counts"].__setitem__("g0", -1), CohortError, "'g0' in sample 'sample 0' is -1"),
        (lambda a: a["counts"].__setitem__("g2", 0.5), CohortError, "whole numbers"),
        (lambda a: a["counts"].__setitem__("g2", np.nan), CohortError, "nan"),
        (lambda a: a["counts"].__setitem__("g2", "many"), CohortError, "not a number"),
        (lambda a: a.update(counts=a["counts"] * 0), CohortError, "every count is zero"),
        (lambda a: a.update(counts=a["counts"].iloc[:, :0]), CohortError, "empty"),
        (lambda a: a.update(counts=a["counts"].T), CohortError, "no row in the metadata"),
        (lambda a: a.update(counts=np.ones((3, 4))), CohortError, r"shape \(3, 4\)"),
        (lambda a: a.update(metadata=pd.concat([a["metadata"]] * 2)), CohortError, "twice in the metadata"),
        (lambda a: a["counts"].__setitem__(slice(None), np.diag(np.ones(30))[:8]), CohortError, "size factors"),
    ],
)
def test_bad_input_says_what_and_where(change, error, message):
    arguments = bad(change)
    with pytest.raises(error, match=message):
        fit_deseq2(**arguments)


@pytest.mark.real
@pytest.mark.parametrize(
    ("folder", "reference", "design", "contrast", "n_calls"),
    [
        ("tb-blood-44", "tb-blood-44", ["group"], ("group", "TB", "LTBI"), 855),
        (
            "brca-tumour-normal-100",
            "brca-tumour-normal-100",
            ["sample_type"],
            ("sample_type", "tumour", "normal"),
            4791,
        ),
        ("tb-blood-75", "tb-blood-75_cohort+group", ["cohort", "group"], ("group", "TB", "nonTB"), 691),
    ],
)
def test_reproduces_r_deseq2(data_dir, reference_dir, folder, reference, design, contrast, n_calls):
    table = pd.read_csv(data_dir / folder / "counts.csv.gz", index_col=0)
    metadata = pd.read_csv(data_dir / folder / "samples.csv", index_col=0)
    trusted = pd.read_csv(reference_dir / f"deseq2_{reference}.csv.gz", index_col=0)
    counts = table[table.sum(axis=1) >= 10].T
    # R counts rejections at its default level of 0.1 when it chooses the filter.
    result = fit_deseq2(counts, metadata, design, contrast, alpha=0.1, refit_cooks=False, cooks_filter=False).loc[
        trusted.index
    ]

    change = np.abs(result["log2FoldChange"] - trusted["log2FoldChange"])
    assert (change < 1e-3).mean() >= 0.999
    assert (change < 1e-5).mean() >= 0.5
    assert (np.abs(result["dispersion"] / trusted["dispersion"] - 1) < 0.01).mean() >= 0.99
    assert (np.abs(result["lfcSE"] / trusted["lfcSE"] - 1) < 0.01).mean() >= 0.99
    assert (result["padj"].isna() == trusted["padj"].isna()).all()

    def calls(frame):
        moderate = (frame["padj"] < 0.05) & (frame["log2FoldChange"].abs() >= 1) & (frame["baseMean"] >= 10)
        return set(frame.index[moderate])

    assert len(calls(trusted)) == n_calls
    assert len(calls(result) ^ calls(trusted)) <= 2
