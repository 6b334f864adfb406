"""The challenge's figures: ``paper_*`` metrics of twins, and how well predictions tell members from others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from .. import metrics
from ..attacks.roc import auc, auc_interval, tpr_at_fpr, tpr_interval
from ..audit import audit
from ..cohort import Cohort
from ..errors import CohortError, ConfigError, shorten
from ..tables import read_table
from .inputs import Split, splits_of
from .tables import read_csv
from .twins import MEMBERSHIP, number_of

Progress = Callable[[int, int, str], None]
DONOR, MEMBER = "individual", "membership"
RATES = (0.1, 0.01)
KIT: Mapping[str, str] = {
    "paper_accuracy": "accuracy_synthetic",
    "paper_aupr": "avg_pr_macro_synthetic",
    "paper_f1_ratio": "f1_relative",
    "paper_feature_overlap": "feature_overlap_proportion",
    "paper_mmd": "MMD_train",
    "paper_mmd_holdout": "MMD_test",
    "paper_kl": "kl_mean_train",
    "paper_kl_holdout": "kl_mean_test",
    "paper_discriminative_f1": "discriminative_score",
    "paper_dcr": "distance_to_closest",
    "paper_dcr_base": "distance_to_closest_base",
    "paper_dcr_relative": "distance_to_closest_relative",
    "paper_prdc_precision": "prdc_precision",
    "paper_prdc_recall": "prdc_recall",
    "paper_prdc_density": "prdc_density",
    "paper_prdc_coverage": "prdc_coverage",
}
"""Columns of the starter kit's and the paper's tables that hold these figures."""


def score_twin(
    cohort: Cohort, split: Split, twin: Cohort, *, seed: int = 0, jobs: int = 1, progress: Progress | None = None
) -> pd.DataFrame:
    """Measure a twin as the challenge does.

    Parameters
    ----------
    cohort, split, twin
        From `read_cohort`, `read_splits` and `read_twin`.
    seed, jobs, progress
        As for `twinseq.audit`.

    Returns
    -------
    A row for each ``paper_*`` metric: ``split``, ``metric``, ``kit`` (its column in the starter kit's table, if any),
    ``value``, ``ceiling`` (of real data in the twin's place), ``floor`` (of a known-bad twin), ``better``, ``missing``
    (why there is no value).

    Raises
    ------
    CohortError
        The twin does not match the cohort, or the two sides of the split share a profile.
    """
    names = [name for name in metrics.names() if metrics.get(name).group == "paper"]
    train, test = cohort.subset(split.train), cohort.subset(split.test)
    report = audit(train, twin, holdout=test, metrics=names, seed=seed, jobs=jobs, progress=progress)
    found = {one.name: one for one in report.metrics}
    missing = {one.name: one.reason for one in report.omitted}
    rows = [
        {
            "split": split.name,
            "metric": name,
            "kit": KIT.get(name),
            "value": found[name].value if name in found else np.nan,
            "ceiling": found[name].ceiling if name in found else None,
            "floor": found[name].floor if name in found else None,
            "better": metrics.get(name).direction,
            "missing": missing.get(name),
        }
        for name in names
    ]
    return pd.DataFrame(rows).astype({"ceiling": float, "floor": float})


def mean_over_splits(figures: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of each metric over splits, in the order of ``figures``; a split without a value is left out."""
    columns = ["value", "ceiling", "floor"]
    found = figures.groupby("metric", sort=False).agg(
        {**dict.fromkeys(columns, "mean"), "better": "first", "kit": "first"}
    )
    found["splits"] = figures.groupby("metric", sort=False)["value"].count()
    return found.reset_index()


def score_membership(scores: NDArray[np.float64], member: NDArray[np.bool_]) -> dict[str, float]:
    """Judge predictions of membership.

    Parameters
    ----------
    scores
        One number a sample or donor, higher for likelier members; 0 and 1 are taken for decisions.
    member
        Who was in the training data.

    Returns
    -------
    Area under the ROC curve with its 95 % interval; average precision; accuracy of decisions, else of calling
    everything above the median a member, as the starter kit does; true-positive rates at false-positive rates of 10 %
    and 1 %, interpolated between the points of the curve, with intervals.

    Raises
    ------
    CohortError
        There are no members or no others, or a score is missing.
    """
    if len(scores) != len(member):
        raise CohortError(f"{len(scores)} predictions for {len(member)} truths. Both must be of the same samples.")
    if member.all() or not member.any():
        raise CohortError("The truth knows members only, or none: nothing can be told apart.")
    if not np.isfinite(scores).all():
        raise CohortError(f"{int((~np.isfinite(scores)).sum())} prediction(s) are missing or infinite.")
    inside, outside = scores[member], scores[~member]
    low, high = auc_interval(inside, outside)
    decided = np.isin(scores, (0.0, 1.0)).all()
    called = scores == 1.0 if decided else scores > np.median(scores)
    found = {
        "members": int(member.sum()),
        "others": int((~member).sum()),
        "auc": auc(inside, outside),
        "auc_low": low,
        "auc_high": high,
        "average_precision": float(average_precision_score(member, scores)),
        "accuracy": float((called == member).mean()),
    }
    for rate in RATES:
        low, high = tpr_interval(inside, outside, rate)
        found[f"tpr_at_fpr_{rate:g}"] = tpr_at_fpr(inside, outside, rate)
        found |= {f"tpr_at_fpr_{rate:g}_low": low, f"tpr_at_fpr_{rate:g}_high": high}
    return found


def read_predictions(predictions: Path, truth: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read predictions of either track and the truth, in one order.

    Parameters
    ----------
    predictions
        ``synthetic_data_k_predictions.csv`` with one column ``membership_label``, or a table with ``barcode_col``,
        ``individual`` and ``membership``, of which the mean for each individual is taken.
    truth
        The same columns with 0 and 1; that of the first track may name the barcodes in its first column
        (``MIA_lbl_split_k.csv``), and then has a row for each sample of the cohort in its order.

    Returns
    -------
    Scores, and who was a member: of samples, or of individuals sorted by name.

    Raises
    ------
    CohortError
        A table cannot be read, lacks a column, or the two are not of the same samples.
    """
    guessed, true = read_csv(predictions), read_csv(truth)
    if MEMBERSHIP in guessed.columns and MEMBERSHIP in true.columns:
        if len(guessed) != len(true):
            raise CohortError(
                f"{predictions}: {len(guessed)} row(s), and {truth} has {len(true)}. Both need a row for each sample "
                "of the cohort, in its order."
            )
        return _floats(guessed[MEMBERSHIP], predictions), _truths(true[MEMBERSHIP], truth)
    for table, path in ((guessed, predictions), (true, truth)):
        for column in ("barcode_col", DONOR, MEMBER):
            if column not in table.columns:
                raise CohortError(
                    f"{path}: no column '{column}'. It needs {MEMBERSHIP} (first track), or barcode_col, {DONOR} and "
                    f"{MEMBER} (second track), like the other file."
                )
    people, places = np.unique(guessed[DONOR].to_numpy(dtype=str), return_inverse=True)
    known, true_places = np.unique(true[DONOR].to_numpy(dtype=str), return_inverse=True)
    odd = np.setxor1d(people, known)
    if len(odd):
        raise CohortError(f"{len(odd)} individual(s) are in one of {predictions} and {truth} only, first '{odd[0]}'.")
    scores = np.bincount(places, _floats(guessed[MEMBER], predictions)) / np.bincount(places)
    share = np.bincount(true_places, _truths(true[MEMBER], truth)) / np.bincount(true_places)
    torn = (share > 0) & (share < 1)
    if torn.any():
        raise CohortError(f"{truth}: individual '{known[torn][0]}' is called a member and not a member.")
    return scores, share == 1.0


def read_split_predictions(
    predictions: Path, splits: Path, expression: Path
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read predictions of the first track, and the truth from the splits.

    Parameters
    ----------
    predictions
        ``synthetic_data_k_predictions.csv``; ``split_k`` is the truth.
    splits
        ``{DATASET}_splits.yaml``.
    expression
        The expression table, in whose order of samples the predictions are.

    Returns
    -------
    Scores, and who is in the training part of the split.

    Raises
    ------
    CohortError
        A file cannot be read, or the predictions are not of these samples.
    ConfigError
        There is no such split.
    """
    guessed = read_csv(predictions)
    if MEMBERSHIP not in guessed.columns:
        raise CohortError(f"{predictions}: no column '{MEMBERSHIP}'.")
    if not expression.is_file():
        raise CohortError(f"{expression}: no such file. Check the name and the folder.")
    barcodes = pd.Index(read_table(expression).columns, dtype=str)
    if len(guessed) != len(barcodes):
        raise CohortError(f"{predictions}: {len(guessed)} row(s) for the {len(barcodes)} samples of {expression}.")
    number = number_of(predictions)
    every = splits_of(splits, barcodes, str(expression))
    for split in every:
        if split.number == number:
            return _floats(guessed[MEMBERSHIP], predictions), np.isin(np.arange(len(barcodes)), split.train)
    raise ConfigError(f"{predictions}: there is no split_{number}; there are {', '.join(one.name for one in every)}.")


def _floats(column: pd.Series[str], path: Path) -> NDArray[np.float64]:
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.isna().any():
        row = int(np.argmax(numbers.isna()))
        raise CohortError(f"{path}, row {row + 2}: '{shorten(column.iloc[row], 40)}' is not a number.")
    return numbers.to_numpy(dtype=np.float64)


def _truths(column: pd.Series[str], path: Path) -> NDArray[np.bool_]:
    values = _floats(column, path)
    if not np.isin(values, (0.0, 1.0)).all():
        raise CohortError(f"{path}: a truth is 0 or 1, and not {values[~np.isin(values, (0.0, 1.0))][0]:g}.")
    return np.asarray(values == 1.0)
