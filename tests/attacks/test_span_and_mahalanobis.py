"""`span_residual` and `mahalanobis`: least squares, dense inverses, and the missing rank that gives members away."""

import numpy as np
import pytest
from planted_donors import calibrate, like, naive_standard, rows, world

from twinseq.attacks import NotApplicableError, View, get
from twinseq.attacks.mahalanobis import RIDGES
from twinseq.attacks.roc import auc, tie_fraction


def of_classes(view, level, score):
    """``score(x, twin of the class)`` of every target, calibrated from T1 on."""
    twin, targets, reference = naive_standard(view, "T0")

    def each(points, labels):
        found = [score(x, twin[view.twin.labels == name]) for x, name in zip(points, labels, strict=True)]
        return np.array(found)

    scores = each(targets, view.targets.labels)
    return scores if level == "T0" else calibrate(scores, view, each(reference, view.reference.labels))


def residual(x, twin):
    centred = twin - twin.mean(axis=0)
    away = x - twin.mean(axis=0)
    mixture, *_ = np.linalg.lstsq(centred.T, away, rcond=None)
    left = np.linalg.norm(away - centred.T @ mixture)
    return -np.log(left / np.median([np.linalg.norm(row) for row in centred]))


@pytest.mark.parametrize("level", ["T0", "T1"])
def test_span_residual_against_least_squares(wide, level):
    np.testing.assert_allclose(
        get("span_residual").score(wide.at(level)), of_classes(wide, level, residual), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("level", ["T0", "T1"])
@pytest.mark.parametrize("ridge", RIDGES)
def test_mahalanobis_against_an_inverse(held, level, ridge):
    def distance(x, twin):
        covariance = np.cov(twin, rowvar=False)
        size = ridge * np.trace(covariance) / len(covariance)
        inverse = np.linalg.inv(covariance + size * np.eye(len(covariance)))
        away = x - twin.mean(axis=0)
        typical = np.median([np.sum((row - twin.mean(axis=0)) ** 2) for row in twin])
        return -np.log(size * away @ inverse @ away / typical)

    scores = get("mahalanobis").score(held.at(level), f"ridge {ridge:g}")
    np.testing.assert_allclose(scores, of_classes(held, level, distance), rtol=1e-7, atol=1e-8)


def normal(donors, seed=0):
    """Draws from each class's normal with the sample covariance, which has fewer dimensions than genes."""
    rng = np.random.default_rng(seed)
    values = donors.values.copy()
    for name in np.unique(donors.labels):
        mine = donors.labels == name
        values[mine] = rng.multivariate_normal(values[mine].mean(axis=0), np.cov(values[mine].T), mine.sum())
    return like(donors, values)


def test_a_rank_deficient_normal_gives_every_member_away():
    donors = world()
    twin = normal(donors.members)
    assert donors.auc(twin, "nearest_distance", level="T0") < 0.8
    for level in ("T0", "T1"):
        assert donors.auc(twin, "span_residual", level=level) == 1.0
        for ridge in RIDGES:
            assert donors.auc(twin, "mahalanobis", f"ridge {ridge:g}", level) == 1.0


def test_a_normal_of_full_rank_leaves_the_span_nothing_and_mahalanobis_little():
    donors = world(per_class=50, n_genes=5)
    twin = normal(donors.members)
    with pytest.raises(NotApplicableError, match="spans everything"):
        get("span_residual").score(donors.view(twin, "T0"))
    assert donors.auc(twin, "mahalanobis", "ridge 1e-05", "T0") < 0.75


def test_one_class_that_spans_everything_leaves_the_other_to_be_judged():
    donors = world(per_class=40, n_genes=35)
    twin = rows(donors.members, np.r_[0:40, 40:60])
    scores = get("span_residual").score(donors.view(twin, "T0"))
    of_a = donors.targets.labels == "a"
    assert (scores[of_a] == 0).all()
    assert tie_fraction(scores[~of_a]) == 0
    inside = np.r_[np.full(20, True), np.full(60, False)]
    assert auc(scores[~of_a][inside], scores[~of_a][~inside]) == 1.0


def test_copies_do_not_tie():
    """What is left of each is rounding, which must not be the same number for all."""
    donors = world()
    drawn = np.random.default_rng(0).integers(0, 50, 50)
    view = donors.view(rows(donors.members, np.r_[drawn, 50 + drawn]), "T0")
    for name, setting in (("span_residual", ""), ("mahalanobis", "ridge 1e-05")):
        scores = get(name).score(view, setting)
        assert tie_fraction(scores) < 0.05
        chosen = np.unique(np.r_[drawn, 50 + drawn])
        assert auc(scores[chosen], np.delete(scores, chosen)) == 1.0


def test_a_class_of_clones_compares_with_the_others():
    """All twin samples of class a are one and the same; the scores stay on one scale."""
    donors = world(per_class=20, n_genes=60)
    values = donors.members.values.copy()
    values[:20] = values[0]
    view = donors.view(like(donors.members, values), "T0")
    for name, setting in (("span_residual", ""), ("mahalanobis", "ridge 0.1")):
        scores = get(name).score(view, setting)
        of_a, of_b = scores[40:60], scores[60:]
        assert scores[0] > max(of_a.max(), of_b.max()) + 10
        assert abs(np.median(of_a) - np.median(of_b)) < 3


def test_too_few_samples_of_a_class_are_said():
    donors = world(per_class=20, n_genes=60)
    view = View("T0", rows(donors.members, [0, 1, 2, 20, 21]), donors.targets)
    with pytest.raises(NotApplicableError, match=r"2 sample\(s\) of class 'b'; three are needed"):
        get("mahalanobis").score(view, "ridge 0.1")
    assert np.isfinite(get("span_residual").score(view)).all()
