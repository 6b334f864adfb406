"""The audit of single cells on the command line."""

import json

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
