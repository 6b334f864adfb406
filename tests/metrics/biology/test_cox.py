"""Cox models, a gene at a time."""

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

from twinseq import metrics
from twinseq.metrics import Comparison, NotComputableError
from twinseq.metrics._controls import shuffled_labels
from twinseq.metrics.biology.cox import cox_log_hr_pearson, cox_log_hr_slope, log_hazard_ratios


def figure(comparison: Comparison, name: str) -> float:
    metric = metrics.get(name)
    return metric.function(*comparison.arguments(metric))


@pytest.mark.parametrize("digits", [6, 0], ids=["no ties", "many ties"])
def test_every_gene_agrees_with_lifelines(rng, digits: int):
    x = rng.normal(size=(70, 4))
    death, leaving = rng.exponential(10 * np.exp(-x[:, 0])), rng.uniform(2, 30, 70)
    time, event = np.round(np.minimum(death, leaving), digits), death <= leaving
    ours = log_hazard_ratios(time, event, x, ridge=0.0)
    for column in range(4):
        table = pd.DataFrame({"x": x[:, column], "time": time, "event": event})
        theirs = CoxPHFitter().fit(table, "time", "event").params_["x"]
        assert ours[column] == pytest.approx(theirs, abs=2e-5)


def test_three_patients_by_hand():
    # Deaths in the order of x = 1, 0, and one left: the gradient is 0 where e^b / (e^b + 2) + 0 = 1 - ridge b.
    time, event, x = np.array([1.0, 2.0, 3.0]), np.array([True, False, False]), np.array([[1.0], [0.0], [0.0]])
    beta = log_hazard_ratios(time, event, x)[0]
    assert np.exp(beta) / (np.exp(beta) + 2) + beta == pytest.approx(1.0)


def test_the_ridge_keeps_a_perfect_order_finite():
    x = np.arange(20.0)[:, None] - 9.5
    beta = log_hazard_ratios(np.arange(20.0, 0.0, -1.0), np.ones(20, dtype=bool), x)
    assert 0 < beta[0] < 10
    assert log_hazard_ratios(np.ones(5), np.zeros(5, dtype=bool), np.ones((5, 2))).tolist() == [0.0, 0.0]


def test_agreement_by_hand():
    real = np.linspace(-1, 1, 11)
    assert cox_log_hr_pearson(real, 0.5 * real + 0.1) == pytest.approx(1.0)
    assert cox_log_hr_slope(real, 0.5 * real + 0.1) == pytest.approx(0.5)
    for agreement in (cox_log_hr_pearson, cox_log_hr_slope):
        with pytest.raises(NotComputableError):
            agreement(real, np.zeros(11))


def test_null_a_second_draw_agrees(follow_up: Comparison):
    assert figure(follow_up, "cox_log_hr_pearson") > 0.3
    assert figure(follow_up, "cox_log_hr_slope") > 0.3


def test_failure_shuffled_times_do_not(follow_up: Comparison, rng):
    bad = Comparison(follow_up.space, follow_up.train, shuffled_labels(follow_up.train, rng), follow_up.holdout)
    assert figure(bad, "cox_log_hr_pearson") < figure(follow_up, "cox_log_hr_pearson") - 0.2
