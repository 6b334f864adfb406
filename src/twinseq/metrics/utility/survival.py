"""Whether a risk model trained on the twin puts unseen real patients in the right order."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._registry import NotComputableError, register

Floats = NDArray[np.floating[Any]]

PENALTY = 0.1
WITHOUT_LIFELINES = "needs the package lifelines: pip install 'twinseq[survival]'"


def predicted_risk(time: Floats, event: NDArray[np.bool_], source: Floats, target: Floats) -> Floats:
    """Return the log partial hazard of ``target`` by a ridge-penalised Cox model trained on ``source``.

    Parameters
    ----------
    time, event
        Outcome of ``source``.
    source, target
        Coordinates on the axes of the training data, ``n_samples × n_axes``.

    Raises
    ------
    NotComputableError
        lifelines is not installed, or the model does not converge.
    """
    try:
        from lifelines import CoxPHFitter
        from lifelines.exceptions import ConvergenceError
    except ImportError as error:
        raise NotComputableError(WITHOUT_LIFELINES) from error
    names = [f"axis{number}" for number in range(source.shape[1])]
    table = pd.DataFrame(source, columns=names).assign(time=time, event=event.astype(int))
    try:
        with warnings.catch_warnings():
            # What it warns of, axes that separate the events, the penalty takes care of.
            warnings.simplefilter("ignore")
            model = CoxPHFitter(penalizer=PENALTY).fit(table, "time", "event")
    except (ConvergenceError, ValueError) as error:
        raise NotComputableError("the Cox model trained on it did not converge") from error
    risk: Floats = model.predict_log_partial_hazard(pd.DataFrame(target, columns=names)).to_numpy(dtype=np.float64)
    return risk


@register(
    name="survival_concordance",
    group="utility",
    question="How well does a risk model trained on the twin tell which of two unseen patients has the event first?",
    reading="1: always; 0.5: not at all. The ceiling is the same model trained on real data.",
    formula="Harrell's C on H; Cox model (ridge) on the first 5 principal axes of T, trained on S",
    direction="higher",
    ideal=1.0,
    bounds=(0.0, 1.0),
    reference="Harrell et al. 1982, JAMA 247:2543; lifelines (Davidson-Pilon 2019, JOSS 4:1317)",
    fields=("survival.predicted",),
    against="holdout",
    floor="shuffled labels",
    needs=("survival",),
    resampling="together",
    unit="test samples",
)
def survival_concordance(predicted: Floats) -> float:
    """Return Harrell's concordance of risk and outcome.

    Parameters
    ----------
    predicted
        Time, event (0 or 1) and predicted risk, ``n_samples × 3``.

    Raises
    ------
    NotComputableError
        lifelines is not installed, or no two samples can be compared.
    """
    try:
        from lifelines.utils import concordance_index
    except ImportError as error:
        raise NotComputableError(WITHOUT_LIFELINES) from error
    time, event, risk = predicted.T
    try:
        return float(concordance_index(time, -risk, event))
    except ZeroDivisionError as error:
        raise NotComputableError("no two samples of the hold-out can be compared: too few events") from error
