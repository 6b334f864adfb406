"""ROC curves: models trained on the twin and on the real data, both tested on the hold-out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..text import in_plot, number, shown
from ._figure import Figure, Key, Panel, axis, colour, numbers

READING = (
    "Both models are tested on real hold-out samples: the nearer a curve to the upper left corner, the better the "
    "classifier; a useful twin's curve runs along that of the model trained on real data."
)
PANELS = 6
Areas = Mapping[str, tuple[float, float | None]]
NAMES = {"real": "trained on real", "twin": "trained on the twin"}
PANEL_NAMES = {
    "top100": "100 most variable genes",
    "top500": "500 most variable genes",
    "mad": "genes of largest median absolute deviation",
}
DASHES = ("solid", "dash", "dot", "dashdot")


def roc(table: pd.DataFrame, areas: Areas) -> Figure | None:
    """Draw the true positive rate against the false positive rate, one panel a gene set.

    Parameters
    ----------
    table
        Columns train_on, panel, model, fpr, tpr.
    areas
        Area under the curve of the twin and of real data by ``tstr_auc_PANEL_MODEL``: the audit's own figures, since
        the drawn curves are sampled on a grid.
    """
    panels, findings = [], []
    models = list(dict.fromkeys(table["model"].astype(str)))
    dashes = {model: DASHES[index % len(DASHES)] for index, model in enumerate(models)}
    for name, part in list(table.groupby("panel", sort=False, observed=True))[:PANELS]:
        data = []
        for (model, trained), curve in part.groupby(["model", "train_on"], sort=False, observed=True):
            if str(trained) not in NAMES:
                continue
            ordered = curve.sort_values(["fpr", "tpr"])
            x, y = ordered["fpr"].to_numpy(dtype=float), ordered["tpr"].to_numpy(dtype=float)
            data.append(_curve(str(trained), x, y, shown(model, 30), dashes[str(model)]))
        if not data:
            continue
        layout = {
            "xaxis": axis("false positive rate", (-0.01, 1.01), dtick=0.25),
            "yaxis": axis("true positive rate", (-0.01, 1.01), dtick=0.25),
            "shapes": [{"type": "line", "x0": 0, "y0": 0, "x1": 1, "y1": 1, "line": _CHANCE}],
        }
        heading = PANEL_NAMES.get(str(name), shown(name, 40))
        panels.append(Panel(data, layout, f"ROC curves on {heading}", heading, "square"))
        named = [(shown(model, 30), areas.get(f"tstr_auc_{name}_{model}")) for model in part["model"].unique()]
        found = [f"{model} {number(area[0])} against {number(area[1])}" for model, area in named if area]
        if found:
            findings.append(f"{heading}, area under the curve, twin against real: {', '.join(found)}")
    if not panels:
        return None
    legend = [Key("line real solid", NAMES["real"]), Key("line twin solid", NAMES["twin"]), Key("guide", "chance")]
    if len(models) > 1:
        legend += [Key(f"line ink {dashes[model]}", shown(model, 30)) for model in models]
    return Figure("ROC curves", READING, tuple(findings), tuple(panels), tuple(legend))


_CHANCE = {"color": "var(--faint)", "width": 1, "dash": "dot"}


def _curve(trained: str, x: np.ndarray, y: np.ndarray, hover: str, dash: str) -> dict[str, object]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": numbers(x),
        "y": numbers(y),
        "text": [in_plot(f"{NAMES[trained]}: {hover}", 80)] * len(x),
        "hovertemplate": "%{text}<extra></extra>",
        "line": {"color": colour(trained), "dash": dash, "width": 2.2},
    }
