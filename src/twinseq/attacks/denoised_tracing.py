r"""`denoised_tracing`: pseudobulk tracing by one who knows how much noise the generator adds, and where.

A defence that blurs the means it keeps blurs those of some genes more than others'. Whoever knows the generator fits
it to the reference several times, draws a twin of the same design from each, and sees by how much the mean of a gene
differs between them, :math:`v_g`, sampling of cells included. The shift :math:`\Delta_g` of the twin's mean is then
weighted as in a linear filter, by the share of it that is not noise,

.. math:: w_g = \frac{s}{s + v_g}, \qquad s = \overline{(\Delta_g^2 - v_g - 1/m)_+},

with :math:`m` reference donors behind the mean that it is compared with, everything in deviations between donors.
"""

from __future__ import annotations

import numpy as np

from ._base import Floats, View
from ._cells import need_cells
from ._registry import register
from .pseudobulk_tracing import standard_pseudobulks, traced

REFITS = 6
LEAST = 1e-3
"""Smallest mean square of a shift beyond noise: less than that of a thousand training donors."""


@register(
    name="denoised_tracing",
    levels=("T2",),
    threat="Knows the generator, fits it to other people again and again to learn which genes it blurs, and gives "
    "these little say when tracing the target's average cells in the twin.",
    formula="pseudobulk tracing with Δ_g × s / (s + v_g), v_g the variance of a gene's mean between 6 refits on R",
    reference="twinseq; Wiener 1949 (the filter)",
    settings={f"ridge {ridge:g}": {"ridge": ridge} for ridge in (10.0, 1.0)},
    unit="donor",
    cells=True,
    slow=True,
)
def denoised_tracing(view: View, ridge: float) -> Floats:
    """Return the tracing statistic of the person of each cell, the same for all of a person's cells.

    Raises
    ------
    NotApplicableError
        As for `pseudobulk_tracing`; or the generator cannot be fitted to the reference.
    """
    need_cells(view)
    std = standard_pseudobulks(view).standard
    noise = view.shared("noise of means", _noise)
    centres = np.stack([std.reference[std.reference_labels == name].mean(axis=0) for name in std.classes])
    donors = np.array([(std.reference_labels == name).sum() for name in std.classes])
    shifts = std.twin - centres
    signal = np.maximum(shifts**2 - noise - 1.0 / donors[:, None], 0.0).mean(axis=1, keepdims=True)
    signal = np.maximum(signal, LEAST)
    return traced(view, centres + shifts * signal / (signal + noise), ridge)


def _noise(view: View) -> Floats:
    """Return the variance of each type's mean profile between twins of refits, ``n_types × G``."""
    held = standard_pseudobulks(view)
    labels = view.twin.labels[np.isin(view.twin.labels, held.standard.classes)]
    means = []
    for seed in view.rng(20).integers(2**31, size=REFITS):
        drawn = view.generator.fit(view.reference, int(seed)).draw(labels, int(seed)).against(view.twin.reference)
        means.append(
            held.scaled(np.stack([drawn.on_log[drawn.labels == name].mean(axis=0) for name in held.standard.classes]))
        )
    found: Floats = np.var(means, axis=0, ddof=1)
    return found
