"""A plan as one page: what to expect over ε, drawn and in tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ..report.figures._figure import Figure, Key, Panel, Table, axis, numbers
from ..report.render import _asset, _environment, _policy, _sheets
from ..report.text import in_plot, json_block, shown
from .words import CONTRAST_WORDS, EXPLANATION, ceiling_rows, donors_in_words, route_rows, tracing_rows

if TYPE_CHECKING:
    from ..plan import Forecast, Plan

COLOURS = ("holdout", "real", "twin", "attacker-reference", "attacker-generator", "warn", "ink", "attacker-twin")
DASHES = ("solid", "dot", "dash", "solid", "dot", "dash", "solid", "dot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "triangle-down")


def render(plan: Plan) -> str:
    """Return the plan as one HTML page that needs no network and no other file."""
    figures = _figures(plan)
    panels = [panel for figure in figures for panel in figure.panels]
    places = {id(panel): index for index, panel in enumerate(panels)}
    plotly, script = Markup(get_plotlyjs()), Markup(_asset("page.js"))
    page = (
        _environment()
        .get_template("plan.html.j2")
        .render(
            source=shown(plan.source),
            facts=[donors_in_words(plan), f"{plan.n_genes:,} genes", f"δ = {plan.delta:g}"],
            contrast=CONTRAST_WORDS[plan.contrast],
            notes=plan.notes,
            explanation=EXPLANATION,
            figures=figures,
            panel_number=lambda panel: places[id(panel)],
            panels=Markup(json_block([{"data": panel.data, "layout": panel.layout} for panel in panels])),
            sheets=_sheets("style.css", "print.css", "plan.css"),
            plotly=plotly,
            script=script,
            policy=_policy(plotly, script),
        )
    )
    return page.encode("utf-8", "replace").decode("utf-8")


def _figures(plan: Plan) -> list[Figure]:
    smallest = min(plan.donors, key=lambda name: plan.donors[name])
    epsilons = list(plan.ceilings)
    legend = tuple(
        Key(f"symbol {symbol} {colour}", route)
        for route, colour, symbol in zip(plan.routes, COLOURS, SYMBOLS, strict=False)
    )

    def panel(what: Callable[[Forecast], float | None], title: str, heading: str, **more: Any) -> Panel:
        data = [
            _line(epsilons, [what(one) for one in plan.forecasts if one.route == route], place, route)
            for place, route in enumerate(plan.routes)
        ]
        return Panel(data, _layout(epsilons, title, **more), f"{heading} over epsilon, a line each setting", heading)

    def table(what: Callable[[Forecast], float | None], title: str, digits: int) -> Table:
        return Table(title, ("ε", *plan.routes), [tuple(row) for row in route_rows(plan, what, digits)])

    found = [
        Figure(
            f"Noise of the means of class {shown(smallest, 40)}",
            "Standard deviation of the noise on the mean of a typical gene in the smallest class, in units of that "
            "of the gene itself, before anything is shrunk. Above about 1 it drowns most differences between classes.",
            (),
            (panel(lambda one: one.noise.means[smallest], "standard deviations", "Noise", type="log", dtick=1),),
            legend,
            table(lambda one: one.noise.means[smallest], "Noise, in standard deviations of a gene", 2),
        )
    ]
    if any(one.f1 is not None for one in plan.forecasts):
        rates = (
            panel(lambda one: one.tpr, "share called", "Differential genes that the twin calls", range=[0, 1]),
            panel(lambda one: one.fpr, "share called", "Other genes that the twin calls", range=[0, 1]),
        )
        found += [
            Figure(
                "A classifier trained on the twin",
                "Weighted F1 on unseen samples, over that of the same classifier trained on the real data; 1: as good. "
                "From rehearsals on made-up cohorts; one real fit may do .05 to .1 better or worse.",
                (),
                (panel(lambda one: one.f1, "F1 over that of real data", "F1 kept", rangemode="tozero"),),
                legend,
                table(lambda one: one.f1, "F1 kept", 2),
            ),
            Figure(
                "Differential expression",
                "Read both together: where noise is large, a twin finds genes by calling everything. Differential: "
                "higher in one class by more than 0.5 on the log2 scale, by a one-sided rank-sum test.",
                (),
                rates,
                legend,
                table(lambda one: one.tpr, "Differential genes called", 2),
            ),
        ]
    return [*found, _ceilings(plan, epsilons)]


def _ceilings(plan: Plan, epsilons: Sequence[float]) -> Figure:
    found = list(plan.ceilings.values())
    lines = [
        ("the budget as it is spent", [one.auc for one in found], "real", "solid", "circle"),
        ("any mechanism of this ε and δ", [one.auc_any for one in found], "warn", "dot", "square"),
    ]
    data = [_drawn(epsilons, values, colour, dash, symbol, name) for name, values, colour, dash, symbol in lines]
    smallest = min(plan.donors, key=lambda name: plan.donors[name])
    open_ = plan.tracing[-1].auc[smallest]
    data.append(
        {
            "type": "scatter", "mode": "lines", "x": numbers([epsilons[0], epsilons[-1]]), "y": numbers([open_, open_]),
            "line": {"color": "var(--twin)", "dash": "dash", "width": 2},
            "hovertemplate": "without privacy<br>AUC %{y:.3f}<extra></extra>",
        }
    )  # fmt: skip
    layout = _layout(epsilons, "AUC of the strongest attack", range=[0.48, 1.02])
    heads = ("ε", "AUC at most", "named at 1 false alarm in 100, at most", "AUC, any mechanism", "named, any mechanism")
    return Figure(
        "What an attacker finds out at most",
        "No attack on a twin reaches more, whatever the attacker knows; real ones stay far below. Dashed: what mean "
        f"tracing is expected to reach, {shown(smallest, 40)}, all genes, on a twin without differential privacy.",
        tuple(
            f"without privacy, {genes} genes (worth {effective} independent ones): {areas}"
            for genes, effective, areas in tracing_rows(plan)
        ),
        (Panel(data, layout, "Ceiling of the area under the curve of any attack over epsilon", "Ceiling of attacks"),),
        (
            Key("symbol circle real", "the budget as it is spent"),
            Key("symbol square warn", "any mechanism of this ε and δ"),
            Key("line twin", "mean tracing without privacy"),
        ),
        Table("Ceilings", heads, [tuple(row) for row in ceiling_rows(plan)]),
    )


def _layout(epsilons: Sequence[float], title: str, **more: Any) -> dict[str, Any]:
    labels = [f"{epsilon:g}" for epsilon in epsilons]
    return {"xaxis": axis("ε", type="log", tickvals=numbers(epsilons), ticktext=labels), "yaxis": axis(title, **more)}


def _line(epsilons: Sequence[float], values: Sequence[float | None], place: int, name: str) -> dict[str, Any]:
    at = place % len(COLOURS)
    known = [float("nan") if value is None else value for value in values]
    return _drawn(epsilons, known, COLOURS[at], DASHES[at], SYMBOLS[at], name)


def _drawn(
    epsilons: Sequence[float], values: Sequence[float], colour: str, dash: str, symbol: str, name: str
) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "lines+markers", "x": numbers(epsilons), "y": numbers(values),
        "line": {"color": f"var(--{colour})", "dash": dash, "width": 2.2},
        "marker": {"color": f"var(--{colour})", "symbol": symbol, "size": 8},
        "hovertemplate": f"{in_plot(name, 40)}<br>ε %{{x}}: %{{y:.3g}}<extra></extra>",
    }  # fmt: skip
