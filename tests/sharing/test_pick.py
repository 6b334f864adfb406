"""Which of the settings that were searched is taken."""

import math

import numpy as np
import pytest

from twinseq.sharing import Setting
from twinseq.sharing.bound import Room
from twinseq.sharing.frontier import Measured, faithful, on_frontier, pick
from twinseq.sharing.words import reasons_of


def one(
    auc: float, replication: float, f1: float = 1.0, recall: float = 0.8, *, mean: float = 6.0, error: float = 0.01
):
    figures = {"lfc_replication": replication, "paper_f1_ratio": f1, "de_recall": recall}
    kept = {name: (value, 0.01) for name, value in figures.items() if not math.isnan(value)}
    setting = Setting("share-copula", {"factors": round(1000 * auc), "mean_noise": mean})
    return Measured(setting, "searched", auc, error, "mean_tracing (T0)", 0.02, kept)


def test_of_those_that_meet_the_target_with_confidence_the_most_faithful_is_taken():
    low, middle, high = one(0.55, 0.9), one(0.58, 0.95), one(0.59, 0.99)
    assert pick([low, middle, high], 0.6, {}) is middle
    assert pick([low, middle, high], 0.61, {}) is high


@pytest.mark.parametrize("weak", ["replication", "f1"])
def test_fold_changes_and_classifiers_count_alike_and_neither_makes_up_for_the_other(weak: str):
    worse = one(0.55, **{"replication": 0.99, "f1": 0.99, weak: 0.93})
    better = one(0.57, 0.97, 0.97)
    assert pick([worse, better], 0.6, {}) is better
    assert on_frontier([worse, better]) == [worse, better]


def test_more_than_the_members_own_counts_for_nothing():
    assert faithful(one(0.55, 1.3, 1.2))[0] == 1.0
    assert faithful(one(0.55, 0.9, math.nan))[0] == 0.9
    assert faithful(one(0.55, math.nan, math.nan))[0] == -math.inf


def test_of_settings_alike_the_one_with_least_noise_on_the_mean_and_then_the_one_that_leaks_least_is_taken():
    loud, quiet, quieter = one(0.54, 0.952, mean=8.0), one(0.56, 0.95, mean=4.0), one(0.57, 0.953, mean=4.0)
    assert pick([loud, quiet, quieter], 0.6, {}) is quiet


def test_where_none_meets_the_target_those_within_an_error_of_the_smallest_area_are_alike():
    least, close, far = one(0.62, 0.80), one(0.625, 0.95), one(0.65, 0.99)
    assert pick([least, close, far], 0.6, {}) is close


def test_what_misses_a_floor_comes_last():
    quiet, enough = one(0.55, 0.7, recall=0.3), one(0.66, 0.9, recall=0.7)
    assert pick([quiet, enough], 0.6, {}) is quiet
    assert pick([quiet, enough], 0.6, {"lfc_replication": 0.8}) is enough
    assert pick([quiet, enough], 0.6, {"de_recall": 0.5, "lfc_replication": 0.8}) is enough
    assert pick([quiet, enough], 0.6, {"lfc_replication": 0.95}) is quiet


def test_the_reasons_say_what_classifiers_reach_and_what_a_floor_would_cost():
    quiet, enough = one(0.55, 0.7, 0.9), one(0.66, 0.9, 0.95)
    room = Room(np.array([100.0, 100.0]), np.array([50.0, 50.0]), 300.0, 0.9)
    said = reasons_of(quiet, quiet, [quiet, enough], 0.6, {"lfc_replication": 0.8}, room, based=True)
    assert any("90% of the F1" in reason for reason in said)
    assert any(
        "replication of fold changes of 0.8 was not met (0.700)" in reason and "0.660" in reason for reason in said
    )
