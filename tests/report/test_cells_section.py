"""The section of single cells."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from planted_cells import hostile_cells_report, make_cells_report

from twinseq.report import render
from twinseq.report.figures.cell_composition import cell_composition
from twinseq.report.figures.cell_map import cell_map
from twinseq.report.figures.cell_markers import cell_markers
from twinseq.report.figures.cell_moments import cell_variance, cell_zeros
from twinseq.report.sections import sections


@pytest.fixture(scope="module")
def report():
    return make_cells_report()


@pytest.fixture(scope="module")
def page(report):
    return render(report)


def test_single_cell_comes_first_and_bulk_sections_stay_away(report):
    parts = sections(report)
    assert [part.key for part in parts] == ["cells", "fidelity", "covariates"]
    assert [figure.title for figure in parts[0].figures] == [
        "Map of cells",
        "Composition",
        "Marker genes",
        "Mean and variance by cell type",
        "Mean and zeros by cell type",
    ]
    assert not any(part.missing for part in parts)
    assert parts[0].rows[0].name == "lisi"


def test_the_words(page):
    assert "Twin and real cells mix to" in page
    assert re.search(r"10 donors, 200 genes", page)
    assert "cell types by “cell_type”" in page
    assert "no single real cell" in page
    assert "Test and design of the differential expression" not in page


def test_no_name_of_a_cell_or_donor_reaches_the_page(page):
    assert "cell-0-" not in page
    assert "donor-0-" not in page


def test_any_table_of_cells_may_be_absent(report):
    for name in report.tables:
        tables = {key: table for key, table in report.tables.items() if key != name}
        assert "Single cell" in render(dataclasses.replace(report, tables=tables))


def test_hostile_names_are_inert():
    page = render(hostile_cells_report())
    assert "<script>window.pwned" not in page
    assert "<img src=x" not in page


def hexagon(source, x, y, n, total=100):
    return {"source": source, "pc1": x, "pc2": y, "n": n, "share": n / total, "width": 1.0, "height": 0.75}


def test_a_hexagon_is_drawn_about_its_centre():
    table = pd.DataFrame([hexagon("real", 2.0, 0.0, 60), hexagon("twin", 2.0, 0.0, 60)])
    figure = cell_map(table, None, None)
    real = figure.panels[0]
    filled = [trace for trace in real.data if trace.get("fill") and len(trace["x"])]
    assert len(filled) == 1
    assert filled[0]["x"][:7] == [2.0, 2.5, 2.5, 2.0, 1.5, 1.5, 2.0]
    assert filled[0]["y"][:7] == [0.5, 0.25, -0.25, -0.5, -0.25, 0.25, 0.5]
    assert filled[0]["x"][7] is None


def test_the_difference_says_where_the_twin_is_denser():
    table = pd.DataFrame(
        [
            hexagon("real", 0.0, 0.0, 50),
            hexagon("twin", 0.0, 0.0, 50),
            hexagon("real", 1.0, 0.0, 10),
            hexagon("twin", 2.0, 0.0, 40),
        ]
    )
    figure = cell_map(table, None, None)
    assert "40 % of the twin's cells" in figure.findings[0].replace("\xa0", " ")
    assert "10 % of the real cells" in figure.findings[0].replace("\xa0", " ")
    hover = figure.panels[-1].data[-1]
    assert dict(zip(hover["x"], hover["customdata"], strict=True)) == {
        0.0: ["50", "50"],
        1.0: ["10", "under 5"],
        2.0: ["under 5", "40"],
    }


def test_without_a_twin_there_is_no_map():
    assert cell_map(None, None, None) is None
    assert cell_map(pd.DataFrame([hexagon("real", 0.0, 0.0, 50)]), None, None) is None


def test_composition_has_whiskers_where_donors_are_known():
    table = pd.DataFrame(
        {
            "source": ["real", "real", "twin", "twin"],
            "cell_type": ["b", "t", "b", "t"],
            "share": [0.6, 0.4, 0.5, 0.5],
            "donor_sd": [0.1, 0.1, np.nan, np.nan],
        }
    )
    figure = cell_composition(table)
    real, twin = figure.panels[0].data
    assert real["error_x"]["array"] == [10.0, 10.0]
    assert "error_x" not in twin
    assert figure.findings == ("largest difference 10.0 percentage points, at b",)


def test_markers_name_genes_and_ranks():
    table = pd.DataFrame(
        {
            "cell_type": ["b", "b", "t"],
            "rank_real": [1, 2, 1],
            "gene": ["MS4A1", "CD79A", "CD3D"],
            "lfc_real": [3.0, 2.0, 4.0],
            "lfc_twin": [3.0, 2.0, 4.0],
            "rank_twin": [1.0, 40.0, np.nan],
        }
    )
    figure = cell_markers(table)
    assert figure.findings[0] == "r = 1.000, slope = 1.000"
    assert "b: 1 of its 2 strongest markers" in figure.findings[1]
    assert figure.table.rows == [("b", "MS4A1 (1), CD79A (40)"), ("t", "CD3D (type not in the twin)")]


def test_each_type_has_a_panel_of_variance_and_of_zeros(report):
    for draw in (cell_variance, cell_zeros):
        figure = draw(report.tables["cell_moments"])
        assert [panel.heading for panel in figure.panels] == ["type1", "type2", "type3"]
        assert all(len(panel.data) == 3 for panel in figure.panels)
