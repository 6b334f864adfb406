"""Kaplan–Meier curves and the distance between them."""

import numpy as np
import pytest
from lifelines import KaplanMeierFitter

from twinseq import metrics
from twinseq.metrics import Comparison, NotComputableError, survival_tables
from twinseq.metrics._controls import mean_profile
from twinseq.metrics.biology.kaplan_meier import area_between, km_distance, last_time, survival


def figure(comparison: Comparison, name: str) -> float:
    metric = metrics.get(name)
    return metric.function(*comparison.arguments(metric))


def test_the_curve_agrees_with_lifelines(rng):
    time, event = np.round(rng.exponential(10, 60)), (rng.random(60) < 0.6).astype(float)
    at = np.arange(0.0, 50.0, 2.5)
    theirs = KaplanMeierFitter().fit(time, event).survival_function_at_times(at).to_numpy()
    assert survival(time, event, at) == pytest.approx(theirs)
    assert survival(time, np.zeros(60), at).tolist() == [1.0] * len(at)


def test_the_distance_by_hand():
    # Everybody of the real side dies at 4, of the twin at 2; five are at risk until 4.
    real = np.column_stack([np.full(5, 4.0), np.ones(5), np.zeros(5)])
    twin = np.column_stack([np.full(6, 2.0), np.ones(6), np.zeros(6)])
    assert last_time(real[:, 0]) == 4.0
    assert area_between(real, twin, 4.0) == pytest.approx(2.0)
    assert km_distance(real, twin) == pytest.approx(0.5)
    assert km_distance(real, real) == 0.0
    # A second class that is the same on both sides halves it.
    other = np.column_stack([np.arange(1.0, 9.0), np.ones(8), np.ones(8)])
    assert km_distance(np.vstack([real, other]), np.vstack([twin, other])) == pytest.approx(0.25)
    with pytest.raises(NotComputableError, match="no class has 5"):
        km_distance(real[:4], twin)
    with pytest.raises(NotComputableError, match="followed for some time"):
        km_distance(real * [0, 1, 1], twin)


def test_null_and_failure(follow_up: Comparison, rng):
    assert figure(follow_up, "km_distance") < 0.2
    short = follow_up.train.subset(np.arange(follow_up.train.n_samples))
    short.covariates["months"] = short.covariates["months"] / 10
    bad = Comparison(follow_up.space, follow_up.train, short, follow_up.holdout)
    assert figure(bad, "km_distance") > 0.2
    flat = Comparison(follow_up.space, follow_up.train, mean_profile(follow_up.train, rng), follow_up.holdout)
    assert figure(flat, "km_distance") > 0


def test_no_time_of_anyone_is_in_the_table(follow_up: Comparison):
    table = survival_tables.survival_curves(follow_up)
    assert set(table["source"]) == {"real", "holdout", "twin"}
    assert not np.isin(table["time"][table["time"] > 0], follow_up.train.covariates["months"]).any()
    assert (table["time"] % 5 == 0).all()
    for (source, label), curve in table.groupby(["source", "label"]):
        assert (np.diff(curve["survival"]) <= 1e-12).all()
        side = follow_up.train if source == "real" else getattr(follow_up, source)
        months = side.covariates["months"].to_numpy()[side.labels == label]
        assert (months >= curve["time"].max()).sum() >= 5


def test_small_groups_have_no_curve(follow_up: Comparison):
    few = follow_up.train.subset(np.r_[0:4, 18:40])
    comparison = Comparison(follow_up.space, few, few)
    assert set(survival_tables.survival_curves(comparison)["label"]) == {"control"}
    with pytest.raises(NotComputableError, match="fewer than five"):
        survival_tables.survival_curves(Comparison(follow_up.space, *(follow_up.train.subset(np.r_[0:4, 18:22]),) * 2))


@pytest.mark.parametrize(
    ("reach", "step", "last"), [(12.0, 1.0, 12.0), (60.0, 5.0, 60.0), (61.0, 10.0, 70.0), (0.5, 0.05, 0.5)]
)
def test_the_grid_has_round_steps(reach: float, step: float, last: float):
    grid = survival_tables.coarse_grid(np.array([0.1 * reach, reach]))
    assert np.diff(grid) == pytest.approx(np.full(len(grid) - 1, step))
    assert grid[-1] == pytest.approx(last)
    assert len(grid) <= 13
    assert survival_tables.coarse_grid(np.zeros(3)).tolist() == [0.0]
