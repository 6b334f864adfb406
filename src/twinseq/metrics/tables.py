"""Aggregates behind the plots: nothing of an individual real sample, and no statistic of a group under five."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import gaussian_kde
from sklearn.metrics import roc_curve

from ._comparison import Comparison
from ._profiles import Profiles
from ._registry import NotComputableError
from ._space import mean_variance_bins
from .covariates.variation import as_text, is_number
from .network_tables import edge_correlations, modules
from .pathways.table import pathways
from .survival_tables import survival_curves

SMALLEST_GROUP = 5
GRID = 128
COMPONENTS = 20


def de_genes(comparison: Comparison, genes: pd.Index[str]) -> pd.DataFrame:
    """Return each gene's differential expression on every side; NaN where a side has none.

    Contrasts with a class of fewer than five training samples are withheld, and so are the hold-out's.

    Columns: contrast, gene, base_mean, lfc_real, padj_real, lfc_twin, padj_twin, lfc_holdout, padj_holdout.
    """
    agreement = comparison.de
    names = genes[comparison.space.expressed]
    holdout = None
    if comparison.has_holdout:
        try:
            holdout = comparison.holdout.contrasts
        except NotComputableError:
            holdout = None
    parts = []
    for number, pair in enumerate(agreement.real.pairs):
        if not _large_enough(comparison.train, pair):
            continue
        part = {
            "contrast": f"{pair[0]} vs {pair[1]}",
            "gene": names,
            "base_mean": agreement.real.base_mean[:, number],
            "lfc_real": agreement.real.lfc[:, number],
            "padj_real": agreement.real.padj[:, number],
            "lfc_twin": agreement.twin.lfc[:, number],
            "padj_twin": agreement.twin.padj[:, number],
            "lfc_holdout": np.nan,
            "padj_holdout": np.nan,
        }
        if holdout is not None and pair in holdout.pairs and _large_enough(comparison.holdout, pair):
            column = holdout.pairs.index(pair)
            part["lfc_holdout"], part["padj_holdout"] = holdout.lfc[:, column], holdout.padj[:, column]
        parts.append(pd.DataFrame(part))
    if not parts:
        raise NotComputableError("every contrast has a class of fewer than five training samples")
    return pd.concat(parts, ignore_index=True)


def mean_variance(comparison: Comparison) -> pd.DataFrame:
    """Return the mean–variance trend of each side.

    Columns: source, log10_mean (bin centre), log10_variance (median in the bin), n_genes.
    """
    parts = []
    for source, side in _sides(comparison):
        if side.n_samples >= SMALLEST_GROUP:
            x, y, n = mean_variance_bins(*side.moments, kind=comparison.space.kind)
            parts.append(pd.DataFrame({"source": source, "log10_mean": x, "log10_variance": y, "n_genes": n}))
    return _joined(parts)


def library_size(comparison: Comparison) -> pd.DataFrame:
    """Return the smoothed distribution of log10 library sizes: source, label, x, density."""
    return _densities(comparison, lambda side: side.library_size)


def detected_genes(comparison: Comparison) -> pd.DataFrame:
    """Return the smoothed distribution of numbers of detected genes: source, label, x, density."""
    return _densities(comparison, lambda side: side.detected_genes)


def _densities(comparison: Comparison, of: Callable[[Profiles], NDArray[np.float64]]) -> pd.DataFrame:
    values = [of(side) for _, side in _sides(comparison)]
    low, high = min(part.min() for part in values), max(part.max() for part in values)
    margin = 0.1 * (high - low) or 0.1
    x = np.linspace(low - margin, high + margin, GRID)
    parts = []
    for (source, side), numbers in zip(_sides(comparison), values, strict=True):
        for label in comparison.space.classes:
            group = numbers[side.labels == label]
            if len(group) >= SMALLEST_GROUP and np.ptp(group) > 0:
                parts.append(
                    pd.DataFrame({"source": source, "label": label, "x": x, "density": gaussian_kde(group)(x)})
                )
    return _joined(parts)


def pca_axes(comparison: Comparison) -> pd.DataFrame:
    """Return the share of variance on each axis of the training data: component, explained."""
    explained = comparison.space.projection[2][:COMPONENTS]
    return pd.DataFrame({"component": np.arange(1, len(explained) + 1), "explained": explained})


def pca_twin(comparison: Comparison) -> pd.DataFrame:
    """Return the twin's samples on the first two axes of the training data: label, pc1, pc2."""
    points = _two_axes(comparison, comparison.twin)
    return pd.DataFrame({"label": comparison.twin.labels, "pc1": points[:, 0], "pc2": points[:, 1]})


def pca_groups(comparison: Comparison) -> pd.DataFrame:
    """Return centre and covariance of each group on those axes.

    Columns: source, label, n, mean1, mean2, cov11, cov12, cov22.
    """
    rows = []
    for source, side in _sides(comparison):
        points = _two_axes(comparison, side)
        for label in comparison.space.classes:
            group = points[side.labels == label]
            if len(group) >= SMALLEST_GROUP:
                (cov11, cov12), (_, cov22) = np.cov(group.T)
                rows.append((source, label, len(group), *group.mean(axis=0), cov11, cov12, cov22))
    columns = ["source", "label", "n", "mean1", "mean2", "cov11", "cov12", "cov22"]
    return pd.DataFrame(rows, columns=columns)


def _two_axes(comparison: Comparison, side: Profiles) -> NDArray[np.float64]:
    points = comparison.space.project(side)
    if points.shape[1] < 2:
        raise NotComputableError("the training data have fewer than two axes of variation")
    return points


def eigenvalues(comparison: Comparison) -> pd.DataFrame:
    """Return the share of variance on each side's own leading axes: source, component, share."""
    parts = []
    for source, side in _sides(comparison):
        if side.n_samples >= SMALLEST_GROUP and len(side.eigenvalues):
            share = (side.eigenvalues / side.eigenvalues.sum())[:COMPONENTS]
            component = np.arange(1, len(share) + 1)
            parts.append(pd.DataFrame({"source": source, "component": component, "share": share}))
    return _joined(parts)


def roc(comparison: Comparison) -> pd.DataFrame:
    """Return ROC curves on the hold-out, on a grid, averaged over classes: train_on, panel, model, fpr, tpr."""
    grid = np.linspace(0, 1, 101)
    truth = comparison.tstr.truth
    if min(np.bincount(truth, minlength=len(comparison.space.classes))) < SMALLEST_GROUP:
        raise NotComputableError("the hold-out has a class of fewer than five samples")
    parts = []
    for train_on, scores in (("real", comparison.trtr), ("twin", comparison.tstr)):
        for key, probability in scores.items():
            panel, model = key.split("_")
            # With two classes the second curve mirrors the first.
            columns = [1] if probability.shape[1] == 2 else range(probability.shape[1])
            curves = []
            for column in columns:
                fpr, tpr, _ = roc_curve(truth == column, probability[:, column], drop_intermediate=False)
                curves.append(np.interp(grid, fpr, tpr))
            tpr = np.mean(curves, axis=0)
            tpr[0] = 0.0
            parts.append(pd.DataFrame({"train_on": train_on, "panel": panel, "model": model, "fpr": grid, "tpr": tpr}))
    return _joined(parts)


def covariates(comparison: Comparison) -> pd.DataFrame:
    """Return the shares of each covariate's levels: covariate, level_or_bin, real_share, twin_share.

    Levels of fewer than five real samples are put together; numbers are cut at the deciles of a smoothed
    distribution of both sides, so that no edge is anyone's value. Levels stand from the most frequent to the rarest,
    ranges of numbers from the lowest to the highest.
    """
    rows: list[tuple[str, str, float, float]] = []
    for name in comparison.train.covariates.columns:
        if name not in comparison.twin.covariates.columns:
            continue
        real, twin = comparison.train.covariates[name], comparison.twin.covariates[name]
        a, b, ranges = _bins(real, twin) if is_number(real) else (as_text(real), as_text(twin), ())
        counts, others = pd.Series(a, dtype=object).value_counts(dropna=False), pd.Series(b, dtype=object)
        shares = others.value_counts(dropna=False, normalize=True)
        rare = counts.index[counts < SMALLEST_GROUP]
        places = {name: place for place, name in enumerate(ranges)}
        every = counts.index.union(shares.index, sort=False)
        for level in sorted(every, key=lambda level: places.get(level, len(places))):
            if level not in rare and level in counts.index:
                text = "(missing)" if level is None or level is np.nan else str(level)
                rows.append((str(name), text, counts[level] / len(real), float(shares.get(level, 0.0))))
        left_real = counts[rare].sum() / len(real)
        left_twin = 1.0 - sum(row[3] for row in rows if row[0] == str(name))
        if left_real > 0 or left_twin > 1e-9:
            rows.append((str(name), "(rare levels)", float(left_real), max(0.0, float(left_twin))))
    if not rows:
        raise NotComputableError("real data and twin share no stated covariate")
    return pd.DataFrame(rows, columns=["covariate", "level_or_bin", "real_share", "twin_share"])


def _bins(real: pd.Series[Any], twin: pd.Series[Any]) -> tuple[NDArray[Any], NDArray[Any], Sequence[str]]:
    """Return the range that each number lies in, on either side, and all ranges from the lowest to the highest."""
    known = np.concatenate([side.dropna().to_numpy(dtype=float) for side in (real, twin)])
    if np.ptp(known) == 0:
        edges = np.array([known[0]])
    else:
        x = np.linspace(known.min() - 3 * known.std(), known.max() + 3 * known.std(), 2000)
        cumulative = np.cumsum(gaussian_kde(known)(x))
        edges = np.interp(np.linspace(0.1, 0.9, 9), cumulative / cumulative[-1], x)
    names = [
        f"≤ {edges[0]:.4g}",
        *(f"{a:.4g} to {b:.4g}" for a, b in pairwise(edges)),
        f"> {edges[-1]:.4g}",
    ]

    def named(column: pd.Series[Any]) -> NDArray[Any]:
        values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
        return np.array(
            [None if np.isnan(v) else names[k] for v, k in zip(values, np.searchsorted(edges, values), strict=True)],
            dtype=object,
        )

    return named(real), named(twin), names


def _sides(comparison: Comparison) -> Iterator[tuple[str, Profiles]]:
    yield "real", comparison.train
    if comparison.has_holdout:
        yield "holdout", comparison.holdout
    yield "twin", comparison.twin


def _large_enough(side: Profiles, pair: tuple[str, str]) -> bool:
    return all(int((side.labels == name).sum()) >= SMALLEST_GROUP for name in pair)


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    if not parts:
        raise NotComputableError("every group has fewer than five samples")
    return pd.concat(parts, ignore_index=True)


TABLES: dict[str, tuple[str, Callable[[Comparison], pd.DataFrame]]] = {
    "mean_variance": ("", mean_variance),
    "library_size": ("counts", library_size),
    "detected_genes": ("counts", detected_genes),
    "pca_axes": ("", pca_axes),
    "pca_twin": ("", pca_twin),
    "pca_groups": ("", pca_groups),
    "eigenvalues": ("", eigenvalues),
    "roc": ("label", roc),
    "covariates": ("covariates", covariates),
    "edge_correlations": ("", edge_correlations),
    "modules": ("", modules),
    "survival": ("survival", survival_curves),
    "pathways": ("gene sets", pathways),
}
