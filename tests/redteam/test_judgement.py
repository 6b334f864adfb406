"""What is concluded from what."""

import pytest

from twinseq.redteam.judgement import judge
from twinseq.redteam.summary import power
from twinseq.results import Control, Headline


def headline(p_value: float, auc: float = 0.8, level: str = "T1") -> Headline:
    return Headline(level, "mean_tracing", "plain", auc, (auc - 0.1, 0.99), p_value, {}, {}, 0.0, 40, p_value <= 0.05)


def controls(**outcomes: bool | None) -> list[Control]:
    return [Control(name, "", outcomes.get(name, True)) for name in ("null", "positive", "negative")]


@pytest.mark.parametrize("name", ["null", "positive", "negative"])
def test_a_failed_control_withholds_the_verdict(name: str):
    outcome, reasons = judge([headline(0.0005)], controls(**{name: False}), power(100, 100))
    assert outcome == "not judged"
    assert name in reasons[0]


def test_a_control_that_could_not_be_made_does_not():
    assert judge([headline(0.0005)], controls(negative=None), power(100, 100))[0] == "leak"


def test_the_strongest_leak_is_named_with_its_level():
    found = [headline(0.001, 0.7, "T0"), headline(0.0005, 0.9, "T1")]
    outcome, reasons = judge(found, controls(), power(100, 100))
    assert outcome == "leak"
    assert "mean tracing at level T1" in reasons[0]
    assert "0.90" in reasons[0]
    assert "p < 0.001" in reasons[0]


def test_absence_of_a_leak_needs_enough_donors():
    assert judge([headline(0.4)], controls(), power(500, 500))[0] == "no leak found"
    outcome, reasons = judge([headline(0.4)], controls(), power(22, 22))
    assert outcome == "inconclusive"
    assert "1.7" in reasons[1]


def test_a_leak_among_nine_is_not_concluded():
    assert judge([headline(0.001)], controls(), power(9, 100))[0] == "inconclusive"


def test_no_attack_no_judgement():
    assert judge([], controls(), power(100, 100))[0] == "not judged"
