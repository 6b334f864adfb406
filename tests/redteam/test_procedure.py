"""The audit of a generator over several partitions."""

import numpy as np
import pandas as pd
import pytest

import twinseq as ts
from twinseq.cohort import Cohort
from twinseq.errors import ConfigError
from twinseq.knowledge import KnownGenerator
from twinseq.redteam import attack_procedure
from twinseq.redteam.procedure import donor_exposure, normal_scores
from twinseq.redteam.summary import Sides
from twinseq.redteam.trial import Scores
from twinseq.results import RedTeam


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return ts.datasets.simulate_cohort(n_cases=36, n_controls=36, n_genes=200, seed=5)


@pytest.fixture(scope="module")
def audited(cohort: Cohort) -> tuple[RedTeam, pd.DataFrame]:
    return attack_procedure(cohort, KnownGenerator("copula"), splits=4, slow=False)


def test_a_leaking_generator_is_caught_over_all_splits(audited: tuple[RedTeam, pd.DataFrame]):
    found, curves = audited
    assert found.mode == "procedure"
    assert found.outcome == "leak"
    assert {headline.level for headline in found.headlines} >= {"T0", "T1"}
    assert set(curves["level"]) == {headline.level for headline in found.headlines}
    assert found.power["n_members"] == 24
    for headline in found.headlines:
        assert headline.auc_ci[0] <= headline.auc <= headline.auc_ci[1]


def test_exposure_is_spread_over_donors_and_names_none(cohort: Cohort, audited: tuple[RedTeam, pd.DataFrame]):
    exposure = audited[0].exposure
    assert exposure["n_refits"] == 4
    assert exposure["quantiles"]["0.5"] > 0.8
    assert exposure["share_above"]["0.5"] > 0.8
    assert not any(donor in str(exposure) for donor in cohort.donors())


def test_few_refits_tell_nothing_of_single_donors(cohort: Cohort):
    found, _ = attack_procedure(cohort, KnownGenerator("independent"), splits=1, slow=False)
    assert found.exposure == {}


def test_the_same_seed_gives_the_same_result(cohort: Cohort, audited: tuple[RedTeam, pd.DataFrame]):
    again, _ = attack_procedure(cohort, KnownGenerator("copula"), splits=4, slow=False, jobs=2)
    assert again == audited[0]


def test_exposure_of_a_donor_is_the_share_of_pairs_of_refits():
    key = ("mc", "T0", "")
    donors = np.array(["a", "b", "c"])

    def split(values: list[float], member: list[bool]) -> tuple[np.ndarray, Sides]:
        scores = Scores((key,), np.array(values)[:, None], {})
        return donors, Sides(scores, np.array(member), np.array(["x"] * 3))

    splits = [
        split([3.0, 2.0, 1.0], [True, False, False]),
        split([1.0, 3.0, 2.0], [False, True, False]),
        split([2.0, 3.0, 1.0], [True, False, False]),
    ]
    found = donor_exposure(splits, key)
    # a: with it ranks 3 and 2, without it rank 1; b: with it 3, without it 2 and 3 (a tie counts half).
    assert found.loc["a", "auc"] == 1.0
    assert found.loc["b", "auc"] == 0.75
    assert "c" not in found.index
    assert tuple(found.loc["a", ["n_with", "n_without"]]) == (2, 1)


def test_normal_scores_keep_order_and_ties():
    scores = normal_scores(np.array([[10.0], [20.0], [20.0], [40.0]]))[:, 0]
    assert scores[1] == scores[2] == pytest.approx(0.0)
    assert scores[0] == pytest.approx(-scores[3])


def test_bad_settings_are_refused(cohort: Cohort):
    with pytest.raises(ConfigError, match="At least 1 split"):
        attack_procedure(cohort, KnownGenerator("copula"), splits=0)
    with pytest.raises(ConfigError, match="Three fractions"):
        attack_procedure(cohort, KnownGenerator("copula"), fractions=(0.5, 0.5))
