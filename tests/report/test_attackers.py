"""What the page and the terminal say of attackers."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from planted import HOSTILE, make_tables
from planted_attacks import (
    CONTROLS,
    POWER,
    attacked,
    controls_failed,
    curves,
    hostile_red_team,
    inconclusive,
    leak,
    no_holdout,
    no_leak,
)
from test_render import Elements, without_plotly

from twinseq import terminal
from twinseq.report import render
from twinseq.report.attack_tables import details, level_tables, unmeasured
from twinseq.report.attackers import attackers, notes, p_value, power, sentence
from twinseq.report.figures.attack_roc import attack_roc, on_log_axes
from twinseq.results import AttackResult, RedTeam

KINDS = {
    "leak": leak,
    "no leak": no_leak,
    "inconclusive": inconclusive,
    "controls failed": controls_failed,
    "no hold-out": no_holdout,
}


def plain(text):
    return str(text).replace("\xa0", " ")


@pytest.fixture(scope="module")
def words():
    return {name: plain(Elements(render(attacked(make()))).words) for name, make in KINDS.items()}


def test_a_leak_is_told_in_people():
    told = [plain(sentence(one, leak())) for one in leak().headlines]
    assert told[2] == (
        "An attacker with the twin and a reference cohort of other donors (level T1) names 63 of 100 members at "
        "1 false alarm in 100, where guessing names 1 (AUC 0.97, 0.93 to 0.99; p < 0.001; contrast tracing)."
    )
    assert told[1] == (
        "An attacker with the twin alone (level T0) was not found to tell members from others "
        "(AUC 0.71, 0.67 to 0.73; chance is 0.5; p = 0.071; mean tracing)."
    )


@pytest.mark.parametrize(("others", "rate"), [(99, "10 false alarms in 100"), (100, "1 false alarm in 100")])
def test_one_in_a_hundred_needs_a_hundred(others, rate):
    red_team = leak((60, others))
    one = red_team.headlines[-1]
    assert f"{rate}, where guessing" in str(sentence(one, red_team))
    told = any("cannot be read well" in note for note in notes(red_team))
    assert told == (others < 100)
    assert told == any("With only 99 people" in note for note in notes(red_team))


def test_the_number_of_non_members_is_that_of_the_power_where_no_attack_tells_it():
    few = replace(leak(), attacks=(), power={**POWER, "n_nonmembers": 22})
    assert "10 false alarms" in str(sentence(few.headlines[0], few))
    unknown = replace(few, power={})
    assert "1 false alarm in 100" in str(sentence(few.headlines[0], unknown))


def test_odd_headlines():
    one = leak().headlines[0]
    assert "tells members from others (AUC" in str(sentence(replace(one, tpr_at_fpr={}), leak()))
    assert "names fewer than 1 of 100" in str(sentence(replace(one, tpr_at_fpr={"0.01": 0.002}), leak()))
    assert "names 0 of 100" in str(sentence(replace(one, tpr_at_fpr={"0.01": 0.0}), leak()))
    assert str(sentence(replace(one, level="T9"), leak())).startswith("An attacker of level T9 names")


def test_power():
    facts = {"n_members": np.int64(22), "n_nonmembers": 22, "largest_epsilon": 1.68, "auc_half_width": 0.171}
    assert plain(power(facts)) == (
        "With 22 members and 22 others, a perfect attack could prove at most ε = 1.7 and an AUC is known to ±0.17. "
        "Smaller leaks can go unseen."
    )
    assert power({}) == ""
    assert power({"n_members": 3, "n_nonmembers": 3, "largest_epsilon": float("nan")}) == ""


def test_p_values():
    assert [plain(p_value(p)) for p in (0.0005, 0.0123, 0.31, float("nan"))] == [
        "p < 0.001",
        "p = 0.012",
        "p = 0.31",
        "",
    ]


def test_outcome_and_reasons(words):
    expected = {
        "leak": ("Leak: attackers can tell who was in the training data", "Leak found", "with an AUC of up to 0.98"),
        "no leak": ("No leak found", "No attack did better than chance", "The attacks found no leak"),
        "inconclusive": ("Inconclusive: too few donors to tell", "With 12 members and 9", "There are too few donors"),
        "controls failed": ("Not judged", "The null control failed", "could not be judged"),
        "no hold-out": ("Not judged", "No hold-out: set real samples aside", "could not be judged"),
    }  # fmt: skip
    for kind, texts in expected.items():
        assert all(text in words[kind] for text in ("What attackers can find out", *texts)), kind
        assert "no attacks run" not in words[kind]
        assert "see “What attackers can find out”, which the verdict rests on" in words[kind]
        assert not re.search(r"anonym|\bsafe\b", words[kind]), kind


def test_without_attacks_there_is_no_section():
    text = Elements(render(attacked(None))).words
    assert attackers(attacked(None)) is None
    assert "What attackers can find out" not in text
    assert "Not judged: no attacks run" in text
    assert "Only attacks can tell, and none were run." in text


def test_failed_controls_withhold_the_verdict(words):
    assert "the audit withholds its verdict" in words["controls failed"]
    assert "failed an interval that holds 0.5 AUC 0.70, 0.60 to 0.80 (contrast tracing, T1)" in words["controls failed"]
    assert all("withholds" not in words[kind] for kind in KINDS if kind != "controls failed")


def test_controls_that_were_not_made_are_said(words):
    assert "not made an interval that holds 0.5 needs a reference cohort of at least 20 donors" in words["leak"]
    only = attackers(attacked(replace(leak(), controls=CONTROLS[:1])))
    assert [row.result for row in only.controls] == ["passed", "not made", "not made"]
    assert "None were made." in words["no hold-out"]


def test_the_section_stands_after_what_the_twin_is_worth():
    page = without_plotly(render(attacked(leak())))
    order = ("verdict", "utility", "biology", "attackers", "privacy", "controls", "method", "provenance")
    assert sorted(order, key=lambda anchor: page.index(f'<section id="{anchor}"')) == list(order)
    levels = [int(tag[1]) for tag, _ in Elements(page).tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_attacks_by_level_the_strongest_first():
    tables = level_tables(leak().attacks)
    assert [table.title.split(":")[0] for table in tables] == ["T0", "T1", "T2"]
    assert [row.title for row in tables[0].first][:2] == ["Mean tracing", "Mahalanobis"]
    assert [len(table.further) for table in tables] == [2, 0, 0]
    best = tables[1].first[0]
    assert (best.auc, best.auc_interval, best.setting) == ("0.970", "0.930 to 0.990", "ridge 0.01 (strongest of 5)")
    assert (plain(best.tpr1), plain(best.tpr1_interval)) == ("63 %", "55 to 69 %")


def test_an_attack_without_figures_is_never_a_coin_flip():
    rows = unmeasured(leak().attacks)
    assert [(row.title, row.levels, row.status) for row in rows] == [
        ("Marginal LLR", "T1", "failed"),
        ("Copies", "T0", "void"),
        ("Shadow loss", "T1, T2", "not applicable"),
    ]
    lone = replace(no_leak(), attacks=(AttackResult("of_a_plug_in", "T0", "void", "ties"),), headlines=())
    assert level_tables(lone.attacks) == ()
    assert "Of a plug in T0 void ties" in plain(Elements(render(attacked(lone))).words)


def test_what_an_attacker_does_can_be_opened_and_unknown_names_do_no_harm():
    page = render(attacked(replace(leak(), attacks=(*leak().attacks, AttackResult("of a plug-in", "T0", "measured")))))
    found = Elements(page)
    assert "Looks for the twin sample most like the target." in found.words
    assert "of a plug-in" in found.words.lower()


def test_details():
    found = {detail.title: detail for detail in details(leak())}
    groups, genes, columns, halves, spread = found.values()
    assert [row[0] for row in groups.table.rows] == ["condition: tumour", "sex: male", "condition: normal"]
    assert [plain(row[0]) for row in genes.table.rows] == ["2,700 (10 %)", "270 (1 %)"]
    assert [plain(cell) for cell in columns.table.rows[0]] == [
        "stage",
        "61 %",
        "47 %",
        "+14 points",
        "+2 to +26",
        "40 %",
    ]
    assert columns.table.rows[1][4] == "−4 to +6"
    assert [row[0] for row in halves.table.rows] == ["1", "5", "10"]
    assert plain(spread.findings[0]).endswith("half of the donors above 0.62, 1 in 10 above 0.81.")
    assert details(no_leak()) == ()


def test_exposure_is_never_that_of_few_donors():
    few = replace(leak(), exposure={**leak().exposure, "n_donors": 20})
    spread = details(few)[-1]
    assert "1 in 10" not in spread.findings[0]
    assert [row[0] for row in spread.table.rows] == ["0.5", "0.7"]
    assert not details(RedTeam("artefact", "leak", (), exposure={"n_donors": 4, "quantiles": {"0.5": 0.9}}))


def test_long_tables_are_cut():
    many = replace(leak(), subgroups=leak().subgroups * 10)
    assert len(details(many)[0].table.rows) == 20
    assert details(many)[0].findings == ("10 more rows are in metrics.json.",)


def test_figures_that_are_missing_are_dashes():
    bare = RedTeam(
        "artefact", "leak", (), subgroups=({"group": "a"},), partial=({},), attributes=({},), linkability=({},)
    )
    for detail in details(bare):
        assert "–" in detail.table.rows[0]


def test_curves_are_straight_where_chance_is():
    x, y = on_log_axes(np.array([0.0, 1.0]), np.array([0.0, 1.0]), 0.01)
    assert x[0] == y[0] == 0.01
    assert x[-1] == y[-1] == 1
    assert np.allclose(x, y)
    assert len(x) > 50


def test_curves_keep_their_steps_and_start_without_a_false_alarm():
    fpr, tpr = np.array([0, 0, 0, 0.1, 0.1, 1.0]), np.array([0, 0.2, 0.5, 0.5, 0.9, 1.0])
    x, y = on_log_axes(fpr, tpr, 0.01)
    assert (x[0], y[0]) == (0.01, 0.5)
    assert np.allclose(y[x < 0.1], 0.5)
    assert {0.5, 0.9} <= set(y[x == 0.1])
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) >= 0).all()


def test_the_axes_are_logarithmic_and_start_at_one_non_member():
    figure = attack_roc({"attack_roc": curves(leak())}, leak())
    layout = figure.panels[0].layout
    assert layout["xaxis"]["type"] == layout["yaxis"]["type"] == "log"
    assert [line["line"]["dash"] for line in figure.panels[0].data] == ["dash", "solid", "dashdot"]
    few = attack_roc({"attack_roc": curves(leak())}, leak((60, 22)))
    assert "at 10" in few.findings[0]
    assert "at 1\xa0%" not in few.findings[0]
    assert min(figure.panels[0].data[0]["x"]) == pytest.approx(1 / 120, rel=1e-3)
    assert plain(figure.findings[1]).startswith(
        "T1, contrast tracing: of the members it names 91.6 % (84 to 97.6 %) at 10 %"
    )
    assert plain(figure.legend[0].meaning) == "T0: the twin alone (mean tracing)"


def test_curves_are_known_by_their_columns():
    assert attack_roc({"roc": make_tables(n_genes=50)["roc"]}, leak()) is None
    assert attack_roc({"roc": curves(leak())}, leak()) is not None
    empty = pd.DataFrame(columns=["level", "attack", "fpr", "tpr"])
    assert attack_roc({"attack_roc": empty}, leak()) is None
    unknown = curves(leak()).assign(level="T9", attack="x")
    assert attack_roc({"attack_roc": unknown}, replace(leak(), attacks=(), headlines=())) is not None
    assert (
        "ROC curves: the audit gave no figures"
        in Elements(render(attacked(leak(), tables={"roc": curves(leak())}))).words
    )


def test_hostile_text_is_inert():
    page = render(attacked(hostile_red_team()))
    rest = without_plotly(page)
    assert rest.count("<script") == rest.count("</script") == 3
    assert "<!--" not in rest
    assert not set("\u2028\u2029\u0000\u202e") & set(rest)
    found = Elements(page)
    assert not found.named("img")
    assert not found.named("b")
    assert all(not key.startswith("on") for _, attributes in found.tags for key in attributes)
    assert HOSTILE[0] in "".join(found.text)
    assert "x" * 500 not in rest


def test_the_terminal_tells_the_same(capsys, tmp_path):
    terminal.print_audit(attacked(leak()), tmp_path)
    out = plain(capsys.readouterr().out)
    assert "(level T1) names 63 of 100 members at 1 false alarm in 100" in out
    assert "Controls: null passed, positive passed, negative not made" in out
    assert "With 118 members and 120 others, a perfect attack" in out
    assert "  Leak: attackers can tell who was in the training data\n" in out
    assert "withholds" not in out
    assert out.index("Attacks\n") < out.index("Verdict: leak")


def test_the_terminal_warns_of_failed_controls(capsys, tmp_path):
    terminal.print_audit(attacked(controls_failed()), tmp_path)
    out = capsys.readouterr().out
    assert "null failed" in out
    assert "the audit withholds its verdict" in out
    terminal.print_audit(attacked(no_holdout()), tmp_path)
    assert "Controls: none made\n  Not judged\n" in capsys.readouterr().out


def test_the_terminal_is_silent_where_nothing_was_attacked(capsys, tmp_path):
    terminal.print_audit(attacked(None), tmp_path)
    assert "Attacks" not in capsys.readouterr().out


def test_the_curves_of_an_earlier_audit_are_removed(tmp_path):
    attacked(leak()).save(tmp_path)
    assert list(pd.read_csv(tmp_path / "attack_roc.tsv", sep="\t").columns) == ["level", "attack", "fpr", "tpr"]
    attacked(None).save(tmp_path)
    assert not (tmp_path / "attack_roc.tsv").exists()
    assert (tmp_path / "roc.tsv").exists()


def test_headlines_come_by_level():
    one = leak().headlines[0]
    mixed = replace(leak(), headlines=(replace(one, level="T3"), replace(one, level="T0")))
    assert [told.who[-9:] for told in attackers(attacked(mixed)).sentences] == ["level T0)", "level T3)"]
