"""Standings: small tables worked by hand, fronts against brute force, and resamples against their distribution."""

from itertools import product

import numpy as np
import pytest
from planted_store import attacks, benchmark, fail, metric, plant

from twinseq.benchmark import ranking
from twinseq.benchmark.standings import stand
from twinseq.benchmark.store import Outcome, Store
from twinseq.errors import ConfigError


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def test_with_few_splits_nothing_is_resampled(rng):
    assert ranking.resamples(1, rng).tolist() == [[1]]
    assert ranking.resamples(2, rng).tolist() == [[1, 1]]
    assert ranking.interval(np.array([0.3])) is None


def test_resamples_are_multinomial(rng):
    taken = ranking.resamples(3, rng, 20_000)
    assert set(taken.sum(axis=1)) == {3}
    every = list(product(range(3), repeat=3))
    thrice = np.mean([draw.count(0) == 3 for draw in every])
    assert np.mean(taken[:, 0] == 3) == pytest.approx(thrice, abs=0.005)
    assert taken.mean(axis=0) == pytest.approx([1, 1, 1], abs=0.02)


def test_means_skip_splits_without_a_value():
    values = np.array([[1.0, np.nan, 4.0], [2.0, 2.0, 5.0], [np.nan] * 3])
    taken = np.array([[1.0, 1, 1], [0, 3, 0], [2, 0, 1]])
    means = ranking.split_means(values, taken)
    assert means == pytest.approx(np.array([[2.5, 3, np.nan], [np.nan, 2, np.nan], [2, 3, np.nan]]), nan_ok=True)


def test_merits_turn_everything_so_that_more_is_better():
    assert ranking.merit(np.array([0.2, 0.9]), "higher", 1.0).tolist() == [0.2, 0.9]
    assert ranking.merit(np.array([0.2, 0.9]), "lower", 0.0).tolist() == [-0.2, -0.9]
    assert ranking.merit(np.array([0.3, 0.6]), "target", 0.5) == pytest.approx([-0.2, -0.1])


def test_positions_are_ratios_of_means_and_stay_between_the_ends():
    values = np.array([[[0.5, 0.9]], [[2.0, 2.0]], [[-1.0, np.nan]]])
    ceilings, floors = np.array([[1.0, 0.9]]), np.array([[0.0, 0.8]])
    found = ranking.positions(values, ceilings, floors, np.ones((1, 2)))[0, :, 0]
    # (0.5 + 0.1) / (1.0 + 0.1), where the mean of the two ratios would be (0.5 + 1) / 2
    assert found == pytest.approx([0.6 / 1.1, 1.0, 0.0])


def test_what_does_not_tell_real_from_bad_is_no_measure():
    assert ranking.discriminates(np.array([0.9, 0.8]), np.array([0.1, 0.2]))
    assert not ranking.discriminates(np.array([0.9, 0.2]), np.array([0.1, 0.2]))
    assert not ranking.discriminates(np.array([np.nan]), np.array([0.1]))


def test_ranks_share_the_better_one_and_what_is_not_there_is_last():
    merits = np.array([[0.9, 0.5, 0.9, np.nan, 0.1]])
    assert ranking.ranks(merits).tolist() == [[1, 3, 1, 5, 4]]


@pytest.mark.parametrize("seed", range(20))
def test_fronts_agree_with_brute_force(seed):
    rng = np.random.default_rng(seed)
    x, y = (np.round(rng.random((6, 8)), 1) for _ in range(2))
    x[rng.random(x.shape) < 0.1] = np.nan
    front = ranking.on_front(x, y)
    for draw in range(6):
        points = list(zip(x[draw], y[draw], strict=True))
        for place, (a, b) in enumerate(points):
            dominated = any(p >= a and q >= b and (p > a or q > b) for p, q in points)
            assert front[draw, place] == (not np.isnan(a) and not dominated)


def test_the_interval_of_three_splits_reaches_from_the_least_to_the_most(rng):
    taken = ranking.resamples(3, rng)
    means = ranking.split_means(np.array([[0.1, 0.2, 0.6]]), taken)[:, 0]
    assert ranking.interval(means) == pytest.approx((0.1, 0.6))


def test_a_planted_benchmark_stands_as_it_was_planted(tmp_path):
    board = stand(benchmark(tmp_path))
    assert board.axes == ("fidelity", "biology", "utility")
    assert board.levels == ("T0", "T1")
    assert (board.level, board.yardstick) == ("T1", ("axis", "utility"))
    assert [view.cohort for view in board.views] == [None, "blood", "tumour"]
    for view in board.views:
        assert view.resampled
        found = {one.generator: one for one in view.standings}
        place = found["copula"].places["axis", "utility"]
        assert place.value == pytest.approx(0.95, abs=0.04)
        assert place.interval[0] <= place.value <= place.interval[1]
        assert place.rank == 1
        assert place.ranks[0] == 1
        assert found["noisy"].places["level", "T1"].rank == 1
        assert found["noisy"].places["level", "T1"].value == pytest.approx(0.55, abs=0.04)
        utility = ("axis", "utility"), "T1"
        assert found["noisy"].fronts[utility] == (True, 1.0)
        assert found["copula"].fronts[utility][0]
        assert found["worse"].fronts[utility] == (False, pytest.approx(0, abs=0.2))
        assert found["broken"].places["axis", "utility"].value is None
        assert "fit failed: broken: ended with 1" in found["broken"].places["axis", "utility"].reason
        assert found["copula"].fit_seconds == pytest.approx(3.5)
        assert found["copula"].audited == found["copula"].splits


def test_a_figure_that_only_this_twin_lacks_counts_as_that_of_a_known_bad_one(tmp_path):
    board = stand(benchmark(tmp_path, cohorts=("blood",)))
    found = {one.generator: one for one in board.views[0].standings}
    biology = found["noisy"].places["axis", "biology"].value
    assert biology == pytest.approx(0.3 / 2, abs=0.04)
    lacking = found["noisy"].places["metric", "lfc_pearson"]
    assert (lacking.value, lacking.reason) == (None, "the twin calls no gene")


def test_a_figure_that_was_asked_for_once_only_is_left_out(tmp_path):
    for cell, rows in enumerate(([metric("de_recall", 1.0)], [metric("de_recall", 0.5), metric("lfc_pearson", 0.5)])):
        plant(tmp_path, str(cell), "blood", f"g{cell}", 0, rows)
    found = {one.generator: one for one in stand(Store(tmp_path)).views[0].standings}
    assert found["g0"].places["axis", "biology"].value == pytest.approx(1)
    assert found["g1"].places["axis", "biology"].value == pytest.approx(0.5)
    assert found["g0"].places["metric", "lfc_pearson"].reason == "not asked for"


def test_distances_from_an_ideal_are_shown_as_distances(tmp_path):
    board = stand(benchmark(tmp_path, cohorts=("blood",)))
    key = ("metric", "c2st_auc_trees")
    assert key in board.reversed
    assert ("level", "T1") in board.reversed
    assert ("metric", "de_recall") not in board.reversed
    place = next(one for one in board.views[0].standings if one.generator == "noisy").places[key]
    assert place.value == pytest.approx(0.35, abs=0.05)
    assert place.interval[0] <= place.value <= place.interval[1]


@pytest.mark.parametrize("splits", [1, 2])
def test_one_or_two_splits_give_no_interval(tmp_path, splits):
    board = stand(benchmark(tmp_path, splits=splits))
    assert not any(view.resampled for view in board.views)
    places = [place for view in board.views for one in view.standings for place in one.places.values()]
    assert all(place.interval is None and place.ranks is None for place in places)
    assert any(place.rank == 1 for place in places)


def test_the_same_seed_gives_the_same_board_whatever_other_cohorts_there_are(tmp_path):
    one = stand(benchmark(tmp_path / "one", cohorts=("blood",)))
    two = stand(benchmark(tmp_path / "two", cohorts=("blood", "tumour")))
    assert one.views[0] == two.views[1]
    assert one.views[0] != stand(Store(tmp_path / "one"), seed=5).views[0]


def test_all_cohorts_together_need_a_figure_on_each(tmp_path):
    benchmark(tmp_path)
    plant(tmp_path, "solo", "blood", "solo", 0, [metric("de_recall", 0.8), *attacks({"T1": 0.6})])
    every = {one.generator: one for one in stand(Store(tmp_path)).views[0].standings}
    assert every["solo"].places["level", "T1"].reason == "tumour: not run"
    assert every["copula"].places["level", "T1"].value is not None


def test_weights_are_the_readers_own(tmp_path):
    store = benchmark(tmp_path, cohorts=("blood",))
    assert not any(key[0] == "weighted" for key in stand(store).views[0].standings[0].places)
    board = stand(store, {"utility": 2.0, "fidelity": 0.0})
    assert board.weights == {"fidelity": 0.0, "biology": 1.0, "utility": 2.0, "privacy": 1.0}
    copula = next(one for one in board.views[0].standings if one.generator == "copula").places
    utility, biology = (copula["axis", axis].value for axis in ("utility", "biology"))
    privacy = 2 * (1 - copula["level", "T1"].value)
    assert copula["weighted", "T1"].value == pytest.approx((2 * utility + biology + privacy) / 4)


@pytest.mark.parametrize(
    ("weights", "message"),
    [({"utilty": 2.0}, "did you mean 'utility'"), ({"utility": -1.0}, "0 or more"), ({"utility": np.nan}, "0 or more")],
)
def test_weights_that_cannot_be(tmp_path, weights, message):
    with pytest.raises(ConfigError, match=message):
        stand(benchmark(tmp_path, splits=1), weights)


def test_at_least_one_axis_must_weigh(tmp_path):
    nothing = dict.fromkeys(("fidelity", "biology", "utility", "privacy"), 0.0)
    with pytest.raises(ConfigError, match="All weights are 0"):
        stand(benchmark(tmp_path, splits=1), nothing)


def test_an_empty_folder_holds_no_benchmark(tmp_path):
    with pytest.raises(ConfigError, match="no outcomes"):
        stand(Store(tmp_path))


def test_what_was_written_last_counts(tmp_path):
    import os

    plant(tmp_path, "old", "blood", "copula", 0, [metric("de_recall", 0.2)])
    plant(tmp_path, "new", "blood", "copula", 0, [metric("de_recall", 0.9)])
    plant(tmp_path, "gone", "blood", "mvn", 0, [metric("de_recall", 0.9)])
    fail(tmp_path, "now", "blood", "mvn", 0, "no longer works")
    for age, cells in enumerate((("now",), ("new",), ("old", "gone"))):
        for file in (tmp_path / "tasks").glob("*.json"):
            if file.stem[:-1] in cells:
                os.utime(file, (1e9 - age, 1e9 - age))
    board = stand(Store(tmp_path))
    assert board.superseded == 6
    found = {one.generator: one.places["axis", "biology"] for one in board.views[0].standings}
    assert found["copula"].value == pytest.approx(0.9)
    assert found["mvn"].reason == "fit failed: no longer works"


def test_a_verdict_on_an_audit_that_was_made_anew_is_none(tmp_path):
    plant(tmp_path, "old", "blood", "copula", 0, [metric("de_recall", 0.2)])
    store = Store(tmp_path)
    assert stand(store).views[0].standings[0].verdicts == {"internal": {"pass": 1}, "board.yaml": {"pass": 1}}
    store.write(Outcome("newa", "audit", "blood", "copula", 0, "done", figures=(metric("de_recall", 0.9),)))
    board = stand(store)
    assert (board.policies, board.views[0].standings[0].verdicts) == ((), {})


def test_without_attacks_there_is_no_front(tmp_path):
    plant(tmp_path, "a", "blood", "copula", 0, [metric("de_recall", 0.2)])
    board = stand(Store(tmp_path))
    assert (board.levels, board.level) == ((), None)
    assert board.views[0].standings[0].fronts == {}
