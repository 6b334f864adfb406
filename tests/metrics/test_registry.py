"""The registry: complete, documented, and every metric computable on a comparison that has everything."""

from pathlib import Path

import numpy as np
import pytest

from twinseq import metrics
from twinseq.errors import ConfigError
from twinseq.metrics import Comparison, Metric
from twinseq.metrics._controls import CONTROLS
from twinseq.metrics._registry import register

DOCS = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
ALL = [metrics.get(name) for name in metrics.names()]


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_an_entry_says_all_that_a_reader_needs(metric: Metric):
    assert metric.group in metrics.GROUPS
    assert metric.question.endswith("?")
    assert metric.reading.endswith(".")
    assert metric.formula
    assert metric.reference
    assert metric.fields
    assert metric.floor in CONTROLS
    assert metric.bounds[0] < metric.bounds[1]
    if metric.ideal is not None:
        assert metric.bounds[0] <= metric.ideal <= metric.bounds[1]
    if metric.group == "privacy":
        assert "no evidence of safety" in metric.reading


@pytest.mark.parametrize("metric", [m for m in ALL if "cells" not in m.needs], ids=lambda metric: metric.name)
def test_every_metric_gives_a_figure_in_its_range(metric: Metric, comparison: Comparison, follow_up: Comparison):
    if "survival" in metric.needs:
        comparison = follow_up
    value = metric.function(*comparison.arguments(metric))
    assert isinstance(value, float)
    assert np.isfinite(value)
    assert metric.bounds[0] <= value <= metric.bounds[1]


def documented(metric: Metric) -> str:
    """Return the row of the table in docs/metrics.md."""
    ideal = "its ceiling" if metric.ideal is None else f"{metric.ideal:g}"
    cells = (
        f"`{metric.name}`",
        metric.question,
        metric.formula,
        ideal,
        metric.against,
        metric.floor,
        metric.reference,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def test_the_documentation_has_a_row_for_every_metric():
    rows = DOCS.read_text(encoding="utf-8").splitlines()
    lacking = [documented(metric) for metric in ALL if documented(metric) not in rows]
    assert not lacking, "put into docs/metrics.md:\n" + "\n".join(lacking)
    assert len(set(rows) & {documented(metric) for metric in ALL}) == len(ALL)


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(ConfigError, match="did you mean 'de_recall'"):
        metrics.get("de_recal")


def test_a_name_can_be_taken_once_only():
    entry = {name: getattr(ALL[0], name) for name in Metric.__dataclass_fields__ if name != "function"}
    with pytest.raises(ConfigError, match="Two metrics"):
        register(**entry)(lambda: 0.0)
    with pytest.raises(ConfigError, match="Unknown metric group"):
        register(**{**entry, "name": "new", "group": "fidelty"})(lambda: 0.0)
