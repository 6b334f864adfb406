import json
import math

import pytest
from planted import HOSTILE

from twinseq.report.text import count, in_plot, interval, json_block, number, percent, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.9744, "0.974"),
        (0.12, "0.120"),
        (12.345, "12.3"),
        (-1.5, "−1.500"),
        (0.9997, "1.000"),
        (1, "1.000"),
        (0, "0"),
        (9876.5, "9876"),
        (123456, "123,456"),
        (0.00012, "1.2\xa0×\xa010⁻⁴"),
        (3.2e-31, "3.2\xa0×\xa010⁻³¹"),
        (2.5e12, "2.5\xa0×\xa010¹²"),
        (math.nan, "–"),
        (math.inf, "–"),
        (None, "–"),
    ],
)
def test_numbers_are_printed_as_in_a_paper(value, text):
    assert number(value) == text


def test_percent_has_a_decimal_where_it_matters():
    assert percent(0.975) == "97.5\xa0%"
    assert percent(0.78) == "78\xa0%"
    assert percent(0.012) == "1.2\xa0%"
    assert percent(1) == "100\xa0%"
    assert percent(math.nan) == "–"


def test_count_and_interval():
    assert count(27000.2) == "27,000"
    assert interval((0.1, 0.25)) == "0.100 to 0.250"
    assert interval(None) == ""
    assert interval((math.nan, 1.0)) == ""


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_one_short_visible_line(name):
    text = shown(name, 60)
    assert len(text) <= 60
    assert text.isprintable()
    text.encode("utf-8")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_in_a_plot_holds_no_markup(name):
    text = in_plot(name)
    assert "<" not in text
    assert ">" not in text


@pytest.mark.parametrize("name", HOSTILE)
def test_json_survives_a_script_element(name):
    block = json_block({name: [name]})
    assert json.loads(block) == {name: [name]}
    assert not set("<>&\u2028\u2029") & set(block)
    block.encode("ascii")


def test_json_refuses_what_browsers_cannot_read():
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_block([math.nan])
