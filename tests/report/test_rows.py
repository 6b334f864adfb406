import math
from dataclasses import replace

import pytest

from twinseq.report.questions import about, readable
from twinseq.report.rows import MEMORISATION, row, rows, scale
from twinseq.results import MetricResult

RECALL = MetricResult("made_up_recall", "biology", 0.9, "higher", 1.0, (0.88, 0.92), ceiling=0.8, floor=0.1)


def test_a_figure_clearly_above_the_ceiling_is_flagged():
    assert row(RECALL).flag == MEMORISATION


@pytest.mark.parametrize(
    "changes",
    [
        {"ci": (0.79, 0.95)},
        {"ci": None},
        {"ci": (math.nan, math.nan)},
        {"ceiling": None},
        {"direction": "lower"},
        {"direction": "target"},
        {"group": "privacy"},
    ],
)
def test_no_flag_without_a_clear_reason(changes):
    assert row(replace(RECALL, **changes)).flag == ""


def test_agreement_with_the_holdout_is_not_called_memorisation():
    assert row(replace(RECALL, name="lfc_pearson_holdout")).flag == ""
    assert row(replace(RECALL, name="correlation_r"), holdout=True).flag == ""
    assert row(replace(RECALL, name="correlation_r")).flag == MEMORISATION
    assert row(replace(RECALL, name="lfc_pearson"), holdout=True).flag == MEMORISATION


def test_better_is_to_the_right_in_every_direction():
    for direction, worse, better in (("higher", 0.2, 0.9), ("lower", 0.9, 0.2), ("target", 0.1, 0.55)):
        metric = MetricResult("m", "fidelity", worse, direction, 0.5, ceiling=better, floor=worse)
        drawn = scale(metric)
        assert drawn is not None
        assert drawn.floor < drawn.ceiling
        assert drawn.value == drawn.floor


def test_positions_by_hand():
    drawn = scale(RECALL)
    assert drawn is not None
    assert (drawn.floor, drawn.ideal) == (3, 97)
    assert drawn.value == pytest.approx(3 + 94 * 0.8 / 0.9, abs=0.01)
    assert drawn.ceiling == pytest.approx(3 + 94 * 0.7 / 0.9, abs=0.01)
    assert drawn.span == pytest.approx((3 + 94 * 0.78 / 0.9, 3 + 94 * 0.82 / 0.9), abs=0.01)


def test_an_interval_past_the_ends_stays_inside():
    drawn = scale(replace(RECALL, ci=(-5.0, 7.0)))
    assert drawn is not None
    assert drawn.span == (0, 100)


def test_an_interval_around_the_target_reaches_the_ideal():
    drawn = scale(MetricResult("m", "fidelity", 0.95, "target", 1.0, (0.8, 1.1), ceiling=0.9, floor=0.0))
    assert drawn is not None
    assert drawn.span is not None
    assert drawn.span[1] == drawn.ideal


@pytest.mark.parametrize(
    "metric",
    [
        MetricResult("m", "fidelity", math.nan, "higher", 1.0, ceiling=0.5),
        MetricResult("m", "fidelity", 0.5, "higher", 1.0),
        MetricResult("m", "fidelity", 0.5, "higher", 0.5, ceiling=0.5, floor=0.5),
    ],
)
def test_no_scale_where_there_is_nothing_to_compare(metric):
    assert scale(metric) is None


def test_without_an_ideal_the_ceiling_is_the_ideal():
    drawn = scale(MetricResult("m", "privacy", 90.0, "target", None, ceiling=100.0, floor=0.0))  # type: ignore[arg-type]
    assert drawn is not None
    assert drawn.ceiling == drawn.ideal == 97


def test_rows_keep_the_order_and_the_group():
    metrics = [RECALL, replace(RECALL, name="b", group="utility"), replace(RECALL, name="c")]
    assert [row.name for row in rows(metrics, "biology")] == ["made_up_recall", "c"]


def test_a_known_metric_brings_its_question():
    assert about("de_recall").question.endswith("?")
    assert about("no_such_metric_auc").title == "No such metric AUC"
    assert readable("padj_pearson") == "Adjusted p Pearson"
