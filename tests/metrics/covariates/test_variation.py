"""Total variation of covariates."""

import numpy as np
import pandas as pd
import pytest

from twinseq.metrics import NotComputableError
from twinseq.metrics.covariates.variation import covariate_tv_max, covariate_tv_mean, total_variation


def test_worked_by_hand():
    real = pd.Series(["m", "m", "f", None])
    twin = pd.Series(["m", "f", "x", "x"])
    # m .5 → .25, f .25 → .25, missing .25 → 0, x 0 → .5
    assert total_variation(real, twin) == pytest.approx(0.5)
    numbers = pd.Series(np.arange(100.0))
    assert total_variation(numbers, numbers + 50) == pytest.approx(0.5, abs=0.11)


def test_a_missing_value_is_no_level_called_none():
    assert total_variation(pd.Series(["None", "nan"]), pd.Series([None, np.nan], dtype=object)) == 1.0


def test_null_a_second_draw_differs_little(rng):
    real = pd.DataFrame({"sex": rng.choice(["m", "f"], 400), "age": rng.normal(50, 10, 400)})
    twin = pd.DataFrame({"sex": rng.choice(["m", "f"], 400), "age": rng.normal(50, 10, 400)})
    assert covariate_tv_max(real, twin) < 0.15
    assert covariate_tv_mean(real, real) == 0.0


def test_failure_a_lost_level_and_a_shift_are_caught(rng):
    real = pd.DataFrame({"sex": rng.choice(["m", "f"], 400), "age": rng.normal(50, 10, 400)})
    twin = pd.DataFrame({"sex": np.full(400, "m"), "age": real["age"] + 40})
    assert covariate_tv_max(real, twin) > 0.8
    assert covariate_tv_mean(real, twin) > 0.6


def test_text_where_numbers_were_is_caught_and_no_covariate_said():
    real = pd.DataFrame({"age": [1.0, 2.0, 3.0, 4.0]})
    assert covariate_tv_max(real, pd.DataFrame({"age": ["a", "b", "c", "d"]})) == 1.0
    with pytest.raises(NotComputableError):
        covariate_tv_max(real, pd.DataFrame(index=range(4)))
