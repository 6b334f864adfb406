"""The verdict in words: outcome, the first three reasons, the checks of the policy, and where it all comes from."""

from dataclasses import replace

import pytest
from planted import HOSTILE, make_report
from planted_attacks import attacked, leak, no_leak
from planted_verdict import outcomes, released, under_policy, unreliable
from test_render import Elements

from twinseq.policy import PRACTICES
from twinseq.report import render
from twinseq.report.provenance import origin
from twinseq.report.verdict import verdict
from twinseq.report.words import header
from twinseq.results import AuditReport

CHECK = {
    "key": "auc", "question": "Can attackers tell who is in it?", "value": 1.0, "interval": [0.92, 1.0], "limit": 0.7,
    "direction": "at most", "outcome": "fail", "reason": "an AUC of 1.00; the policy allows 0.70",
    "why": "More is too much. Ask the e.g. unlikely partner.",
}  # fmt: skip


def judged_as(outcome: str, *checks: dict, reasons: tuple[str, ...] = ()) -> AuditReport:
    given = {"policy": "ours", "title": "Ours", "outcome": outcome, "reasons": list(reasons), "checks": list(checks)}
    return make_report(verdict=given, tables={}, metrics=())


@pytest.fixture(scope="module")
def planted():
    return outcomes()


@pytest.mark.parametrize("outcome", ["pass", "review", "fail", "inconclusive"])
def test_each_outcome_has_a_word_a_sign_and_a_meaning(planted, outcome):
    assert planted[outcome].verdict["outcome"] == outcome
    found = verdict(planted[outcome])
    assert (found.tone, found.headline.lower()) == (outcome, outcome)
    assert found.meaning.endswith(".")
    assert found.policy == "“partner”: handing over to a named partner under contract"
    page = Elements(render(planted[outcome]))
    assert f"Verdict: {outcome.capitalize()}" in page.words
    signs = [one for one in page.named("svg") if one.get("class") == "sign"]
    assert len(signs) >= 1 + len(found.checks)
    assert all(sign["aria-hidden"] == "true" for sign in signs)


def test_signs_differ_by_outcome(planted):
    drawn = {}
    for outcome, report in planted.items():
        page = Elements(render(report))
        at = next(
            place for place, (tag, one) in enumerate(page.tags) if tag == "div" and "band" in str(one.get("class"))
        )
        assert page.tags[at][1]["class"] == f"band {outcome}"
        drawn[outcome] = str(page.tags[at + 2])
    assert len(set(drawn.values())) == 4


def test_without_a_policy_the_attacks_speak():
    found = verdict(attacked(leak()), "The twin keeps all.")
    assert (found.tone, found.headline, found.policy, found.checks) == ("fail", "Leak found", "", ())
    assert found.reasons[-1] == "The twin keeps all."
    assert verdict(attacked(no_leak())).headline == "No leak found"
    assert verdict(attacked(None), "The twin keeps all.").headline == "Not judged: no attacks run"


def test_three_reasons_stand_first_and_none_is_lost():
    reasons = ("one", "two.", "three", "four", "five")
    found = verdict(judged_as("review", reasons=reasons))
    assert found.reasons == ("One.", "Two.", "Three.")
    assert found.further == ("Four.", "Five.")
    words = Elements(render(judged_as("review", reasons=reasons))).words
    assert words.index("Three.") < words.index("Further reasons for the verdict") < words.index("Four.")
    assert "2 further reasons stand under" in words


def test_a_check_in_figures_and_words():
    check = verdict(judged_as("fail", CHECK)).checks[0]
    assert (check.found, check.interval, check.limit) == ("1.000", "0.920 to 1.000", "at most 0.70")
    assert (check.tone, check.outcome) == ("fail", "fail")
    assert (check.why, check.more) == ("More is too much.", "Ask the e.g. unlikely partner.")
    donors = {**CHECK, "value": 400.0, "interval": None, "limit": 50.0, "direction": "at least", "outcome": "pass"}
    check = verdict(judged_as("pass", donors)).checks[0]
    assert (check.found, check.interval, check.limit) == ("400", "", "at least 50")


def test_a_check_without_figures_says_its_reason():
    controls = {**CHECK, "value": None, "interval": None, "limit": None, "reason": "all came out as they must"}
    report = judged_as("pass", controls)
    assert verdict(report).checks[0].told
    assert "All came out as they must." in Elements(render(report)).words
    asked = verdict(judged_as("inconclusive", {**controls, "limit": 0.7})).checks[0]
    assert not asked.told
    assert (asked.found, asked.limit) == ("–", "at most 0.70")


def test_the_table_of_checks_has_a_row_each(planted):
    report = planted["fail"]
    words = Elements(render(report)).words
    for check in report.verdict["checks"]:
        assert check["question"] in words
        assert check["why"].split(". ")[0] in words
    assert "Question Found Limit Outcome Why this limit" in words


def test_an_unknown_outcome_is_not_taken_for_a_good_one():
    found = verdict(judged_as("splendid", {**CHECK, "outcome": "splendid"}))
    assert found.tone == "open"
    assert found.headline.startswith("Not judged")
    assert found.checks[0].tone == "open"


def test_failed_controls_reach_the_first_page():
    found = verdict(unreliable())
    assert found.headline == "Inconclusive"
    assert any("control failed" in reason for reason in found.reasons)


def test_hostile_text_in_a_verdict_is_inert():
    checks = [{key: text if isinstance(value, str) else value for key, value in CHECK.items()} for text in HOSTILE]
    report = judged_as("fail", *checks, reasons=HOSTILE)
    report = replace(
        report,
        verdict={**report.verdict, "policy": HOSTILE[2], "title": HOSTILE[0]},
        provenance={"files": dict.fromkeys(HOSTILE[:3], HOSTILE[3]), "release": {HOSTILE[2]: HOSTILE[0]}},
    )
    found = Elements(render(report))
    assert not found.named("img")
    assert not found.named("b")
    assert all(not key.startswith("on") for _, attributes in found.tags for key in attributes)
    assert HOSTILE[2] in "".join(found.text)


def test_practices_are_shown_whatever_the_verdict():
    for report in (make_report(tables={}, metrics=()), under_policy(no_leak())):
        words = Elements(render(report)).words
        assert all(practice in words for practice in PRACTICES)


def test_a_release_names_its_files_and_settings():
    report = released()
    found = origin(report)
    checksums = [facts["sha256"] for facts in report.provenance["files"].values()]
    assert found.files == tuple(zip(("in: cohort (cohort.h5ad)", "out: twin.h5ad"), checksums, strict=True))
    assert [table.title for table in found.tables] == [
        "Settings of the release", "Settings of the audit", "Versions",
    ]  # fmt: skip
    assert found.tables[0].rows == [("preset", "share"), ("policy", "partner"), ("splits", "5"), ("seconds", "12.5")]
    assert all(not row[0].startswith(("release", "files")) for row in found.tables[1].rows)
    words = Elements(render(report)).words
    assert all(checksum in words for checksum in checksums)
    alone = replace(report, provenance={"files": {"twin.h5ad": "ab12", "x": {}}})
    assert origin(alone).files == (("twin.h5ad", "ab12"), ("x", "not recorded"))


def test_a_release_says_how_far_its_audit_reaches_and_why_it_is_as_it_is():
    words = Elements(render(released())).words
    assert words.count("The donors are the same ones.") == 1
    reach = words.index("How far this audit reaches The donors are the same ones. The released twin is of all donors.")
    assert words.index("In short The twin") < reach < words.index("Why this setting The target AUC of 0.55 was met.")
    itself = words.index("Figures of the released twin itself The twin of all donors, held against these same donors")
    assert itself < words.index("Figure Released twin Audit Exact copies 0 –")


def test_a_release_names_what_its_twin_is_a_twin_of():
    words = Elements(render(released())).words
    assert words.count("twin.h5ad, a twin of cohort.h5ad") == 2
    assert "Non-members of each split, whom its twin never saw 80 samples" in words
    assert "Hold-out, real donors the generator never saw" not in words

    def title(**cohort: str) -> str:
        cohorts = {"cohort": cohort, "twin": {"file": "twin.h5ad"}}
        return header(replace(released(), provenance={"cohorts": cohorts, "release": {}})).title

    assert title(name="simulated cohort") == "twin.h5ad, a twin of simulated cohort"
    assert title() == "twin.h5ad, to be released"


def test_without_a_provenance_there_is_no_such_section():
    page = render(AuditReport({}, {}, ()))
    assert 'id="provenance"' not in page
    assert "#provenance" not in page
