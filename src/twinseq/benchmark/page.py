"""The leaderboard as one page that needs no network: sorted, filtered and unfolded by its own script."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from .. import __version__
from ..attacks import LEVELS
from ..metrics import get, names
from ..report.render import _asset, _environment, _policy, _sheets
from ..report.text import in_plot, json_block, shown
from ..verdict.check import PASS, SEVERITY
from .board import PRIVACY, Board, Key, Place, Standing, View
from .drilldown import _digits, catalogue, drilldown
from .printed import ALL, AXES, in_words, table, title_of, weights_in_words
from .ranking import FEWEST_SPLITS
from .standings import draws_of
from .store import Store

POSITION = "from a known-bad twin (0) to real data (1)"


def render(board: Board, store: Store, folder: Path, title: str | None = None) -> str:
    """Return the page.

    Parameters
    ----------
    board
        What it shows.
    store
        Where the reports are that it links to.
    folder
        Where it will lie, which links are relative to.
    title
        Headline; by default how many generators and cohorts there are.
    """
    plotly = Markup(get_plotlyjs())
    scripts = [Markup(_asset(name)) for name in ("page.js", "leaderboard.js")]
    size = f"{_count(len(board.evidence[0].generators), 'generator')} on {_count(len(board.evidence), 'cohort')}"
    tables = [(_view_title(view), *table(board, view)) for view in board.views]
    page = (
        _environment()
        .get_template("leaderboard.html.j2")
        .render(
            title=shown(title, 120) if title else size,
            facts=[*([size] if title else []), *_facts(board)],
            axes=[(title_of(("axis", axis)), AXES.get(axis, ("", ""))[1]) for axis in board.axes],
            attacked=board.level is not None,
            resampled=any(view.resampled for view in board.views),
            fewest=FEWEST_SPLITS,
            weights=weights_in_words(board),
            views=[_view_title(view) for view in board.views],
            levels=[(level, _held(level)) for level in board.levels],
            level=board.level,
            yardsticks=[(_name(key), _choice(key)) for key in board.yardsticks],
            yardstick=_name(board.yardstick) if board.yardstick else "",
            tables=tables,
            failures=_failures(board),
            panels=Markup(json_block([{"data": [], "layout": {}}])),
            board=Markup(json_block(_payload(board, store, folder))),
            sheets=_sheets("style.css", "print.css", "leaderboard.css"),
            plotly=plotly,
            scripts=scripts,
            policy=_policy(plotly, *scripts),
            policies=[shown(policy, 40) for policy in board.policies],
        )
    )
    return page.encode("utf-8", "replace").decode("utf-8")


def _payload(board: Board, store: Store, folder: Path) -> dict[str, Any]:
    """Return what the script draws from; all text in it is made harmless, and set as text alone."""
    return {
        "generators": [{"name": shown(name), "label": in_plot(name, 24)} for name in board.evidence[0].generators],
        "axes": [{"key": _name(("axis", axis)), "title": title_of(("axis", axis))} for axis in board.axes],
        "levels": [shown(level, 20) for level in board.levels],
        "yardsticks": {
            _name(key): {
                "title": title_of(key),
                "axis": _axis_title(key),
                "less": key in board.reversed,
                "bounded": key[0] == "axis",
            }
            for key in board.yardsticks
        },
        "weights": weights_in_words(board),
        "policies": [shown(policy, 40) for policy in board.policies],
        "views": [
            {
                "title": _view_title(view),
                "resampled": view.resampled,
                "splits": _splits_in_words(board, view),
                "rows": [_row(board, one) for one in view.standings],
            }
            for view in board.views
        ],
        "cohorts": [
            {
                "title": shown(one.cohort),
                "metrics": catalogue(one),
                "groups": {**{axis: title_of(("axis", axis)) for axis in board.axes}, PRIVACY: "Distances"},
                "rows": list(drilldown(one, draws_of(one), store, folder).values()),
            }
            for one in board.evidence
        ],
    }


def _row(board: Board, one: Standing) -> dict[str, Any]:
    return {
        "audited": one.audited,
        "splits": one.splits,
        "places": {_name(key): _cell(place) for key, place in one.places.items()},
        "fronts": {
            f"{_name(yardstick)}|{shown(level, 20)}": [now, _digits(share)]
            for (yardstick, level), (now, share) in one.fronts.items()
        },
        "verdicts": [_outcomes(one.verdicts.get(policy, {})) for policy in board.policies],
        "fit": _digits(one.fit_seconds),
    }


def _outcomes(outcomes: Mapping[str, int]) -> dict[str, Any] | None:
    """Return how twins were judged: in words, the gravest outcome, and a number to sort by; ``None`` without any."""
    twins = sum(outcomes.values())
    if not twins:
        return None
    gravest = next(outcome for outcome in SEVERITY if outcomes.get(outcome))
    # By the share of twins that pass, then by those that are not ruled out.
    merit = sum(SEVERITY.index(outcome) * number for outcome, number in outcomes.items() if outcome in SEVERITY)
    passed = outcomes.get(PASS, 0)
    return {"words": in_words(outcomes), "gravest": gravest, "merit": _digits((10 * passed + merit) / twins)}


def _cell(place: Place) -> dict[str, Any]:
    if place.value is None:
        return {"reason": shown(place.reason, 400)}
    return {
        "value": _digits(place.value),
        "interval": None if place.interval is None else [_digits(end) for end in place.interval],
        "rank": place.rank,
        "ranks": place.ranks,
        "reason": place.reason,
    }


def _name(key: Key) -> str:
    """Return a question as the script knows it."""
    return f"{key[0]} {shown(key[1], 80)}"


def _view_title(view: View) -> str:
    return ALL if view.cohort is None else shown(view.cohort)


def _axis_title(key: Key) -> str:
    """Return what stands at the axis of the drawing."""
    title = in_plot(title_of(key), 60)
    if key[0] == "axis":
        return f"{title}, {POSITION}"
    metric = get(key[1]) if key[1] in names() else None
    if metric is not None and metric.direction == "target" and metric.ideal is not None:
        return f"{title}, distance from {metric.ideal:g}"
    return title


def _choice(key: Key) -> str:
    return f"{title_of(key)} (all its metrics)" if key[0] == "axis" else f"{title_of(key)} (one metric)"


def _held(level: str) -> str:
    held = {str(name): words for name, words in LEVELS.items()}.get(level)
    return f"{level}: {held}" if held else shown(level, 20)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _splits_in_words(board: Board, view: View) -> str:
    """Say how many splits there are, and whether that is enough for intervals."""
    numbers = sorted({len(one.splits) for one in board.evidence if view.cohort in (None, one.cohort)})
    several = f"{numbers[0]} to {numbers[-1]} splits" if len(numbers) > 1 else _count(numbers[0], "split")
    if view.resampled:
        return several
    return f"{several}: too few to tell how far figures would move in others, so there are no intervals"


def _facts(board: Board) -> list[str]:
    alone = [one for view in board.views if len(board.views) == 1 or view.cohort is not None for one in view.standings]
    made, twins = sum(one.audited for one in alone), sum(one.splits for one in alone)
    facts = [f"{made} of {_count(twins, 'twin')} made and judged", f"twinseq {__version__}"]
    if board.superseded:
        facts.append(f"{_count(board.superseded, 'outcome')} of earlier runs left out")
    return facts


def _failures(board: Board) -> list[tuple[str, ...]]:
    """Return generator, cohort, split, task and reason of what failed."""
    return [
        (shown(row["generator"]), shown(row["cohort"]), str(int(row["split"]) + 1), shown(row["stage"], 20),
         shown(row["error"], 400))
        for one in board.evidence
        for _, row in one.tasks[one.tasks["status"] == "failed"].iterrows()
    ]  # fmt: skip
