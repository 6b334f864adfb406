"""Where this twin lies between what it gives away and what it keeps."""

import json
from dataclasses import replace
from itertools import combinations

import pandas as pd
import pytest
from planted import METRICS, make_report
from planted_attacks import attacked, leak, no_leak
from planted_verdict import REPLICATION, quiet, released, settings_table, under_policy

from twinseq.report.figures.frontier import _box, _meet, frontier
from twinseq.report.frontier import fidelity
from twinseq.report.frontier import frontier as placed
from twinseq.report.frontier import settings_table as table_of
from twinseq.results import AuditReport, MetricResult


def kinds(report: AuditReport) -> dict[str, int]:
    found = [one.kind for one in placed(report).points]
    return {kind: found.count(kind) for kind in found}


def test_one_twin_stands_beside_the_training_data():
    found = placed(under_policy(quiet()))
    twin, data = found.points
    assert (twin.kind, twin.fidelity, twin.auc, twin.auc_ends) == ("twin", 0.985, 0.51, (0.47, 0.55))
    # Who releases the training data themselves gives everybody away.
    assert (data.name, data.fidelity, data.auc) == ("the training data", 1.0, 1.0)
    assert (found.floor, found.most, found.least) == (-0.03, 0.7, 0.8)


def test_other_donors_in_its_place_give_nobody_away():
    other = replace(REPLICATION, ceiling=0.9, ceiling_source="hold-out in the twin's place (60)")
    found = placed(under_policy(quiet(), metrics=(other,)))
    assert [(one.name, one.fidelity, one.auc) for one in found.points[1:]] == [("other real donors", 0.9, 0.5)]
    halves = replace(REPLICATION, ceiling_source="two halves of the training data in the place of both (30 and 30)")
    assert len(placed(under_policy(quiet(), metrics=(halves,))).points) == 1


def test_the_attack_is_the_one_that_the_policy_goes_by():
    report = under_policy(leak())
    assert placed(report).points[0].auc == 0.97
    # Without a policy it is that of level T1, not the stronger one of T2.
    assert placed(replace(report, verdict={})).points[0].auc == 0.97


def test_fidelity_is_replication_or_else_the_first_figure_of_use():
    assert fidelity((*METRICS, REPLICATION)).name == "lfc_replication"
    assert fidelity(METRICS).name == "lfc_pearson"
    rest = [metric for metric in METRICS if metric.name != "lfc_pearson"]
    assert fidelity(rest).name == "tstr_auc_top500_logistic"
    difference = MetricResult("tstr_minus_trtr", "utility", 0.0, "higher", 0.0)
    assert fidelity([difference]) is None
    assert fidelity([replace(REPLICATION, value=float("nan"))]) is None


@pytest.mark.parametrize("report", [make_report(), attacked(no_leak(), metrics=()), AuditReport({}, {}, ())])
def test_without_an_attack_or_a_figure_there_is_nothing_to_draw(report):
    assert frontier(report) is None


def test_a_search_is_drawn_with_this_twin_in_it():
    assert kinds(released()) == {"searched": 6, "reported": 2, "setting": 1, "beside": 2, "twin": 1}
    # Of an audit without figures of use, the reported figures of the chosen setting are this twin's.
    alone = released(metrics=())
    assert kinds(alone) == {"searched": 6, "reported": 2, "twin": 1, "beside": 2}
    twin = next(one for one in placed(alone).points if one.kind == "twin")
    chosen = settings_table().query("chosen and stage == 'reported'").iloc[0]
    assert (twin.auc, twin.fidelity) == (chosen["auc"], chosen["lfc_replication"])


def test_settings_that_were_not_measured_are_left_out():
    table = settings_table()
    table.loc[0, "auc"] = float("nan")
    table.loc[1, "stage"] = "</script>"
    report = released()
    assert kinds(replace(report, tables={"frontier": table}))["searched"] == 4
    assert kinds(replace(report, tables={"frontier": table.drop(columns="stage")})) == {"twin": 1, "data": 1}


def test_safer_is_up_and_every_point_is_inside():
    for report in (released(), under_policy(leak()), under_policy(quiet())):
        panel = frontier(report).panels[0]
        (left, right), (bottom, top) = panel.layout["xaxis"]["range"], panel.layout["yaxis"]["range"]
        assert bottom > top
        for trace in panel.data:
            assert all(left <= x <= right for x in trace["x"])
            assert all(top <= y <= bottom for y in trace["y"])
        json.dumps([panel.data, panel.layout], allow_nan=False)


def test_what_the_policy_allows_is_marked():
    allowed = [shape for shape in frontier(released()).panels[0].layout["shapes"] if shape["type"] == "rect"]
    assert [(shape["x0"], shape["y0"]) for shape in allowed] == [(0.8, 0.7)]
    none = replace(released(), verdict={"policy": None, "outcome": "leak", "reasons": []})
    assert not [shape for shape in frontier(none).panels[0].layout["shapes"] if shape["type"] == "rect"]


def test_words_stand_for_the_drawing():
    words = " ".join(frontier(under_policy(quiet())).findings)
    assert "This twin: keeps 0.98, 0.96 to 1.01; AUC of the strongest attack 0.51, 0.47 to 0.55." in words
    assert "A twin that copies its donors (positive control): AUC 1.00." in words
    assert "The policy allows an AUC of at most 0.70" in words


def test_names_lie_on_no_other_name():
    layout = frontier(released()).panels[0].layout
    (left, right), (bottom, top) = layout["xaxis"]["range"], layout["yaxis"]["range"]
    names = [one for one in layout["annotations"] if one["font"]["size"] == 12]
    assert "<b>this twin</b>" in [one["text"] for one in names]
    places = {("left", "middle"): "middle right", ("right", "middle"): "middle left"}
    boxes = []
    for one in names:
        vertical = {"bottom": "top", "top": "bottom", "middle": "middle"}[one["yanchor"]]
        horizontal = {"left": "right", "right": "left", "center": "center"}[one["xanchor"]]
        x, y = (one["x"] - left) / (right - left), (one["y"] - bottom) / (top - bottom)
        place = places.get((one["xanchor"], one["yanchor"]), f"{vertical} {horizontal}")
        boxes.append(_box(place, x, y, len(one["text"].replace("<b>", "").replace("</b>", ""))))
    assert not any(_meet(one, other) for one, other in combinations(boxes, 2))


def test_the_table_of_settings_lists_them_all():
    table = table_of(released())
    assert len(table.rows) == len(settings_table())
    assert [row[0] for row in table.rows if "(chosen)" in row[0]] == ["10 factors (chosen)"] * 2
    assert table.rows[0][1] == "donors the search had not seen"
    assert table.rows[-1][1] == "in the search"
    assert table_of(make_report()) is None
    assert table_of(replace(make_report(), tables={"frontier": pd.DataFrame()})) is None
