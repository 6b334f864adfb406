"""Training on real data and twin together."""

import numpy as np
import pytest

from twinseq import metrics
from twinseq.metrics import Comparison, NotComputableError
from twinseq.metrics._controls import shuffled_labels
from twinseq.metrics.utility.augmentation import joined
from twinseq.metrics.utility.models import fit, tuned
from twinseq.metrics.utility.scores import auc


def figure(comparison: Comparison, name: str) -> float:
    metric = metrics.get(name)
    return metric.function(*comparison.arguments(metric))


def test_both_sides_are_learnt_from(comparison: Comparison):
    both = joined(comparison.train, comparison.twin)
    assert both.n_samples == comparison.train.n_samples + comparison.twin.n_samples
    assert both.log == pytest.approx(np.vstack([comparison.train.log, comparison.twin.log]))
    genes = comparison.space.panels["top500"]
    model = fit(both, "top500", "logistic", tuned(comparison.train, "top500", "logistic"))
    probability = model.predict_proba(comparison.holdout.log[:, genes])
    truth = comparison.tstr.truth
    real = auc(truth, comparison.trtr["top500_logistic"])
    assert figure(comparison, "augmentation_auc_logistic") == pytest.approx(auc(truth, probability) - real)


def test_a_twin_that_would_push_real_samples_out_is_not_added(comparison: Comparison):
    many = comparison.train.subset(np.zeros(970, dtype=int))
    with pytest.raises(NotComputableError, match="1,010 samples together"):
        joined(comparison.train, many)


def test_null_more_real_data_do_no_harm(comparison: Comparison):
    for model in ("logistic", "trees"):
        assert figure(comparison, f"augmentation_auc_{model}") > -0.1


def test_failure_shuffled_labels_do_harm(comparison: Comparison):
    losses = []
    for seed in range(3):
        shuffled = shuffled_labels(comparison.train, np.random.default_rng(seed))
        bad = Comparison(comparison.space, comparison.train, shuffled, comparison.holdout)
        losses.append(figure(bad, "augmentation_auc_logistic"))
    assert np.mean(losses) < figure(comparison, "augmentation_auc_logistic")
    assert np.mean(losses) < -0.01
