"""The audit of single cells on the command line."""

import json

import pytest

import twinseq as ts


def test_cells_are_audited_by_their_types(twinseq, tmp_path):
    size = {"n_cases": 4, "n_controls": 4, "n_genes": 120, "cells_per_donor": 30, "n_cell_types": 2}
    for seed, name in enumerate(("real", "twin", "holdout")):
        cells = ts.datasets.simulate_cells(**size, seed=seed)
        del cells.adata.uns["truth"]
        cells.adata.write_h5ad(tmp_path / f"{name}.h5ad")
    files = [tmp_path / f"{name}.h5ad" for name in ("real", "twin")]
    roles = ("--label", "condition", "--donor", "donor", "--cell-type", "cell_type")
    ended = twinseq("audit", *files, "--holdout", tmp_path / "holdout.h5ad", *roles, "-o", tmp_path / "out")
    assert ended.code == 0, ended.err
    content = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    figures = {metric["name"]: metric["value"] for metric in content["metrics"]}
    assert figures["lisi"] > 0.5
    assert content["provenance"]["roles"]["cell_type"] == "cell_type"
    assert content["provenance"]["cohorts"]["train"]["donors"] == 8
    assert "Twin and real cells mix, LISI" in ended.out
    assert "figures made for samples are left out for cells" in ended.out
    assert "Single cell" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "cell_map.tsv").is_file()


def test_cells_left_on_disk_have_the_same_figures(twinseq, tmp_path):
    """Folds and starting points go by the order of cells, which is that of the file on disk: those move a little."""
    for seed, name in enumerate(("real", "twin", "holdout")):
        cells = ts.datasets.simulate_cells(3, 3, 60, cells_per_donor=25, n_cell_types=2, seed=seed)
        del cells.adata.uns["truth"]
        ts.write(cells, tmp_path / f"{name}.h5ad")
    files = (tmp_path / "real.h5ad", tmp_path / "twin.h5ad", "--holdout", tmp_path / "holdout.h5ad")
    found = []
    for lazy in ("--lazy", "--no-lazy"):
        ended = twinseq("audit", *files, lazy, "-o", tmp_path / lazy)
        assert ended.code == 0, ended.err
        content = json.loads((tmp_path / lazy / "metrics.json").read_text(encoding="utf-8"))
        found.append({metric["name"]: metric["value"] for metric in content["metrics"]})
    assert found[0].keys() == found[1].keys()
    for name, value in found[0].items():
        by_order = name.startswith(("c2st", "cluster", "cell_type_tstr")) or name in ("lisi", "cells_mmd")
        assert value == pytest.approx(found[1][name], rel=1e-6, abs=0.1 if by_order else 1e-9), name
