"""The page: everything the templates need, gathered from the report, and the finished HTML."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ..policy import PRACTICES
from ..results import AuditReport
from .attackers import TITLE, attackers
from .claims import TITLE as PROMISES
from .claims import promises
from .figures.frontier import frontier
from .frontier import settings_table
from .outline import outline
from .provenance import origin
from .rows import MEMORISATION
from .sections import of_cells, sections
from .text import json_block
from .verdict import verdict
from .words import header, omitted_rows, summary


@dataclass(frozen=True)
class Sheets:
    """Style sheets of a page: what always holds, and the dark colours, which have an element of their own."""

    always: Markup
    dark: Markup


def render(report: AuditReport) -> str:
    """Return the report as one HTML page that needs no network and no other file.

    Parameters
    ----------
    report
        What an audit found; nothing else is drawn.

    Returns
    -------
    The page, with plotly.js inside it once.
    """
    parts, attacked, promised, placed = sections(report), attackers(report), promises(report), frontier(report)
    # In the order of the page, so that panels are numbered from its head to its foot.
    figures = [] if placed is None else [placed]
    figures.extend(figure for part in parts if part.part != "Privacy" for figure in part.all_figures)
    figures.extend([] if attacked is None else attacked.figures)
    figures.extend(figure for part in parts if part.part == "Privacy" for figure in part.all_figures)
    panels = [panel for figure in figures for panel in figure.panels]
    numbers = {id(panel): index for index, panel in enumerate(panels)}
    plotly, script = Markup(get_plotlyjs()), Markup(_asset("page.js"))
    memorised = sum(row.flag == MEMORISATION for part in parts for row in part.all_rows)
    definitions = [(row.title, row.formula, row.reference) for part in parts for row in part.all_rows if row.formula]
    omitted, made, short = omitted_rows(report), origin(report), summary(report, memorised)
    page = (
        _environment()
        .get_template("page.html.j2")
        .render(
            title=header(report),
            contents=outline(
                parts,
                "" if attacked is None else TITLE,
                PROMISES if promised else "",
                omitted=bool(omitted),
                origin=bool(made.files or made.tables),
            ),
            verdict=verdict(report, short[0] if report.metrics else ""),
            frontier=placed,
            summary=short,
            attackers=attacked,
            attackers_title=TITLE,
            promises=promised,
            promises_title=PROMISES,
            sections=parts,
            of_cells=of_cells(report),
            omitted=omitted,
            definitions=definitions,
            settings=settings_table(report),
            practices=PRACTICES,
            origin=made,
            panel_number=lambda panel: numbers[id(panel)],
            panels=Markup(json_block([{"data": panel.data, "layout": panel.layout} for panel in panels])),
            sheets=_sheets("style.css", "report.css", "print.css"),
            plotly=plotly,
            script=script,
            policy=_policy(plotly, script),
        )
    )
    # A lone surrogate from a wrongly decoded table cannot be written as UTF-8.
    return page.encode("utf-8", "replace").decode("utf-8")


def _sheets(*names: str) -> Sheets:
    """Return the style sheets of a page; all pages share the colours."""
    return Sheets(Markup("".join(_asset(name) for name in ("tokens.css", *names))), Markup(_asset("dark.css")))


def _policy(*scripts: str) -> str:
    """Return a content security policy: no request at all, and no script but ours.

    It is the second line of defence: were a name from the data ever written unescaped, it could not run.
    """
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("twinseq.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _asset(name: str) -> str:
    """Return one of our own files as it stands, to be inlined."""
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]
