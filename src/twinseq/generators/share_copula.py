r"""`share-copula`: the flagship for sharing: few directions, blurred where tracing attacks look.

Counts are put on the scale log2(CPM + 1), one sample at a time. There, a class is a normal distribution,
:math:`N(m_c, L^\top L + Ψ)`, whose means differ in few directions; `_limited` says what is taken from the cohort and
what noise hides it. No quantile of any gene is kept, no training value replayed, and twins have a residual of full
rank. Draws of a class are spread evenly over each gene's distribution, so that what fidelity is left is not lost again.

Nothing is promised. `twinseq.sharing.tune` looks for settings that keep attacks below a target on a cohort.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..cohort import Cohort
from ..errors import ConfigError
from ._base import GeneratorInfo
from ._covariates import CovariateModel
from ._limited import Limits, limited_normals
from ._normals_generator import NormalsGenerator
from ._registry import register
from .basis_copula import exact_scale

Floats = NDArray[np.float64]


@register
class ShareCopula(NormalsGenerator):
    """Class means in few directions and noise where tracing looks, for twins that leave the institution.

    Parameters
    ----------
    factors
        Directions in which classes may differ.
    within
        Axes along which samples of a class vary together; other variance is each gene's own.
    reach
        Steps from the directions over which these axes are looked for: 0, among the directions alone. What a classifier
        learns from the twin hangs on it.
    evenness
        Weight of classes in finding the directions: 0, by their size, to 1, all alike.
    mean_noise
        Noise on the mean of all samples, in standard errors; it moves all classes together.
    loading_noise
        Noise on the directions, in standard errors.
    offset_noise
        Noise on the classes' places along the directions, in standard errors.
    scale_noise
        Noise on the genes' deviations, in standard errors.
    balanced
        Spread the draws of each class evenly over each gene's distribution.
    """

    info = GeneratorInfo(
        name="share-copula",
        title="Leakage-limited Gaussian copula",
        family="statistical",
        kinds=("counts", "continuous"),
        guarantee="none",
        reference="twinseq; noise shaped against tracing (Homer et al. 2008, PLoS Genetics 4:e1000167)",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"share": {}}

    def __init__(
        self,
        factors: int = 5,
        within: int = 7,
        reach: int = 1,
        evenness: float = 1.0,
        mean_noise: float = 4.0,
        loading_noise: float = 0.0,
        offset_noise: float = 0.0,
        scale_noise: float = 2.0,
        balanced: bool = True,
    ) -> None:
        self.factors = factors
        self.within = within
        self.reach = reach
        self.evenness = evenness
        self.mean_noise = mean_noise
        self.loading_noise = loading_noise
        self.offset_noise = offset_noise
        self.scale_noise = scale_noise
        self.balanced = balanced
        if factors < 1:
            raise ConfigError(f"share-copula: factors must be at least 1, not {factors}.")
        if within < 0:
            raise ConfigError(f"share-copula: within must be 0 or more, not {within}.")
        if reach < 0:
            raise ConfigError(f"share-copula: reach must be 0 or more, not {reach}.")
        if not 0 <= evenness <= 1:
            raise ConfigError(f"share-copula: evenness must lie between 0 and 1, not {evenness}.")
        for name in ("mean_noise", "loading_noise", "offset_noise", "scale_noise"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ConfigError(f"share-copula: {name} must be 0 or more, not {getattr(self, name)}.")

    def _fit(self, cohort: Cohort, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int) -> None:
        self.scale_ = exact_scale(cohort)
        self.covariates_, _ = CovariateModel.fit(cohort, codes)
        limits = Limits(
            self.factors,
            self.within,
            self.reach,
            self.evenness,
            self.mean_noise,
            self.loading_noise,
            self.offset_noise,
            self.scale_noise,
        )
        self.normals_ = limited_normals(self.scale_.apply(cohort), codes, limits, rng)
