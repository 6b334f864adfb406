"""Whether a classifier trained on the twin relies on the same genes as one trained on real data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._registry import NotComputableError, register

if TYPE_CHECKING:
    from .._profiles import Profiles

Floats = NDArray[np.floating[Any]]

TOP = 50
PANEL, MODEL = "top500", "logistic"


@dataclass(frozen=True)
class Attribution:
    """Mean |SHAP| of the genes on which the model trained on real data relies most.

    Parameters
    ----------
    real, twin
        By the model trained on real data and by the one trained on the twin, the same genes in the same order.
    """

    real: Floats
    twin: Floats

    @classmethod
    def of(cls, train: Profiles, twin: Profiles) -> Attribution:
        """Train the logistic regression on both sides, hyper-parameters tuned on ``train``, and explain it there.

        Raises
        ------
        NotComputableError
            A side has one class only.
        """
        from .models import fit, tuned

        params = tuned(train, PANEL, MODEL)
        sides = [mean_shap(fit(side, PANEL, MODEL, params), train.panel) for side in (train, twin)]
        top = np.argsort(-sides[0], kind="stable")[:TOP]
        return cls(sides[0][top], sides[1][top])


def mean_shap(model: Any, x: Floats) -> Floats:
    """Return the mean absolute SHAP value of each gene, averaged over classes, on the log-odds scale.

    For a linear model on genes taken as independent, the SHAP value of a gene is its coefficient times its distance
    from the mean (Lundberg & Lee 2017, corollary 1).

    Parameters
    ----------
    model
        A pipeline of a scaler and a linear classifier.
    x
        Samples to explain, ``n_samples × n_genes``.
    """
    scaler, classifier = model[0], model[-1]
    coefficients = np.abs(classifier.coef_ / scaler.scale_).mean(axis=0)
    values: Floats = coefficients * np.abs(x - x.mean(axis=0)).mean(axis=0)
    return values


@register(
    name="attribution_r",
    group="utility",
    question="Does a classifier trained on the twin rely on the same genes as one trained on real data?",
    reading="1: on the same genes to the same extent; 0: unrelated. With few samples real data agree poorly too.",
    formula="Pearson r of mean |SHAP| = |β| E|x − x̄| over the 50 genes of largest mean |SHAP| in the model trained on "
    "T; elastic-net logistic regression, the 500 most variable genes",
    direction="higher",
    ideal=1.0,
    bounds=(-1.0, 1.0),
    reference="Lundberg & Lee 2017, NeurIPS",
    fields=("attribution.real", "attribution.twin"),
    against="train",
    floor="shuffled labels",
    needs=("label",),
    resampling="together",
    unit="genes",
)
def attribution_r(real: Floats, twin: Floats) -> float:
    """Return the Pearson correlation of two vectors of mean |SHAP|.

    Raises
    ------
    NotComputableError
        There are fewer than three genes, or one model uses none of them.
    """
    if len(real) < 3 or np.ptp(real) == 0 or np.ptp(twin) == 0:
        raise NotComputableError("one of the models uses none of the genes")
    return float(np.corrcoef(real, twin)[0, 1])
