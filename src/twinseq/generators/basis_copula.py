r"""`basis-copula`: the flagship on a public basis, without noise.

Locations, spreads and axes are public; of the private cohort, only the mean of each class along k axes is learnt:
:math:`k` numbers a class instead of some for each gene, so that little is left to trace. The covariance within classes
is public too where the basis comes from a labelled cohort, up to one number; else it is learnt along the axes. No
guarantee: an attacker who knows the basis looks along its axes (`basis_tracing`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..basis import Basis, read_basis
from ..cohort import Cohort
from ..errors import ConfigError
from ._base import GeneratorInfo
from ._covariates import CovariateModel
from ._factor_normals import FactorNormals
from ._limited import LEAST, blurred
from ._margins import stratum_rows
from ._normals_generator import NormalsGenerator
from ._private_library import LEAST_SPREAD
from ._private_scale import LOG_CPM_BOUNDS, PrivateScale
from ._registry import register

Floats = NDArray[np.float64]
USUAL = 0.25, 4.0
"""Least and most that variances may differ from those of the public cohort."""


@register
class BasisCopula(NormalsGenerator):
    """Class means along the axes of a public basis, and next to nothing else, from the private cohort.

    Parameters
    ----------
    basis
        File of a public basis (`twinseq.build_basis`, ``twinseq basis build``); has to be stated before fitting.
    factors
        Axes along which the cohort is measured; weaker ones are taken over from the basis as they are.
    balanced
        Spread the draws of each class evenly over each gene's distribution.
    offset_noise
        Noise on the class means along the axes, in standard errors: all that an attacker who knows the basis traces.
    """

    info = GeneratorInfo(
        name="basis-copula",
        title="Gaussian copula on a public basis",
        family="statistical",
        kinds=("counts", "continuous"),
        guarantee="none",
        reference="twinseq",
    )

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"share": {}}

    def __init__(
        self,
        basis: str | None = None,
        factors: int = 10,
        balanced: bool = True,
        offset_noise: float = 0.0,
    ) -> None:
        self.basis = basis
        self.factors = factors
        self.balanced = balanced
        self.offset_noise = offset_noise
        if factors < 1:
            raise ConfigError(f"basis-copula: factors must be at least 1, not {factors}.")
        if not 0 <= offset_noise < np.inf:
            raise ConfigError(f"basis-copula: offset_noise must be 0 or more, not {offset_noise}.")

    def _fit(self, cohort: Cohort, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int) -> None:
        if self.basis is None:
            raise ConfigError("basis-copula needs a public basis: state basis=FILE (see `twinseq basis build`).")
        basis = read_basis(Path(self.basis)).aligned(cohort)
        self.scale_ = exact_scale(cohort)
        self.covariates_, _ = CovariateModel.fit(cohort, codes)
        self.normals_ = _normals(self.scale_.apply(cohort), codes, basis, self.factors, self.offset_noise, rng)


def exact_scale(cohort: Cohort) -> PrivateScale:
    """Return the scale of the basis, library sizes taken as they are."""
    if cohort.kind == "counts":
        totals = np.log10(cohort.dense().sum(axis=1))
        return PrivateScale(True, *LOG_CPM_BOUNDS, float(totals.mean()), max(float(totals.std()), LEAST_SPREAD))
    values = cohort.dense()
    return PrivateScale(False, float(values.min()), float(values.max()))


def _normals(
    x: Floats, codes: NDArray[np.intp], basis: Basis, factors: int, noise: float, rng: np.random.Generator
) -> FactorNormals:
    """Return the model of samples ``x`` (``n × n_genes``) along the first ``factors`` axes of the basis."""
    axes = basis.axes[:factors]
    scores = (x - basis.location) / basis.spread @ axes.T
    means = np.stack([scores[rows].mean(axis=0) for _, rows in stratum_rows(codes)])
    apart = scores - means[codes]
    values, vectors = np.linalg.eigh(apart.T @ apart / max(len(x) - len(means), 1))
    means = means + blurred(np.maximum(values, LEAST), np.bincount(codes).astype(float), noise, rng) @ vectors.T
    location = basis.location + means @ axes * basis.spread
    if basis.shared is not None and basis.own is not None:
        # How much samples of a class vary is one number of this cohort; how they do is public.
        expected = ((basis.shared @ axes.T) ** 2).sum() + (axes**2 @ basis.own).sum()
        ratio = float(np.clip(values.sum() / expected, *USUAL))
        loadings = math.sqrt(ratio) * basis.shared
        variance = ratio * (basis.own + (basis.shared**2).sum(axis=0))
    else:
        measured = np.sqrt(np.maximum(values, 0.0))[:, None] * (vectors.T @ axes)
        loadings = np.vstack([measured, np.sqrt(basis.variances[factors:])[:, None] * basis.axes[factors:]])
        variance = np.maximum(1.0 - basis.variances[:factors] @ axes**2, 0.05) + (measured**2).sum(axis=0)
    return FactorNormals.of(location, loadings * basis.spread, variance * basis.spread**2)
