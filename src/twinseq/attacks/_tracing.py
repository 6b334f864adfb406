r"""Tracing: a training sample pulls the mean of its class, and so the twin's, towards itself.

For a target :math:`x` of class :math:`c`, with :math:`\Delta` the difference between the means of the twin and of the
reference (for contrasts: minus the mean of that difference over the other classes), the statistic is
:math:`\langle x - \mu_R, \Delta \rangle_W / \lVert x - \mu_R \rVert_W`. A donor that took no part still has the
expectation :math:`\tau_c / m_c` in the product, since :math:`\mu_R` (:math:`m_c` samples of squared length
:math:`\tau_c`) stands in both factors; it is taken off, so that classes of different size compare.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ._base import NotApplicableError
from ._standard import Standard
from ._whitening import Whitening

Floats = NDArray[np.float64]


def class_means(values: Floats, labels: NDArray[np.str_], names: list[str], whose: str) -> Floats:
    """Return the mean of each class in ``names``, ``n_classes × G``.

    Raises
    ------
    NotApplicableError
        A class has no sample.
    """
    for name in names:
        if not (labels == name).any():
            raise NotApplicableError(f"the {whose} has no sample of class '{name}'")
    return np.stack([values[labels == name].mean(axis=0) for name in names])


def trace(std: Standard, twin_means: Floats, metric: Whitening, *, contrast: bool) -> Floats:
    """Return the tracing statistic of every target, by its class.

    Parameters
    ----------
    std
        Targets and reference on the common scale.
    twin_means
        Mean of each of ``std.classes`` in the twin (or in the model behind it), ``n_classes × G``.
    metric
        Inner product.
    contrast
        Whether to trace the differences between classes, which no noise common to the classes hides.

    Raises
    ------
    NotApplicableError
        A class has fewer than two reference samples, or there are no two classes to contrast.
    """
    names = std.classes
    if contrast and len(names) < 2:
        raise NotApplicableError("needs at least two classes")
    reference_means = class_means(std.reference, std.reference_labels, names, "reference")
    shifts = twin_means - reference_means
    if contrast:
        n_others = len(names) - 1
        shifts = shifts - (shifts.sum(axis=0) - shifts) / n_others
    scores = np.empty(len(std.targets))
    for name, centre, shift in zip(names, reference_means, shifts, strict=True):
        rows = std.reference_labels == name
        m = int(rows.sum())
        if m < 2:
            raise NotApplicableError(f"the reference has a single sample of class '{name}'; two are needed")
        spread = float(metric.squared_unseen(std.reference[rows] - centre).mean()) * m / (m - 1)
        members = std.target_labels == name
        away = std.targets[members] - centre
        along = metric.inner(away, shift[None])[:, 0] / np.sqrt(metric.squared(away))
        by_chance = np.sqrt(spread / (1 + 1 / m)) / m
        # A mean's shift is judged by its own length, a contrast's (which other classes lengthen) by the class's spread.
        unit = np.sqrt(spread if contrast else metric.squared(shift[None])[0])
        scores[members] = (along - by_chance) / unit
    return scores


def trace_among_targets(std: Standard, twin_means: Floats, metric: Whitening, *, contrast: bool) -> Floats:
    """Return the tracing statistic with the other targets in the population's place, half of them members or not.

    Parameters and errors as for `trace`; a class with a single target scores 0.
    """
    names = std.classes
    if contrast and len(names) < 2:
        raise NotApplicableError("needs at least two classes")
    shifts = twin_means - class_means(std.targets, std.target_labels, names, "set of targets")
    scores = np.zeros(len(std.targets))
    for place, name in enumerate(names):
        rows = np.flatnonzero(std.target_labels == name)
        if len(rows) < 2:
            continue
        targets = std.targets[rows]
        others = (targets.sum(axis=0) - targets) / (len(rows) - 1)
        away, shift = targets - others, twin_means[place] - others
        if contrast:
            shift = shift - (shifts.sum(axis=0) - shifts[place]) / (len(names) - 1)
        products = (away * shift).sum(axis=1) - ((away @ metric.axes) * (shift @ metric.axes)) @ metric.damping
        unit = metric.squared(shift)
        if contrast:
            twin = std.twin[std.twin_labels == name]
            unit = metric.squared_unseen(twin - twin_means[place]).mean()
        scores[rows] = products / np.sqrt(metric.squared(away) * unit)
    return scores


def expected_auc(n_genes: float, n_members: float, n_reference: float, n_twin: float = np.inf) -> float:
    r"""Return the area that mean tracing reaches where nothing but the members' mean leaks, one class.

    With independent genes in units of their deviation, members and non-members differ by :math:`G / n` in
    :math:`\langle x - \mu_R, \mu_S - \mu_R \rangle`. Given the means, it varies between non-members by the squared
    length :math:`L = G (1/n + 1/m + 1/N)` of the shift, and between members, who scatter about their own mean, by
    :math:`(1 - 1/n) L`. So the area is :math:`\Phi\left(\frac{G / n}{\sqrt{(2 - 1/n) L}}\right)`, up to terms in the
    inverses of the three numbers of samples.

    Parameters
    ----------
    n_genes
        Number of independent genes, :math:`G`; of genes that move together, the effective number.
    n_members
        Number of training samples, :math:`n`.
    n_reference
        Number of reference samples, :math:`m`.
    n_twin
        Number of twin samples, :math:`N`, drawn around the members' mean; infinite where that mean itself is known.

    References
    ----------
    Homer et al. 2008, PLoS Genetics 4:e1000167; Sankararaman et al. 2009, Nature Genetics 41:965.
    """
    length = n_genes * (1 / n_members + 1 / n_reference + 1 / n_twin)
    return float(norm.cdf(n_genes / n_members / np.sqrt((2 - 1 / n_members) * length)))
