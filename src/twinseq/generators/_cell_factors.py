r"""Leading factors of the dependence between genes within a class and within donors, found in passes over parts.

Standardised scores (`_cell_scores`) of :math:`n` cells have covariance near :math:`A A^\top + I`. Its leading
eigenvectors are found by subspace iteration, each step of which needs one product with the scores of each part. Sampled
eigenvalues are too large and their vectors blurred; for each that stands out of what noise alone would reach,
:math:`(1 + \sqrt{γ})^2` with :math:`γ = G / n`, the strength is that of the spiked model:

.. math:: λ = ℓ \Big(1 + \frac{γ}{ℓ - 1}\Big), \qquad c^2 = \frac{1 - γ / (ℓ - 1)^2}{1 + γ / (ℓ - 1)}, \qquad
          a = \sqrt{(ℓ - 1)\, c^2}.

Divided by the root of what counts tell of a gene, loadings of scores become loadings of latent normals.

Source: Halko, Martinsson & Tropp 2011, *SIAM Review* 53:217; Donoho, Gavish & Johnstone 2018, *Annals of Statistics*
46:1742.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort
from ..parallel import spread
from ._cell_scores import LEAST_TOLD, ScoreTable
from ._count_histograms import library_places
from ._segments import Segment, segments

Floats = NDArray[np.float64]
PASSES = 4
OVERSAMPLING = 10
MOST_SHARED = 0.9
"""Largest share of a gene's latent variance that factors take: every gene keeps some of its own."""


def cell_factors(
    cohort: Cohort,
    codes: NDArray[np.intp],
    groups: NDArray[np.intp],
    tables: list[ScoreTable],
    k: int,
    rng: np.random.Generator,
    jobs: int,
) -> list[Floats]:
    """Return the loadings of latent normals for each class, at most ``k`` factors each, ``k × n_genes``.

    Parameters
    ----------
    cohort
        Cells.
    codes, groups
        Class of each cell, and its class and donor as one number.
    tables
        Scores of each class.
    k
        Largest number of factors.
    rng
        Source of the first directions.
    jobs
        Number of threads; it changes no result.
    """
    n_genes = cohort.n_genes
    width = min(k + OVERSAMPLING, n_genes)
    bases = [np.linalg.qr(rng.standard_normal((n_genes, width)))[0] for _ in tables]
    if k == 0:
        return [np.zeros((0, n_genes)) for _ in tables]
    cells = np.bincount(groups).astype(float)
    class_of_group = np.zeros(len(cells), dtype=np.intp)
    class_of_group[groups] = codes
    sums = np.zeros((len(cells), n_genes))
    for turn in range(PASSES):
        products = [np.zeros((n_genes, width)) for _ in tables]
        pieces = ((segment, bases, turn == 0) for segment in segments(cohort, codes, groups))
        for own_products, own, own_sums in spread(_multiply, pieces, tables, jobs):
            for code, product in own_products.items():
                products[code] += product
            sums[own] += own_sums
        means = sums / np.maximum(cells, 1.0)[:, None]
        strengths: list[Floats] = []
        for code, basis in enumerate(bases):
            own = class_of_group == code
            freedom = max(cells[own].sum() - own.sum(), 1.0)
            between = (means[own].T * cells[own]) @ (means[own] @ basis)
            within = (products[code] - between) / freedom
            # Rayleigh quotients in the space so far; the next basis is turned to its own axes.
            values, axes = np.linalg.eigh(0.5 * (basis.T @ within + within.T @ basis))
            strengths.append(values[::-1])
            bases[code] = np.linalg.qr(within)[0] if turn < PASSES - 1 else basis @ axes[:, ::-1]
    freedom = np.bincount(class_of_group, weights=cells - 1.0, minlength=len(tables))
    return [
        _latent_loadings(bases[code][:, :k], strengths[code][:k], table.told, float(freedom[code]))
        for code, table in enumerate(tables)
    ]


def _multiply(
    tables: list[ScoreTable], piece: tuple[Segment, list[Floats], bool]
) -> tuple[dict[int, Floats], NDArray[np.intp], Floats]:
    """Return, of a segment, the second moments of scores times the basis of each class, and sums of scores by group."""
    segment, bases, with_sums = piece
    own, where = np.unique(segment.groups, return_inverse=True)
    sums = np.zeros((len(own) if with_sums else 0, segment.n_genes))
    products: dict[int, Floats] = {}
    for cells in segment.parts():
        for code, rows, counts in cells:
            part = tables[code].part(counts, library_places(counts))
            product = part.transposed_times(part.times(bases[code]))
            products[code] = products[code] + product if code in products else product
            if with_sums:
                present, place = np.unique(where[rows], return_inverse=True)
                sums[present] += part.transposed_times((place[:, None] == np.arange(len(present))).astype(float)).T
    return products, own if with_sums else own[:0], sums


def _latent_loadings(axes: Floats, values: Floats, told: Floats, freedom: float) -> Floats:
    """Return loadings of latent normals from eigenvectors and eigenvalues of scores, ``k × n_genes``."""
    gamma = (told > 0).sum() / max(freedom, 1.0)
    standing = values > (1.0 + np.sqrt(gamma)) ** 2
    value = values[standing]
    middle = value + 1.0 - gamma
    spike = 0.5 * (middle + np.sqrt(np.maximum(middle**2 - 4.0 * value, 0.0))) - 1.0
    kept = np.maximum(1.0 - gamma / spike**2, 0.0) / (1.0 + gamma / spike)
    scores = np.sqrt(spike * kept)[:, None] * axes[:, standing].T
    loadings: Floats = np.where(told > 0, scores / np.sqrt(told + LEAST_TOLD), 0.0)
    shared = (loadings**2).sum(axis=0)
    loadings *= np.sqrt(np.minimum(1.0, MOST_SHARED / np.maximum(shared, 1e-300)))
    return loadings
