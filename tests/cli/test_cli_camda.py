"""``twinseq camda`` on the command line: what is written and printed, and what is said of bad input."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import twinseq as ts
from challenge import Files, cells, write_files, write_truth


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Files:
    return write_files(tmp_path_factory.mktemp("given"), n=40, n_genes=60)


@pytest.fixture(autouse=True)
def few_worlds(monkeypatch):
    """Half the work; how strong the answers are is tested elsewhere."""
    monkeypatch.setattr("twinseq.camda.membership.WORLDS", 2)


def test_from_the_organisers_files_to_the_figures_of_both_teams(twinseq, given, tmp_path):
    twins, guesses, figures = (tmp_path / name for name in ("twins", "guesses", "figures"))
    ended = twinseq("camda", "blue", *given.all, "-o", twins, "-g", "bootstrap", "--seed", 2)
    assert ended.code == 0, ended.err
    assert "split_2" in ended.out
    ended = twinseq(
        "camda", "red", given.expression, given.subtypes, twins / "synthetic_data_split_1.csv",
        twins / "synthetic_data_split_2.csv", "-o", guesses, "-g", "bootstrap", "--reference", given.reference,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert "attacks of most weight" in ended.out
    samples = pd.read_csv(given.expression, sep="\t", index_col=0).columns
    for number in (1, 2):
        table = pd.read_csv(guesses / f"synthetic_data_{number}_predictions.csv")
        assert list(table.columns) == ["membership_label"]
        assert len(table) == len(samples)
        assert table["membership_label"].between(0, 1).all()
    found = twinseq(
        "camda", "score-red", guesses / "synthetic_data_1_predictions.csv", given.splits, "--expression",
        given.expression, "--json",
    ).json  # fmt: skip
    assert (found["members"], found["others"]) == (40, 20)
    # A bootstrap twin of the training data's size leaves out 37 % of the members.
    assert 0.7 < found["auc"] < 0.95
    ended = twinseq("camda", "score", *given.all, twins, "-o", figures)
    assert ended.code == 0, ended.err
    assert "paper_dcr_relative" in ended.out
    table = pd.read_csv(figures / "evaluation.csv")
    assert set(table["split"]) == {"split_1", "split_2"}
    assert table.set_index("metric").loc["paper_dcr", "value"].max() == pytest.approx(0, abs=1e-6)


def test_a_truth_table_says_the_same_as_the_splits(twinseq, given, tmp_path):
    guesses = tmp_path / "synthetic_data_2_predictions.csv"
    samples = pd.read_csv(given.expression, sep="\t", index_col=0).columns
    values = np.random.default_rng(0).random(len(samples))
    pd.DataFrame({"membership_label": values}).to_csv(guesses, index=False)
    from_splits = twinseq("camda", "score-red", guesses, given.splits, "--expression", given.expression, "--json").json
    cohort = ts.camda.read_cohort(given.expression, given.subtypes)
    train = ts.camda.read_splits(given.splits, cohort)[1].train
    truth = write_truth(tmp_path / "truth.csv", list(samples), np.isin(np.arange(len(samples)), train))
    assert twinseq("camda", "score-red", guesses, truth, "--json").json == from_splits
    assert "members found at 10% false alarms" in twinseq("camda", "score-red", guesses, truth).out


def test_members_may_be_decided(twinseq, given, tmp_path):
    assert twinseq("camda", "blue", *given.all, "-o", tmp_path, "-g", "smote", "-q").code == 0
    ended = twinseq(
        "camda", "red", given.expression, given.subtypes, tmp_path / "synthetic_data_split_2.csv", "-o", tmp_path,
        "--members", 0.5, "--json",
    )  # fmt: skip
    assert ended.json[0]["targets"] == 60
    table = pd.read_csv(tmp_path / "synthetic_data_2_predictions.csv")["membership_label"]
    assert table.value_counts().to_dict() == {0.0: 30, 1.0: 30}


def test_private_twins_state_their_guarantee(twinseq, given, tmp_path):
    ended = twinseq(
        "camda", "blue", *given.all, "-o", tmp_path, "--preset", "dp", "--epsilon", 30, "--delta", 1e-3, "--json"
    )
    assert ended.code == 0, ended.err
    assert ended.json["generator"] == "dp-copula"
    assert 30 < ended.json["epsilon_together"] <= 60
    assert len(list(tmp_path.iterdir())) == 6  # profiles, labels and a claim of each split


def test_cells_go_through_both_teams(twinseq, tmp_path):
    train, others = cells(8, seed=0, cells_per_donor=30), cells(8, seed=1, cells_per_donor=30)
    targets = ad.concat([train.adata, others.adata], index_unique="-")
    train.adata.write_h5ad(tmp_path / "train.h5ad")
    others.adata.write_h5ad(tmp_path / "test.h5ad")
    targets.write_h5ad(tmp_path / "mia.h5ad")
    ended = twinseq(
        "camda", "blue-cells", tmp_path / "train.h5ad", "--like", tmp_path / "test.h5ad", "-o", tmp_path / "twin.h5ad"
    )
    assert ended.code == 0, ended.err
    twin = ad.read_h5ad(tmp_path / "twin.h5ad")
    assert twin.obs["cell_type"].value_counts().to_dict() == others.obs["cell_type"].value_counts().to_dict()
    assert (twin.obs["cell_label"].astype(str) == "label of " + twin.obs["cell_type"].astype(str)).all()
    assert list(twin.var_names) == list(train.genes)
    ended = twinseq(
        "camda", "red-cells", tmp_path / "mia.h5ad", tmp_path / "twin.h5ad", "-o", tmp_path / "guess.csv", "-q"
    )
    assert ended.code == 0, ended.err
    table = pd.read_csv(tmp_path / "guess.csv")
    assert list(table.columns) == ["barcode_col", "individual", "membership"]
    assert table["barcode_col"].tolist() == targets.obs["barcode_col"].tolist()
    assert (table.groupby("individual")["membership"].nunique() == 1).all()
    truth = targets.obs[["barcode_col", "individual"]].assign(
        membership=targets.obs["individual"].isin(train.obs["individual"]).astype(int)
    )
    truth.to_csv(tmp_path / "truth.csv", index=False)
    found = twinseq("camda", "score-red", tmp_path / "guess.csv", tmp_path / "truth.csv", "--json").json
    assert (found["members"], found["others"]) == (8, 8)


def bad_calls(given, tmp_path):
    tsv, csv, yaml = given.all
    no = tmp_path / "no"
    return [
        (("blue", no, csv, yaml, "-o", tmp_path / "out"), "no such file"),
        (("blue", tsv, csv, csv, "-o", tmp_path / "out"), "cannot be read as YAML"),
        (("blue", tsv, csv, yaml, "-o", tmp_path / "out", "-g", "copulla"), "did you mean 'copula'"),
        (("blue", tsv, csv, yaml, "-o", tmp_path / "out", "-g", "scdesign2"), "continuous"),
        (("red", tsv, csv, no, "-o", tmp_path / "out"), "no number in the name"),
        (("red", tsv, csv, tmp_path / "synthetic_data_1.csv", "-o", tmp_path / "out"), "no such file"),
        (("red", tsv, csv, tsv, "-o", tmp_path / "out", "--members", 80), "share between 0 and 1"),
        (("red", tsv, csv, "a1.csv", "b1.csv", "-o", tmp_path / "out"), "same number"),
        (("score", *given.all, tmp_path), "no such file"),
        (("score-red", no, yaml), "give --expression"),
        (("blue-cells", tsv, "-o", tmp_path / "out" / "twin.csv"), "takes .h5ad"),
    ]


@pytest.mark.parametrize("number", range(11))
def test_bad_input_ends_with_2_and_leaves_nothing(twinseq, given, tmp_path, number):
    words, message = bad_calls(given, tmp_path)[number]
    ended = twinseq("camda", *words)
    assert ended.code == 2, ended.err
    assert message in ended.err
    assert ended.out == ""
    assert not (tmp_path / "out").exists()
