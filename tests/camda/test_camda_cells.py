"""The second track: whose cells a twin was made of."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from challenge import cells
from twinseq import camda, generators
from twinseq.attacks.roc import auc
from twinseq.cohort import Cohort
from twinseq.errors import CohortError


def together(*cohorts: Cohort) -> Cohort:
    adata = ad.concat([cohort.adata for cohort in cohorts], index_unique="-")
    return Cohort(adata, donor="individual", cell_type="cell_type", source="cells in question")


@pytest.fixture(scope="module")
def members():
    return cells(12, seed=0)


@pytest.fixture(scope="module")
def others():
    return cells(12, seed=1)


def twin_of(cohort: Cohort, folder, seed: int = 1, like=None, generator: str = "scdesign2") -> Cohort:
    """Make a twin, and read it back."""
    path = folder / f"twin{seed}.h5ad"
    n_cells = camda.blue_cells(cohort, generators.create(generator), path, like, seed=seed)
    twin = camda.read_cells(path, donors=False)
    assert twin.n_samples == n_cells
    return twin


def area(table: pd.DataFrame, members: Cohort) -> float:
    people = table.groupby("individual")["membership"].first()
    inside = people.index.isin(members.obs["individual"])
    return auc(people[inside].to_numpy(), people[~inside].to_numpy())


def test_a_file_is_read_with_its_roles(members, tmp_path):
    members.adata.write_h5ad(tmp_path / "train.h5ad")
    read = camda.read_cells(tmp_path / "train.h5ad")
    assert (read.donor, read.cell_type, read.label, read.kind) == ("individual", "cell_type", None, "counts")
    lacking = members.adata.copy()
    del lacking.obs["individual"]
    lacking.write_h5ad(tmp_path / "twin.h5ad")
    assert camda.read_cells(tmp_path / "twin.h5ad", donors=False).donor is None
    with pytest.raises(CohortError, match="no column 'individual'"):
        camda.read_cells(tmp_path / "twin.h5ad")


def test_a_twin_has_the_columns_and_nobodys_cells(members, tmp_path):
    twin = twin_of(members, tmp_path)
    assert twin.obs["cell_type"].value_counts().to_dict() == members.obs["cell_type"].value_counts().to_dict()
    assert (twin.obs["cell_label"].astype(str) == "label of " + twin.obs["cell_type"].astype(str)).all()
    assert twin.obs["individual"].isna().all()
    assert twin.obs["barcode_col"].is_unique
    assert not set(twin.obs["barcode_col"]) & set(members.obs["barcode_col"])


def test_a_twin_that_comes_in_blocks_is_written_whole(members, tmp_path, monkeypatch):
    monkeypatch.setattr("twinseq.generators._base.block_size", lambda n_genes: 100)
    like = members.obs.iloc[:330]
    twin = twin_of(members, tmp_path, like=like)
    assert twin.obs["cell_type"].value_counts().to_dict() == like["cell_type"].value_counts().to_dict()
    assert twin.obs["barcode_col"].is_unique
    assert (twin.obs["cell_label"].astype(str) == "label of " + twin.obs["cell_type"].astype(str)).all()


def test_simulated_donors_are_kept(members, tmp_path):
    twin = twin_of(members, tmp_path, generator="cell-copula")
    assert twin.obs["individual"].nunique() > 1
    assert not set(twin.obs["individual"]) & set(members.obs["individual"])


def test_labels_are_left_empty_where_a_type_has_several(members, tmp_path):
    adata = members.adata.copy()
    adata.obs["cell_label"] = np.where(np.arange(adata.n_obs) % 2, "a", "b")
    twin = twin_of(members.with_adata(adata), tmp_path)
    assert twin.obs["cell_label"].isna().all()


def test_donors_of_a_twin_are_found_without_any_reference(members, others, tmp_path, monkeypatch):
    monkeypatch.setattr("twinseq.camda.membership.WORLDS", 2)
    twin = twin_of(members, tmp_path)
    table, found = camda.red_cells(together(members, others), twin, seed=3)
    assert area(table, members) > 0.85
    assert np.mean(found.expected) > 0.75
    assert list(table.columns) == ["barcode_col", "individual", "membership"]


def test_a_type_that_hardly_anybody_has_costs_no_attack(members, others, tmp_path, monkeypatch):
    monkeypatch.setattr("twinseq.camda.membership.WORLDS", 1)
    twin = twin_of(members, tmp_path)
    targets = together(members, others)
    adata = targets.adata.copy()
    rare = np.arange(adata.n_obs) < 4
    adata.obs["cell_type"] = np.where(rare, "platelet", adata.obs["cell_type"].astype(str))
    table, found = camda.red_cells(targets.with_adata(adata), twin, seed=3)
    assert len(table) == adata.n_obs
    assert "copula_llr (T1)" in found.weights
    assert any("platelet" in note for note in found.notes)
    adata.obs["cell_type"] = "unheard of"
    with pytest.raises(CohortError, match="name the types alike"):
        camda.red_cells(targets.with_adata(adata), twin)


def test_a_twin_of_other_people_tells_nothing(members, others, tmp_path, monkeypatch):
    monkeypatch.setattr("twinseq.camda.membership.WORLDS", 1)
    areas = []
    for seed in (7, 8):
        twin = twin_of(cells(12, seed=seed), tmp_path, seed)
        areas.append(area(camda.red_cells(together(members, others), twin, seed=3)[0], members))
    # The standard error of one area of 12 against 12 is .12.
    assert 0.2 < np.mean(areas) < 0.8


def test_a_reference_of_the_same_people_and_foreign_genes_are_refused(members, others, tmp_path):
    twin = twin_of(members, tmp_path)
    with pytest.raises(CohortError, match="A reference holds other people"):
        camda.red_cells(together(members, others), twin, others)
    renamed = twin.adata.copy()
    renamed.var_names = [f"x{name}" for name in renamed.var_names]
    with pytest.raises(CohortError, match=r"lacks 120 gene\(s\) of the twin"):
        camda.red_cells(together(members, others), twin.with_adata(renamed))


def test_individuals_are_judged_and_not_cells(members, others, tmp_path):
    targets = together(members, others)
    table = pd.DataFrame(
        {
            "barcode_col": targets.obs["barcode_col"].to_numpy(),
            "individual": targets.obs["individual"].to_numpy(),
            "membership": np.random.default_rng(0).random(targets.n_samples),
        }
    )
    table.to_csv(tmp_path / "guess.csv", index=False)
    truth = table.assign(membership=table["individual"].isin(members.obs["individual"]).astype(int))
    truth.sample(frac=1, random_state=1).to_csv(tmp_path / "truth.csv", index=False)
    scores, member = camda.read_predictions(tmp_path / "guess.csv", tmp_path / "truth.csv")
    means = table.groupby("individual")["membership"].mean()
    np.testing.assert_allclose(scores, means)
    assert member.tolist() == means.index.isin(members.obs["individual"]).tolist()
    truth.assign(membership=np.arange(len(truth)) % 2).to_csv(tmp_path / "torn.csv", index=False)
    with pytest.raises(CohortError, match="is called a member and not a member"):
        camda.read_predictions(tmp_path / "guess.csv", tmp_path / "torn.csv")
