"""Training on the twin, testing on real samples."""

import numpy as np
import pytest

from twinseq import metrics
from twinseq.metrics import Comparison, NotComputableError
from twinseq.metrics._controls import shuffled_labels
from twinseq.metrics.utility.models import tuned
from twinseq.metrics.utility.tstr import auc_difference, auc_ratio, f1_ratio


def figure(comparison: Comparison, name: str) -> float:
    metric = metrics.get(name)
    return metric.function(*comparison.arguments(metric))


def test_ratio_and_difference_by_hand():
    truth = np.array([0, 0, 1, 1])
    perfect = np.eye(2)[truth]
    half = np.column_stack([np.full(4, 0.5)] * 2)
    assert auc_difference(truth, half, perfect) == pytest.approx(-0.5)
    assert auc_ratio(truth, half, perfect) == pytest.approx(0.5)
    assert f1_ratio(truth, perfect, perfect) == pytest.approx(1.0)
    with pytest.raises(NotComputableError):
        auc_ratio(truth, half, perfect[:, ::-1])


def test_null_a_second_draw_teaches_as_well_as_training(comparison: Comparison):
    for name in ("tstr_auc_top500_logistic", "tstr_auc_mad_trees"):
        assert figure(comparison, name) > 0.8
    assert figure(comparison, "tstr_minus_trtr_top500_logistic") == pytest.approx(0.0, abs=0.15)


def test_failure_shuffled_labels_teach_nothing(comparison: Comparison, rng):
    bad = Comparison(comparison.space, comparison.train, shuffled_labels(comparison.train, rng), comparison.holdout)
    assert figure(bad, "tstr_auc_top500_logistic") < 0.75
    assert figure(bad, "tstr_minus_trtr_top500_logistic") < -0.15
    assert figure(bad, "trts_auc") < 0.8


def test_classes_that_the_source_lacks_get_probability_zero(comparison: Comparison):
    space = comparison.space
    one_class = comparison.twin.subset(np.flatnonzero(comparison.twin.labels == space.classes[0]))
    with pytest.raises(NotComputableError, match="one class"):
        _ = Comparison(space, comparison.train, one_class, comparison.holdout).tstr["top100_logistic"]


def test_hyper_parameters_come_from_training_alone(comparison: Comparison):
    before = tuned(comparison.train, "top100", "logistic")
    assert set(before) == {"logisticregression__C"}
    assert ("tuned", "top100", "logistic") not in comparison.holdout.classifiers
    assert len(comparison.tstr) == len(list(comparison.tstr)) == 6
