"""Risk models trained on the twin."""

import sys

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

from twinseq import metrics
from twinseq.metrics import Comparison, NotComputableError
from twinseq.metrics._controls import shuffled_labels
from twinseq.metrics.utility.survival import predicted_risk, survival_concordance


def figure(comparison: Comparison) -> float:
    metric = metrics.get("survival_concordance")
    return metric.function(*comparison.arguments(metric))


def test_concordance_by_hand():
    # Pairs that can be compared: all but the two of the censored first one; one of the four is in the wrong order.
    predicted = np.array([[1.0, 0, 9.0], [2.0, 1, 3.0], [3.0, 1, 1.0], [4.0, 0, 2.0]])
    assert survival_concordance(predicted) == pytest.approx(2 / 3)
    with pytest.raises(NotComputableError, match="no two samples"):
        survival_concordance(predicted[:1])


def test_risk_is_lifelines_own(rng):
    x, time, event = rng.normal(size=(50, 2)), rng.exponential(5, 50), rng.random(50) < 0.7
    table = pd.DataFrame(x, columns=["a", "b"]).assign(time=time, event=event)
    model = CoxPHFitter(penalizer=0.1).fit(table, "time", "event")
    expected = model.predict_log_partial_hazard(table[["a", "b"]]).to_numpy()
    assert predicted_risk(time, event, x, x) == pytest.approx(expected)


def test_null_and_failure(follow_up: Comparison):
    good = figure(follow_up)
    assert good > 0.55
    bad = [
        figure(
            Comparison(
                follow_up.space,
                follow_up.train,
                shuffled_labels(follow_up.train, np.random.default_rng(seed)),
                follow_up.holdout,
            )
        )
        for seed in range(5)
    ]
    assert np.mean(bad) < good


def test_without_lifelines_it_says_what_to_install(follow_up: Comparison, monkeypatch):
    monkeypatch.setitem(sys.modules, "lifelines", None)
    monkeypatch.setitem(sys.modules, "lifelines.utils", None)
    fresh = Comparison(follow_up.space, follow_up.train, follow_up.twin, follow_up.holdout)
    with pytest.raises(NotComputableError, match=r"twinseq\[survival\]"):
        figure(fresh)
    with pytest.raises(NotComputableError, match=r"twinseq\[survival\]"):
        survival_concordance(np.ones((3, 3)))
