"""Inner products in which directions that vary much among samples count little; no gene × gene matrix is formed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._base import NotApplicableError, View
from ._standard import standard

Floats = NDArray[np.float64]
RIDGES = (10.0, 1.0, 0.1, 0.01)
TOP_FACTORS = 10


@dataclass(frozen=True, eq=False)
class Whitening:
    r"""The inner product :math:`a^\top (I - V D V^\top) b`, with :math:`V` principal axes and :math:`D` damping.

    With damping :math:`e / (e + \lambda)` of axes with eigenvalues :math:`e` it is, up to the factor :math:`\lambda`,
    :math:`a^\top (\Sigma + \lambda I)^{-1} b`; with damping 1 of a few axes, these are cut out.

    Parameters
    ----------
    axes
        Orthonormal columns, ``G × r``.
    damping
        ``r`` numbers from 0 to 1.
    leverage
        :math:`\lambda` times the degrees of freedom of :math:`\Sigma`; infinite where there is no ridge.
    """

    axes: Floats
    damping: Floats
    leverage: float = np.inf

    def inner(self, a: Floats, b: Floats) -> Floats:
        """Return the products of the rows of ``a`` with the rows of ``b``, ``n_a × n_b``."""
        out: Floats = a @ b.T - ((a @ self.axes) * self.damping) @ (b @ self.axes).T
        return out

    def squared(self, a: Floats) -> Floats:
        """Return the squared length of each row of ``a``."""
        out: Floats = (a**2).sum(axis=1) - (a @ self.axes) ** 2 @ self.damping
        return np.maximum(out, np.finfo(float).tiny)

    def squared_unseen(self, a: Floats) -> Floats:
        """Return the squared lengths that rows would have, had the covariance been learnt without each of them.

        Rows that took part in the covariance are shortened by it; this undoes it exactly (Sherman & Morrison 1950).
        """
        seen = self.squared(a)
        out: Floats = seen / np.maximum(1.0 - seen / self.leverage, 1e-3)
        return out


@dataclass(frozen=True, eq=False)
class Axes:
    """Principal axes of centred rows: orthonormal columns ``G × r`` and the eigenvalues of the covariance."""

    axes: Floats
    values: Floats
    freedom: int

    @classmethod
    def of(cls, residuals: Floats, freedom: int) -> Axes:
        """Take the axes of ``residuals`` (``n × G``), on the smaller of the two Gram matrices."""
        wide = residuals.shape[1] > len(residuals)
        values, vectors = np.linalg.eigh(residuals @ residuals.T if wide else residuals.T @ residuals)
        keep = values > max(float(values[-1]), 0.0) * 1e-10
        values, vectors = values[keep][::-1], vectors[:, keep][:, ::-1]
        if wide:
            vectors = residuals.T @ vectors / np.sqrt(values)
        return cls(vectors, values / max(freedom, 1), max(freedom, 1))

    def ridge(self, relative: float) -> Whitening:
        """Return the whitening with ridge ``relative`` × the mean variance of a gene."""
        size = relative * float(self.values.sum()) / len(self.axes)
        return Whitening(self.axes, self.values / (self.values + size), size * self.freedom)

    def without_top(self, n: int) -> Whitening:
        """Return the product that leaves out the ``n`` leading axes."""
        return Whitening(self.axes[:, :n], np.ones(min(n, len(self.values))))


def residuals(values: Floats, labels: NDArray[np.str_]) -> Floats:
    """Return rows without the means of their classes."""
    out = values.copy()
    for name in np.unique(labels):
        rows = labels == name
        out[rows] -= values[rows].mean(axis=0)
    return out


def pooled_axes(view: View) -> Axes:
    """Return the axes of what twin and, where there is one, reference vary by within classes."""
    return view.shared("pooled axes", _pooled_axes)


def _pooled_axes(view: View) -> Axes:
    std = standard(view)
    left = np.concatenate([residuals(std.twin, std.twin_labels), residuals(std.reference, std.reference_labels)])
    n_means = len(np.unique(std.twin_labels)) + len(np.unique(std.reference_labels))
    return Axes.of(left, len(left) - n_means)


WHITENINGS: dict[str, dict[str, object]] = {
    "plain": {},
    f"{TOP_FACTORS} factors out": {"without": TOP_FACTORS},
    **{f"ridge {ridge:g}": {"ridge": ridge} for ridge in RIDGES},
}
"""Settings that the tracing attacks try."""


def whitening(view: View, ridge: float | None = None, without: int = 0) -> Whitening:
    """Return the inner product of a setting of `WHITENINGS`.

    Raises
    ------
    NotApplicableError
        There are no more directions than are to be left out.
    """
    axes = pooled_axes(view)
    if ridge is not None:
        return axes.ridge(ridge)
    if len(axes.values) <= without:
        raise NotApplicableError(f"what is held varies in no more than {len(axes.values)} directions")
    return axes.without_top(without)
