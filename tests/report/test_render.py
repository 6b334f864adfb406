import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import pandas as pd
import pytest
from planted import HOSTILE, METRICS, hostile_report, make_report, make_tables
from plotly.offline import get_plotlyjs

from twinseq.audit import audit
from twinseq.datasets import simulate_cohort
from twinseq.report import render
from twinseq.results import AuditReport, RedTeam

LIMIT = 8_000_000


class Elements(HTMLParser):
    """The page's elements and text outside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(without_plotly(page))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text.append(data)

    def named(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def without_plotly(page: str) -> str:
    return page.replace(get_plotlyjs(), "")


@pytest.fixture(scope="module")
def page():
    return render(make_report())


@pytest.fixture(scope="module")
def elements(page):
    return Elements(page)


def test_plotly_is_embedded_once_and_the_page_stays_small(page):
    assert page.count(get_plotlyjs()) == 1
    assert len(page.encode()) < LIMIT


def test_a_transcriptome_with_many_contrasts_stays_under_the_limit():
    tables = make_tables(n_genes=27_000)
    genes = tables["de_genes"]
    tables["de_genes"] = pd.concat([genes.assign(contrast=f"{index} vs rest") for index in range(10)])
    page = render(make_report(tables=tables))
    assert len(page.encode()) < LIMIT
    assert "6 more contrasts, kept in the gene table: 4 vs rest" in page


def test_nothing_is_fetched(page, elements):
    assert not re.search(r"https?://|//[a-z]+\.[a-z]", without_plotly(page))
    for _, attributes in elements.tags:
        assert not {"src", "srcset", "action", "formaction", "ping"} & set(attributes)
        assert (attributes.get("href") or "#").startswith(("#", "data:,"))
    assert "@import" not in page.replace(get_plotlyjs(), "")


def test_the_policy_allows_no_request_and_no_other_script(page, elements):
    policy = next(meta["content"] for meta in elements.named("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


def test_all_sections_are_there_and_listed(elements):
    anchors = [attributes["href"][1:] for attributes in elements.named("a")]
    ids = [attributes.get("id") for _, attributes in elements.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    assert set(anchors) <= set(ids)
    assert {"verdict", "fidelity", "biology", "utility", "covariates", "privacy", "omitted", "method"} <= set(anchors)


def test_headings_never_skip_a_level(elements):
    levels = [int(tag[1]) for tag, _ in elements.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_words(elements):
    words = elements.words
    assert "Not judged: no attacks run" in words
    assert "The twin recovers 97 % of the differential genes" in words
    assert "real donors in the twin's place reach 78" in words
    assert "Passing these figures is no evidence of safety" in words
    assert "no gene sets were given" in words
    assert "above the real-vs-real ceiling: memorisation suspected" in words
    assert "twin.h5ad compared with cohort.h5ad" in words
    assert "118 donors" in words


def test_every_plot_has_words_and_a_drawing(page, elements):
    plots = [a for a in elements.named("div") if (a.get("class") or "").startswith("plot ")]
    panels = json.loads(re.search(r'id="panels">(.*?)</script>', page, re.S).group(1))
    assert [int(plot["data-panel"]) for plot in plots] == list(range(len(panels)))
    assert all(plot["aria-label"] and plot["role"] == "img" for plot in plots)
    assert len(elements.named("figure")) == len(elements.named("figcaption")) == 14


def test_tables_have_captions_and_scopes(elements):
    assert len(elements.named("table")) == len(elements.named("caption"))
    assert all(attributes.get("scope") in ("row", "col") for attributes in elements.named("th"))


@pytest.mark.parametrize("missing", [*make_tables(n_genes=50), "everything"])
def test_any_table_may_be_absent(missing):
    tables = {name: table for name, table in make_tables(n_genes=50).items() if missing not in (name, "everything")}
    page = render(make_report(tables=tables))
    assert "Not judged" in page
    if missing == "everything":
        assert "the audit gave no gene table" in page
        assert "Library sizes: the audit gave no figures for it." in page


def test_empty_tables_count_as_absent():
    tables = {name: table.iloc[:0] for name, table in make_tables(n_genes=50).items()}
    # The bars of co-expression edges are drawn from figures, not from a table.
    others = tuple(metric for metric in METRICS if not metric.name.startswith("edge_"))
    assert "<figure>" not in render(make_report(tables=tables, metrics=others))


def test_without_a_holdout():
    tables = make_tables(n_genes=200)
    tables = {
        name: table[table["source"] != "holdout"] if "source" in table else table for name, table in tables.items()
    }
    tables["de_genes"][["lfc_holdout", "padj_holdout"]] = float("nan")
    tables["pathways"][["nes_holdout", "fdr_holdout"]] = float("nan")
    del tables["roc"]
    metrics = tuple(metric for metric in METRICS if metric.group != "utility")
    words = Elements(render(make_report(tables=tables, metrics=metrics))).words
    assert "Hold-out against real" not in words
    assert "trained on the twin reaches" not in words


def test_an_empty_report_says_so_calmly():
    words = Elements(render(AuditReport({}, {}, ()))).words
    assert "Not judged: no attacks run" in words
    assert "A synthetic twin compared with its real cohort" in words
    assert "Fidelity" not in words


def test_a_verdict_of_the_policy_is_shown():
    verdict = {"policy": "partner", "outcome": "inconclusive", "reasons": ["too few donors for any attack"]}
    red_team = RedTeam(mode="artefact", outcome="inconclusive", reasons=())
    words = Elements(render(make_report(verdict=verdict, red_team=red_team))).words
    assert "Inconclusive" in words
    assert "Too few donors for any attack." in words


def test_hostile_text_is_inert():
    page = render(hostile_report())
    page.encode("utf-8")
    rest = without_plotly(page)
    assert rest.count("<script") == rest.count("</script") == 3
    assert "<!--" not in rest
    assert not set("\u2028\u2029\u0000\u202e") & set(rest)
    found = Elements(page)
    assert not found.named("img")
    assert not found.named("b")
    assert all(not key.startswith("on") for _, attributes in found.tags for key in attributes)
    assert all(attributes["href"].startswith("#") for attributes in found.named("a"))
    assert HOSTILE[0] in "".join(found.text)
    assert "{{ 7 * 7 }}" in found.words
    assert "x" * 500 not in rest


def test_hostile_text_is_inert_in_the_drawings():
    page = render(hostile_report())
    block = json.loads(re.search(r'id="panels">(.*?)</script>', page, re.S).group(1))

    def strings(value, key=""):
        if isinstance(value, dict):
            for name, item in value.items():
                yield from strings(item, name)
        elif isinstance(value, list):
            for item in value:
                yield from strings(item, key)
        elif isinstance(value, str) and key != "hovertemplate":
            yield value

    ours = re.compile(r"</?b>|<br>")
    for text in strings(block):
        assert "<" not in ours.sub("", text), text
        assert len(text) < 400


def test_no_name_of_a_sample_or_donor_reaches_the_page():
    train = simulate_cohort(8, 8, 300)
    adata = train.adata.copy()
    adata.obs_names = [f"SAMPLE-{index}" for index in range(adata.n_obs)]
    adata.obs["donor"] = [f"DONOR-{index}" for index in range(adata.n_obs)]
    twin = simulate_cohort(8, 8, 300, seed=1)
    page = render(audit(train.with_adata(adata), twin))
    assert "SAMPLE-" not in page
    assert "DONOR-" not in page
    words = Elements(page).words
    assert "two halves of the real data reach" in words
    assert "Volcano plots" in words
    assert "no hold-out" in words.lower()


def test_the_same_report_gives_the_same_page(page):
    assert render(make_report()) == page
