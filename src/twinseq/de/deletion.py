r"""Coefficients with a group of samples left out, by one Newton step from the fit to all of them.

With information :math:`M = X^\top W X` and score
:math:`u_g = \sum_{i \in g} x_i (y_i - \mu_i) / (1 + \alpha\mu_i)` of a group, leaving it out moves the coefficients by
:math:`-(M - M_g + \Lambda)^{-1} u_g`, since the scores of all samples together are zero at the fit (Pregibon 1981,
*Annals of Statistics* 9:705). The standard error is that of :mod:`twinseq.de.wald` with :math:`M - M_g` in the place
of :math:`M`.
"""

import math

import numpy as np
import numpy.typing as npt

from ..kernels import kernel
from .smallmatrix import cholesky, solve_in_place

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@kernel
def delete_groups(
    start: int,
    stop: int,
    counts: Floats,
    means: Floats,
    dispersions: Floats,
    design: Floats,
    groups: Integers,
    ridge: float,
    contrasts: Floats,
    changes: Floats,
    errors: Floats,
) -> None:
    """Write what leaving out each group does to contrasts of genes ``start … stop - 1``.

    Parameters
    ----------
    start, stop
        Block of genes.
    counts, means
        ``n_genes × n_samples``; the means at the fit, kept away from zero.
    dispersions
        ``n_genes``.
    design
        ``n_samples × n_coefficients``.
    groups
        Group of each sample.
    ridge
        Added to the diagonal of the information.
    contrasts
        ``n_contrasts × n_coefficients``.
    changes, errors
        ``n_genes × n_groups × n_contrasts``: change and standard error of each contrast, natural log; NaN where the
        system is singular.
    """
    n_samples, p = design.shape
    n_groups = changes.shape[1]
    information = np.empty((n_groups, p, p))
    score = np.empty((n_groups, p))
    total = np.empty((p, p))
    rest = np.empty((p, p))
    system = np.empty((p, p))
    solution = np.empty(p)
    for gene in range(start, stop):
        alpha = dispersions[gene]
        information.fill(0.0)
        score.fill(0.0)
        for i in range(n_samples):
            mu = means[gene, i]
            g = groups[i]
            weight = mu / (1.0 + alpha * mu)
            residual = (counts[gene, i] - mu) / (1.0 + alpha * mu)
            for a in range(p):
                score[g, a] += residual * design[i, a]
                for b in range(p):
                    information[g, a, b] += weight * design[i, a] * design[i, b]
        total.fill(0.0)
        for g in range(n_groups):
            for a in range(p):
                for b in range(p):
                    total[a, b] += information[g, a, b]
        for g in range(n_groups):
            for a in range(p):
                for b in range(p):
                    rest[a, b] = total[a, b] - information[g, a, b]
                    system[a, b] = rest[a, b]
                system[a, a] += ridge
            if not cholesky(system, p):
                changes[gene, g] = np.nan
                errors[gene, g] = np.nan
                continue
            for c in range(len(contrasts)):
                for a in range(p):
                    solution[a] = contrasts[c, a]
                solve_in_place(system, solution, p)
                change, variance = 0.0, 0.0
                for a in range(p):
                    change -= solution[a] * score[g, a]
                    for b in range(p):
                        variance += solution[a] * rest[a, b] * solution[b]
                changes[gene, g, c] = change
                errors[gene, g, c] = math.sqrt(variance)
