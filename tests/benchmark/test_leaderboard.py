"""What `benchmark report` writes: links, tables for programs and for print, and names that would do harm."""

import io
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from planted_store import QUALITY, attacks, benchmark, fail, metric, plant
from typer.testing import CliRunner

from twinseq.benchmark.leaderboard import NAMES, leaderboard
from twinseq.benchmark.printed import escaped, in_words
from twinseq.benchmark.standings import stand
from twinseq.benchmark.store import Store
from twinseq.cli import app
from twinseq.errors import ConfigError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "report"))
from planted import HOSTILE

NAMED = [name for name in HOSTILE if "\ud800" not in name]


def blocks(page: str) -> dict[str, object]:
    """Return the data that the page carries."""
    found = re.findall(r'<script type="application/json" id="(\w+)">(.*?)</script>', page, flags=re.DOTALL)
    return {name: json.loads(text) for name, text in found}


class Tags(HTMLParser):
    """Elements and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    benchmark(folder)
    leaderboard(folder)
    return folder


def run(*words):
    return CliRunner().invoke(app, ["benchmark", *map(str, words)])


def test_three_files_are_written_beside_the_outcomes(written):
    assert all((written / name).is_file() for name in NAMES)
    assert (written / "leaderboard.html").stat().st_size < 8_000_000


def test_the_same_outcomes_give_the_same_bytes(written, tmp_path):
    leaderboard(written, tmp_path / "one")
    leaderboard(written, tmp_path / "two")
    for name in NAMES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_table_for_programs_holds_what_the_board_says(written):
    found = pd.read_csv(written / "leaderboard.csv").set_index(["cohort", "generator"])
    assert len(found) == 3 * 5
    board = stand(Store(written))
    for view in board.views:
        for one in view.standings:
            row = found.loc[(view.cohort or "*", one.generator)]
            place = one.places["axis", "biology"]
            expected = [np.nan, np.nan, np.nan] if place.value is None else [place.value, *place.interval]
            assert row[["biology", "biology_low", "biology_high"]].to_list() == pytest.approx(
                expected, rel=1e-5, nan_ok=True
            )
    assert found.loc[("blood", "noisy"), "utility_vs_auc_T1_front_share"] == 1
    assert found.loc[("blood", "noisy"), "c2st_auc_trees_distance"] == pytest.approx(0.35, abs=0.05)
    assert "ended with 1" in found.loc[("blood", "broken"), "missing"]


def test_the_table_for_print_has_one_row_a_generator(written):
    text = (written / "leaderboard.tex").read_text()
    assert text.count(r"\begin{tabular}{lrrrrrrr}") == 3
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 3 * (1 + 5)
    assert {row.count("&") for row in rows} == {7}
    assert r"broken & -- & -- & -- & -- & -- & -- & -- \\" in rows


def test_text_is_escaped_for_tex():
    assert escaped(r"a_b & 50% \input{x} #1 $~^") == (
        r"a\_b \& 50\% \textbackslash{}input\{x\} \#1 \$\textasciitilde{}\textasciicircum{}"
    )
    assert escaped("dp ε=8 λ ο") == r"dp $\epsilon$=8 $\lambda$ ο"


def test_reports_are_linked_where_they_are_and_only_there(written, tmp_path):
    for output in (written, tmp_path / "deep" / "page"):
        leaderboard(written, output)
        data = blocks((output / "leaderboard.html").read_text())["board"]
        splits = [split for row in data["cohorts"][0]["rows"] for split in row["splits"]]
        links = [split["report"] for split in splits]
        assert all((output / link).is_file() for link in links if link is not None)
        # One split of four left no report, and one generator of five no twin.
        assert sum(link is not None for link in links) == 4 * 3
        assert {split["reason"] for split in splits if split["report"] is None and split["attacks"]} == {""}
    (written / "leaderboard.html").unlink()
    leaderboard(written)


def test_a_report_with_a_verdict_is_linked_in_place_of_one_without(tmp_path):
    store = benchmark(tmp_path, ("blood",), splits=3)

    def links() -> list[str]:
        leaderboard(tmp_path)
        rows = blocks((tmp_path / "leaderboard.html").read_text())["board"]["cohorts"][0]["rows"]
        return [split["report"] for row in rows for split in row["splits"] if split["report"] is not None]

    before = links()
    verdict = next(
        one for one in store.outcomes() if one.stage == "verdict" and (tmp_path / before[0]).match(f"{one.rests_on}/*")
    )
    store.report(verdict.task).mkdir()
    (store.report(verdict.task) / "report.html").write_text("<!DOCTYPE html><title>verdict</title>", encoding="utf-8")
    after = links()
    assert after == [before[0].replace(verdict.rests_on, verdict.task), *before[1:]]
    assert after != before


def test_verdicts_are_counted_shown_and_explained(written):
    found = pd.read_csv(written / "leaderboard.csv").set_index(["cohort", "generator"])
    passed, failed = found["verdict_internal_pass"], found["verdict_internal_fail"]
    assert (passed["*"] == passed["blood"] + passed["tumour"]).all()
    assert passed["*"].to_dict() == {"broken": 0, "copula": 0, "mvn": 0, "noisy": 8, "worse": 8}
    assert failed["blood"].to_dict() == {"broken": 0, "copula": 4, "mvn": 4, "noisy": 0, "worse": 0}
    data = blocks((written / "leaderboard.html").read_text())["board"]
    assert data["policies"] == ["internal", "board.yaml"]
    by_name = {
        generator["name"]: row for generator, row in zip(data["generators"], data["views"][0]["rows"], strict=True)
    }
    assert by_name["noisy"]["verdicts"][0] == {"words": "pass", "gravest": "pass", "merit": 13}
    assert by_name["copula"]["verdicts"][0] == {"words": "fail", "gravest": "fail", "merit": 0}
    assert by_name["broken"]["verdicts"] == [None, None]
    reasons = data["cohorts"][0]["rows"][1]["verdicts"]
    assert [row[:3] for row in reasons[:2]] == [[1, "board.yaml", "fail"], [1, "internal", "fail"]]
    assert "the policy allows 0.85" in reasons[1][3]


def test_the_title_is_that_of_the_grid_unless_another_is_given(tmp_path):
    store = benchmark(tmp_path, cohorts=("blood",), splits=1)
    store.keep_title("Ours <b> & theirs")
    leaderboard(tmp_path)
    assert "<h1>Ours &lt;b&gt; &amp; theirs</h1>" in (tmp_path / "leaderboard.html").read_text()
    leaderboard(tmp_path, title="Another")
    assert "<h1>Another</h1>" in (tmp_path / "leaderboard.html").read_text()


def test_how_twins_were_judged_in_words():
    assert in_words({}) == "–"
    assert in_words({"pass": 3}) == "pass"
    assert in_words({"pass": 3, "fail": 1, "inconclusive": 2}) == "fail 1, inconclusive 2, pass 3"


def test_what_failed_is_listed_with_its_reason(written):
    page = (written / "leaderboard.html").read_text()
    assert "8 tasks failed, with the reason" in page
    assert page.count("<td><bdi>broken: ended with 1; it said: no</bdi></td>") == 8


def test_a_weighted_column_says_what_it_is(written, tmp_path):
    leaderboard(written, tmp_path, {"utility": 2.0})
    words = "fidelity 1, biology 1, utility 2, privacy 1"
    for name in ("leaderboard.html", "leaderboard.tex"):
        assert words in (tmp_path / name).read_text()
        assert words not in (written / name).read_text()


def test_hostile_names_stay_text(tmp_path):
    quality = {name: list(QUALITY.values())[place % 4] for place, name in enumerate(NAMED)}
    benchmark(tmp_path, cohorts=tuple(NAMED[:3]), splits=1, quality=quality, name=lambda name: f"=cmd|{name}")
    leaderboard(tmp_path)
    page = (tmp_path / "leaderboard.html").read_text()
    tags = Tags(page).found
    assert sum(tag == "script" for tag, _ in tags) == 5
    assert not [tag for tag, _ in tags if tag in ("img", "b", "a") and tag != "a"]
    assert {attributes["href"] for tag, attributes in tags if tag == "a"} == {"#main"}
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    for script in re.findall(r"<script[^>]*>(.*?)</script>", page, flags=re.DOTALL):
        if '"generators"' in script:
            assert "<" not in script
    rows = pd.read_csv(io.StringIO((tmp_path / "leaderboard.csv").read_text()))
    assert all(name.startswith("'=cmd|") for name in rows["generator"])
    text = (tmp_path / "leaderboard.tex").read_text()
    assert not re.search(r"(?<!\\)[%#$]", "".join(line for line in text.splitlines() if "cmd" in line and "%" in line))


def test_a_generator_without_twins_says_so_on_every_question(tmp_path):
    plant(tmp_path, "a", "blood", "copula", 0, [metric("de_recall", 0.9), *attacks({"T0": 0.6})])
    fail(tmp_path, "b", "blood", "other", 0, "cannot read counts")
    board = leaderboard(tmp_path)
    other = board.views[0].standings[1]
    assert {place.reason for place in other.places.values()} == {"fit failed: cannot read counts"}
    data = blocks((tmp_path / "leaderboard.html").read_text())["board"]
    assert data["views"][0]["rows"][1]["places"]["axis biology"] == {"reason": "fit failed: cannot read counts"}
    assert data["views"][0]["splits"].startswith("1 split: too few")


def test_a_benchmark_without_attacks_or_metrics_can_be_shown(tmp_path):
    plant(tmp_path / "quiet", "a", "blood", "copula", 0, [metric("de_recall", 0.9)])
    leaderboard(tmp_path / "quiet")
    assert "no attacks were run" in (tmp_path / "quiet" / "leaderboard.html").read_text()
    plant(tmp_path / "bare", "a", "blood", "copula", 0, attacks({"T0": 0.6}))
    leaderboard(tmp_path / "bare")
    assert "There is nothing to draw" in (tmp_path / "bare" / "leaderboard.html").read_text()


def test_too_few_splits_of_its_own_leave_a_generator_unranked(tmp_path):
    store = benchmark(tmp_path, cohorts=("blood",))
    rows = [metric(name, 1.0) for name in ("correlation_r", "gene_mean_ks", "c2st_auc_trees", "de_recall")]
    plant(tmp_path, "lucky", "blood", "lucky", 0, [*rows, *attacks({"T0": 0.5, "T1": 0.5})])
    found = {one.generator: one for one in stand(store).views[0].standings}
    place = found["lucky"].places["level", "T1"]
    assert (place.value, place.rank, place.interval) == (0.5, None, None)
    assert "too few splits" in place.reason
    assert not found["lucky"].fronts[("axis", "fidelity"), "T1"][0]
    assert found["noisy"].places["level", "T1"].rank == 1
    assert found["noisy"].fronts[("axis", "fidelity"), "T1"][0]


def test_the_command_prints_the_standings(written, tmp_path):
    ended = run("report", written, "-o", tmp_path, "--weight", "privacy=3", "--title", "Ours & <theirs>")
    assert ended.exit_code == 0, ended.output
    assert re.search(r"copula +0\.9\d \(0\.9\d to 0\.9\d\)", ended.output)
    assert "8 tasks failed" in ended.output
    assert "privacy 3" in ended.output
    assert "<h1>Ours &amp; &lt;theirs&gt;</h1>" in (tmp_path / "leaderboard.html").read_text()
    assert "<h1>5 generators on 2 cohorts</h1>" in (written / "leaderboard.html").read_text()


def test_the_command_gives_json(written, tmp_path):
    ended = run("report", written, "-o", tmp_path, "--json")
    found = json.loads(ended.output)
    assert found["page"] == str(tmp_path / "leaderboard.html")
    assert [row["generator"] for row in found["rows"]][:2] == ["broken", "copula"]
    assert found["rows"][0]["utility"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--weight", "utility"), "write AXIS=NUMBER"),
        (("--weight", "utility=1", "--weight", "utility=2"), "each axis once"),
        (("--weight", "utilty=1"), "did you mean 'utility'"),
    ],
)
def test_weights_that_cannot_be_read_write_nothing(written, tmp_path, words, said):
    ended = run("report", written, "-o", tmp_path / "new", *words)
    assert ended.exit_code != 0
    assert said in str(ended.exception)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(ConfigError, match="there is no such folder"):
        leaderboard(tmp_path / "nowhere")


def test_stores_are_merged_by_the_command(tmp_path):
    benchmark(tmp_path / "a", cohorts=("blood",), splits=1)
    plant(tmp_path / "b", "new", "tumour", "copula", 0, [metric("de_recall", 0.9)])
    ended = run("merge", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "both", "--json")
    assert json.loads(ended.output)["taken"] == {str(tmp_path / "a"): 13, str(tmp_path / "b"): 3}
    assert set(Store(tmp_path / "both").tasks()["cohort"]) == {"blood", "tumour"}
    assert (tmp_path / "both" / "reports" / "newa" / "report.html").is_file()
    assert (tmp_path / "both" / "results" / "figures.parquet").is_file()
    again = run("merge", tmp_path / "a", "-o", tmp_path / "both")
    assert "0 tasks taken over" in again.output


@pytest.mark.parametrize(("source", "said"), [("empty", "holds no outcomes"), ("out", "is an input too")])
def test_merging_refuses_what_it_cannot_take(tmp_path, source, said):
    (tmp_path / "empty").mkdir()
    benchmark(tmp_path / "out", cohorts=("blood",), splits=1)
    ended = run("merge", tmp_path / source, "-o", tmp_path / "out")
    assert said in str(ended.exception)
