"""The registry of attacks: complete, in order, and strict about what an attack may return."""

import re
from pathlib import Path

import numpy as np
import pytest
from planted_donors import continuous

from twinseq import attacks
from twinseq.attacks import LEVELS, Attack, FailedAttackError, NotApplicableError, ThreatLevelError, View, register
from twinseq.errors import ConfigError

ALL = [attacks.get(name) for name in attacks.names()]
FOLDER = Path(attacks.__file__).parent


@pytest.mark.parametrize("attack", ALL, ids=lambda attack: attack.name)
def test_an_entry_says_all_that_a_reader_needs(attack):
    assert attack.threat.endswith(".")
    assert len(attack.threat) > 60
    assert attack.formula
    assert attack.reference
    assert attack.settings
    assert set(attack.levels) <= set(LEVELS)
    assert list(attack.levels) == sorted(set(attack.levels))
    assert (FOLDER / f"{attack.name}.py").is_file()
    assert attack.function.__doc__
    assert attack.name in attacks.__all__


def test_every_file_that_registers_is_listed():
    found = {
        match for path in FOLDER.glob("*.py") for match in re.findall(r'^    name="(\w+)",$', path.read_text(), re.M)
    }
    assert found == set(attacks.names())


def test_names_come_with_those_that_need_least_first():
    levels = [attacks.get(name).levels[0] for name in attacks.names()]
    assert levels == sorted(levels)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'mahalanobis'"):
        attacks.get("mahalonobis")


def test_no_two_attacks_share_a_name_and_no_level_is_made_up():
    entry = {"threat": "t", "formula": "f", "reference": "r"}
    known, before = attacks.get("mc"), attacks.names()
    with pytest.raises(ConfigError, match="Two attacks are called 'mc'"):
        register(name="mc", levels=("T0",), **entry)(lambda view: None)
    with pytest.raises(ConfigError, match="Unknown threat level 'T7'"):
        register(name="new", levels=("T7",), **entry)(lambda view: None)
    assert attacks.get("mc") is known
    assert attacks.names() == before


def mounted(function, level="T0", levels=("T0",), **settings):
    attack = Attack("made up", levels, "t", "f", "r", function, settings or {"": {}})
    twin = continuous([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    return attack.score(View(level, twin, twin, twin), next(iter(settings), ""))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_reported(bad):
    with pytest.raises(FailedAttackError, match="1 of 3 scores are not finite"):
        mounted(lambda view: [0.0, bad, 1.0])


@pytest.mark.parametrize("scores", [[0.0, 1.0], [[0.0], [1.0], [2.0]], 0.0])
def test_scores_of_another_shape_are_reported(scores):
    with pytest.raises(FailedAttackError, match=r"shape .* for 3 targets"):
        mounted(lambda view: scores)


def test_a_setting_reaches_the_function():
    np.testing.assert_array_equal(mounted(lambda view, k: np.full(3, k), large={"k": 7}), [7, 7, 7])


def test_an_attack_is_mounted_at_its_levels_only():
    with pytest.raises(NotApplicableError, match="no attack of level T1"):
        mounted(lambda view: np.zeros(3), level="T1")


def test_an_attack_that_reaches_for_more_is_stopped():
    with pytest.raises(ThreatLevelError):
        mounted(lambda view: view.reference.values[:, 0])
