"""The benchmark's classifiers against scikit-learn on all genes, and what fools them."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from twinseq.metrics import NotComputableError
from twinseq.metrics.paper.classifiers import (
    OneVsRest,
    paper_accuracy,
    paper_aupr,
    paper_f1_ratio,
    paper_feature_overlap,
    row_space,
    scaled,
)
from twinseq.metrics.paper.discriminative import paper_discriminative_f1

LABELS = np.repeat(["a", "b", "c"], 15)


@pytest.fixture
def draw(rng):
    centres = np.zeros((3, 60))
    for place in range(3):
        centres[place, 12 * place : 12 * place + 12] = 2.0
    return lambda: centres.repeat(15, axis=0) + rng.standard_normal((45, 60))


def test_more_genes_than_samples_give_the_fit_of_scikit_learn(draw):
    x, test = draw(), draw()
    assert row_space(x)[1] is not None
    ours = OneVsRest.fit(x, LABELS)
    theirs = OneVsRestClassifier(LogisticRegression(max_iter=1000)).fit(x, LABELS)
    np.testing.assert_allclose(
        ours.coefficients, np.vstack([model.coef_ for model in theirs.estimators_]), atol=1e-3, rtol=1e-2
    )
    np.testing.assert_array_equal(ours.predict(test)[0], theirs.predict(test))
    np.testing.assert_allclose(ours.predict(test)[1], theirs.predict_proba(test), atol=1e-3)


def test_two_classes_have_each_their_own_genes(draw):
    x = draw()[:30]
    model = OneVsRest.fit(x, LABELS[:30])
    np.testing.assert_array_equal(model.coefficients[0], -model.coefficients[1])
    assert set(model.top_genes) <= set(range(24))
    assert len(model.top_genes) == 20


def test_null_a_second_draw_teaches_as_well(draw):
    train, test = OneVsRest.fit(draw(), LABELS), draw()
    model = OneVsRest.fit(draw(), LABELS)
    assert paper_accuracy(model, test, LABELS) > 0.9
    assert paper_aupr(model, test, LABELS) > 0.95
    assert paper_f1_ratio(train, model, test, LABELS) == pytest.approx(1.0, abs=0.1)
    assert paper_feature_overlap(train, model) > 0.7
    assert paper_feature_overlap(model, model) == 1.0


def test_failure_shuffled_labels_teach_nothing(draw, rng):
    x, test = draw(), draw()
    train, shuffled = OneVsRest.fit(x, LABELS), OneVsRest.fit(x, rng.permutation(LABELS))
    assert paper_accuracy(shuffled, test, LABELS) < 0.6
    assert paper_f1_ratio(train, shuffled, test, LABELS) < 0.7
    assert paper_feature_overlap(train, shuffled) < 0.8


def test_profiles_are_scaled_by_the_training_data(rng):
    train, other = 5 + 3 * rng.standard_normal((50, 4)), rng.standard_normal((9, 4))
    np.testing.assert_allclose(scaled(train, train).std(axis=0), 1)
    np.testing.assert_allclose(scaled(train, other), (other - train.mean(axis=0)) / train.std(axis=0))


def test_average_precision_is_taken_over_classes_that_occur(draw):
    model = OneVsRest.fit(draw(), LABELS)
    assert paper_aupr(model, draw()[:30], LABELS[:30]) > 0.9
    with pytest.raises(NotComputableError, match="no class"):
        paper_aupr(model, draw()[:5], np.repeat("d", 5))
    with pytest.raises(NotComputableError, match="one class"):
        OneVsRest.fit(draw()[:15], LABELS[:15])


def test_discrimination_of_what_cannot_be_told_apart_is_no_coin_flip(rng):
    # As in the benchmark: 871 training samples, as many synthetic ones, 218 of the hold-out.
    scores = [paper_discriminative_f1(*(rng.standard_normal((n, 200)) for n in (871, 871, 218))) for _ in range(3)]
    assert np.mean(scores) == pytest.approx(0.56, abs=0.04)


def test_failure_shifted_twins_are_told_apart(rng):
    train, twin, holdout = (rng.standard_normal((n, 80)) for n in (60, 60, 20))
    assert paper_discriminative_f1(train, twin + 2, holdout) > 0.95
    with pytest.raises(NotComputableError, match="too few"):
        paper_discriminative_f1(train[:1], twin[:1], holdout)
