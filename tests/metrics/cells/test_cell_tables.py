"""Aggregates behind the plots of cells: right, and nothing of a single cell."""

import numpy as np
import pytest

from twinseq.metrics.cells import CellComparison, CellSpace
from twinseq.metrics.cells._tables import TABLES, cell_composition, cell_map, cell_markers, cell_moments, hexagons


def test_hexagons_hold_the_points_nearest_to_their_centre(rng):
    points = rng.normal(size=(400, 2))
    centres, n = hexagons(points, 0.4)
    assert n.sum() == 400
    height = 0.4 * np.sqrt(3)
    i, j = np.meshgrid(np.arange(-15, 16), np.arange(-15, 16))
    lattice = np.stack([i.ravel() * 0.4, j.ravel() * height], axis=1)
    lattice = np.vstack([lattice, lattice + np.array([0.2, height / 2])])
    nearest = lattice[np.argmin(((points[:, None] - lattice) ** 2).sum(axis=2), axis=1)]
    expected = {tuple(np.round(centre, 6)): 0 for centre in nearest}
    for centre in nearest:
        expected[tuple(np.round(centre, 6))] += 1
    assert {tuple(np.round(c, 6)): k for c, k in zip(centres, n, strict=True)} == expected


def test_no_hexagon_holds_fewer_than_five_cells(comparison: CellComparison):
    table = cell_map(comparison)
    assert table["n"].min() >= 5
    assert set(table["source"]) == {"real", "holdout", "twin"}
    for source, side in (("real", comparison.train), ("twin", comparison.twin)):
        part = table[table["source"] == source]
        assert 0.2 * side.n_samples < part["n"].sum() <= side.n_samples
        assert np.allclose(part["share"], part["n"] / side.n_samples)


def test_centres_are_places_of_a_grid_and_of_no_cell(comparison: CellComparison):
    table = cell_map(comparison)
    steps = table["pc1"] / (table["width"] / 2)
    assert np.allclose(steps, np.rint(steps))


def test_composition_is_by_side_and_adds_up(comparison: CellComparison):
    table = cell_composition(comparison)
    assert np.allclose(table.groupby("source")["share"].sum(), 1)
    assert table["donor_sd"].notna().all()
    real = table[(table["source"] == "real") & (table["cell_type"] == "type1")]
    assert real["share"].item() == pytest.approx((comparison.train.types == "type1").mean())


def test_rare_types_are_put_together(train, second_draw):
    types = train.obs["cell_type"].astype(str).to_numpy()
    kept = np.sort(np.concatenate([np.flatnonzero(types != "type3"), np.flatnonzero(types == "type3")[:4]]))
    space = CellSpace(train.subset(kept))
    table = cell_composition(CellComparison(space, space.train, space.cells(second_draw)))
    assert set(table["cell_type"]) == {"type1", "type2", "(rare types)"}
    assert table.loc[table["cell_type"] == "(rare types)", "donor_sd"].isna().all()


def test_markers_are_the_planted_ones(comparison: CellComparison, train):
    table = cell_markers(comparison)
    planted = train.adata.var["marker"].astype(str)
    assert (planted[table["gene"]].to_numpy() == table["cell_type"].to_numpy()).mean() > 0.8
    assert (table["lfc_real"] > 0).all()
    assert table["rank_twin"].median() <= 15


def test_moments_run_over_the_mean_in_bins_of_many_genes(comparison: CellComparison):
    table = cell_moments(comparison)
    assert table["n_genes"].min() >= 5
    for _, part in table.groupby(["source", "cell_type"]):
        assert (np.diff(part["mean"]) >= 0).all()
        assert np.corrcoef(part["mean"], part["zeros"])[0, 1] < -0.8


def test_every_table_is_made_without_a_holdout(train, second_draw):
    space = CellSpace(train)
    lone = CellComparison(space, space.train, space.cells(second_draw))
    for maker in TABLES.values():
        assert len(maker(lone))
