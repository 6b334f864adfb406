"""Figures of co-expression and survival."""

import json

import numpy as np
import pandas as pd
import pytest
from planted import METRICS, make_report, make_tables

from twinseq.report import render
from twinseq.report.figures.coexpression import edge_correlations, edges, modules
from twinseq.report.figures.survival import survival_curves
from twinseq.report.rows import row
from twinseq.report.sections import sections
from twinseq.results import MetricResult


@pytest.fixture(scope="module")
def tables():
    return make_tables()


def test_edges_stand_beside_ceiling_and_floor():
    figure = edges({metric.name: metric for metric in METRICS})
    assert figure is not None
    recall, precision = figure.panels
    assert [trace["y"] for trace in recall.data] == [[0.72, 0.61], [0.75, 0.7], [0.02, 0.0]]
    assert recall.data[0]["x"] == ["r > 0.3", "r > 0.5"]
    assert precision.data[2]["y"] == [0.06, None]
    assert figure.findings[0] == "recall at r > 0.3: twin 0.720, real against real 0.750, independent genes 0.020"
    assert edges({}) is None


def test_pairs_of_genes_are_a_density_with_its_correlation():
    values = np.array([-0.475, 0.025, 0.525])
    table = pd.DataFrame({"source": "twin", "r_real": values, "r_other": -values, "n_pairs": [1, 100, 10]})
    figure = edge_correlations(table)
    assert figure is not None
    (panel,) = figure.panels
    cells = np.array(panel.data[0]["customdata"], dtype=float)
    assert cells.shape == (3, 3)
    assert np.nansum(cells) == 111
    # Lowest correlation in the twin is the first row, and there the real one is highest.
    assert cells[0, 2] == 10
    assert panel.data[0]["zmax"] == pytest.approx(2)
    assert figure.findings == ("twin against real: r = −1.000 over 111 pairs of genes",)


def test_modules_tell_how_many_are_preserved(tables):
    figure = modules(tables["modules"])
    assert figure is not None
    assert figure.findings[1].startswith("hold-out: 12 of 12 modules")
    kept = (np.linspace(30, 5, 12) > 10).sum()
    assert figure.findings[0].startswith(f"twin: {kept} of 12 modules")
    assert len(figure.panels[0].data[0]["x"]) == 12
    assert modules(tables["modules"].iloc[:0]) is None


def test_survival_curves_are_steps_that_show_what_the_table_holds(tables):
    figure = survival_curves(tables["survival"])
    assert figure is not None
    assert [panel.heading for panel in figure.panels] == ["normal", "tumour"]
    for trace in figure.panels[0].data:
        assert trace["line"]["shape"] == "hv"
        assert trace["x"] == list(np.arange(0, 61, 5.0))
    shares = [f"{np.exp(-60 / scale):.2f}" for scale in (30, 33, 28)]
    assert figure.findings[1] == (
        f"tumour: without the event at time 60.0: real {shares[0]}, hold-out {shares[1]}, twin {shares[2]}"
    )


def test_curves_that_end_early_are_compared_where_all_of_them_run(tables):
    table = tables["survival"].query("source != 'twin' or time <= 20")
    assert "at time 20.0" in survival_curves(table).findings[0]
    one = table.query("label == 'normal'")
    many = survival_curves(pd.concat([one.assign(label=f"class {index}") for index in range(9)]))
    assert len(many.panels) == 6
    assert many.findings[-1].startswith("3 more classes")


def test_every_figure_says_how_it_is_read(tables):
    (biology,) = [part for part in sections(make_report(tables=tables)) if part.key == "biology"]
    assert [figure.title for figure in biology.figures] == [
        "Co-expression edges",
        "Correlations of gene pairs",
        "Modules",
        "Survival curves",
    ]
    assert all(figure.reading.endswith(".") and figure.findings for figure in biology.figures)
    json.dumps([panel.data for figure in biology.figures for panel in figure.panels], allow_nan=False)


def test_survival_is_missed_only_where_it_was_asked_for():
    tables = {name: table for name, table in make_tables().items() if name != "survival"}
    report = make_report(tables=tables)
    assert "Survival curves" not in render(report)
    asked = make_report(tables=tables, provenance={**report.provenance, "survival": {"time": "t", "event": "e"}})
    assert "Survival curves: the audit gave no figures for it." in render(asked)


def test_a_gain_by_augmentation_is_no_sign_of_memory():
    gain = MetricResult("augmentation_auc_trees", "utility", 0.1, "higher", 0.0, (0.05, 0.15), "", 0.0)
    assert row(gain).flag == ""
