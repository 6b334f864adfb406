"""The section on pathways: what is drawn, what the table names, and where the figures stand."""

import numpy as np
import pandas as pd
import pytest
from planted import HOSTILE, make_report, pathway_table

from twinseq.report.figures.pathways import TOP, leading, pathways
from twinseq.report.sections import sections


@pytest.fixture
def sets() -> pd.DataFrame:
    return pathway_table(np.random.default_rng(0))


def test_leading_sets_are_the_most_significant_of_both_directions(sets):
    top = leading(sets)
    up = top[top["nes_real"] > 0]
    assert len(up) == len(top) - len(up) == TOP
    assert set(up["gene_set"]) == set(sets[sets["nes_real"] > 0].nlargest(TOP, "nes_real")["gene_set"])
    assert (top["fdr_real"] < 0.05).all()


def test_every_set_is_a_point_and_findings_count_by_hand(sets):
    figure = pathways(sets)
    assert [panel.heading for panel in figure.panels] == ["Twin against real", "Hold-out against real"]
    others, significant, named = figure.panels[0].data
    assert len(others["x"]) + len(significant["x"]) == len(sets)
    assert len(named["x"]) == 2 * TOP
    real = (sets["fdr_real"] < 0.05) * np.sign(sets["nes_real"])
    twin = (sets["fdr_twin"] < 0.05) * np.sign(sets["nes_twin"])
    again = int(((real == twin) & (real != 0)).sum())
    assert f"of {int((real != 0).sum())} significant in the real data {again} are found again" in figure.findings[0]
    r = np.corrcoef(sets["nes_real"], sets["nes_twin"])[0, 1]
    assert f"r = {r:.3f}" in figure.findings[0]


def test_table_shows_both_sides(sets):
    table = pathways(sets).table
    assert table.columns == (
        "Gene set", "Direction", "Genes",
        "NES real", "FDR real", "NES twin", "FDR twin", "NES hold-out", "FDR hold-out",
    )  # fmt: skip
    assert len(table.rows) == 2 * TOP
    assert {len(row) for row in table.rows} == {9}


def test_without_a_hold_out_one_panel_and_without_scores_none(sets):
    sets[["nes_holdout", "fdr_holdout"]] = np.nan
    figure = pathways(sets)
    assert len(figure.panels) == 1
    assert "NES hold-out" not in figure.table.columns
    sets["nes_twin"] = np.nan
    assert pathways(sets) is None


def test_nothing_significant_gives_a_figure_without_table(sets):
    sets["fdr_real"] = 0.9
    assert pathways(sets).table is None


def test_hostile_set_names_are_inert_in_the_plot(sets):
    sets["gene_set"] = [HOSTILE[index % len(HOSTILE)] for index in range(len(sets))]
    figure = pathways(sets)
    texts = [text for panel in figure.panels for trace in panel.data for text in trace["customdata"]]
    assert not any("<" in text or ">" in text for text in texts)
    assert max(map(len, texts)) < 400


def test_the_section_holds_the_pathway_figures_and_biology_does_not():
    parts = {part.key: part for part in sections(make_report())}
    assert [row.name for row in parts["pathways"].all_rows] == ["pathway_recall"]
    assert [group.title for group in parts["pathways"].groups] == ["tumour vs normal"]
    assert "pathway_recall" not in [row.name for row in parts["biology"].all_rows]
    assert parts["pathways"].rows[0].title == "Pathway recall"


def test_no_section_without_gene_sets():
    report = make_report()
    metrics = tuple(metric for metric in report.metrics if not metric.name.startswith("pathway_"))
    tables = {name: table for name, table in report.tables.items() if name != "pathways"}
    assert "pathways" not in {part.key for part in sections(make_report(metrics=metrics, tables=tables))}


def test_many_contrasts_are_told_of(sets):
    many = pd.concat([sets.assign(contrast=f"class {number} vs a") for number in range(6)])
    report = make_report(tables={**make_report().tables, "pathways": many})
    part = next(part for part in sections(report) if part.key == "pathways")
    assert len(part.groups) == 4
    assert part.missing == ("2 more contrasts, kept in the table: class 4 vs a, class 5 vs a.",)
