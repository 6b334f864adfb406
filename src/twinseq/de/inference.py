"""A backend for PyDESeq2: every method of its abstract ``Inference`` class, compiled and threaded."""

import warnings
from collections.abc import Callable
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydeseq2.inference import Inference

from ..kernels import available_cpus, over_genes
from . import dispersion, irls, rough, shrink, wald
from .design import GroupedDesign, genes_first
from .trend import gamma_trend

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Alternative = Literal["greaterAbs", "lessAbs", "greater", "less"]


class NumbaInference(Inference):  # type: ignore[misc]
    """Whole-matrix DESeq2 kernels, for ``DeseqDataSet(inference=...)`` and ``DeseqStats(inference=...)``.

    Each method computes what the method of the same name of PyDESeq2's ``DefaultInference`` computes, from
    the published formulae, over all genes at once on threads. Results do not depend on the number of
    threads. A gene that a kernel cannot fit takes PyDESeq2's own path and is counted.

    Parameters
    ----------
    n_cpus
        Number of threads; all processors that the process may use by default.

    Attributes
    ----------
    fallbacks : dict of str to int
        For each fitting method, how many genes took PyDESeq2's own path since this object was made.

    Notes
    -----
    Two results differ on purpose from PyDESeq2 0.5.4. The dispersion is the minimum itself, where an
    L-BFGS-B search stops up to 1e-3 away from it. The inverse Hessian of :meth:`lfc_shrink_nbinom_glm` has
    the curvature of the prior on its diagonal only, as in apeglm.

    References
    ----------
    Love, Huber & Anders (2014), *Genome Biology* 15:550. Muzellec et al. (2023), *Bioinformatics* 39:btad547.

    Examples
    --------
    >>> from twinseq.de import NumbaInference
    >>> NumbaInference(n_cpus=2).n_cpus
    2
    """

    def __init__(self, n_cpus: int | None = None) -> None:
        self.n_cpus = n_cpus
        self.fallbacks: dict[str, int] = {"irls": 0, "alpha_mle": 0, "lfc_shrink_nbinom_glm": 0}

    @property
    def n_cpus(self) -> int:
        """Number of threads."""
        return self._n_cpus

    @n_cpus.setter
    def n_cpus(self, n_cpus: int | None) -> None:
        self._n_cpus = available_cpus() if n_cpus is None else max(1, int(n_cpus))

    def _run(self, function: Callable[..., None], n_genes: int, *arguments: Any) -> None:
        over_genes(function, n_genes, self._n_cpus, *arguments)

    def lin_reg_mu(
        self,
        counts: npt.NDArray[Any],
        size_factors: npt.NDArray[Any],
        design_matrix: npt.NDArray[Any],
        min_mu: float,
    ) -> Floats:
        """Return means (``n_samples × n_genes``) of a linear model of the normalised counts, at least ``min_mu``."""
        design = GroupedDesign.of(design_matrix)
        y = genes_first(counts)
        out = np.empty_like(y)
        factors = _vector(size_factors)
        self._run(rough.linear_means, len(y), y, factors, design.matrix, design.least_squares, float(min_mu), out)
        return out.T

    def irls(
        self,
        counts: npt.NDArray[Any],
        size_factors: npt.NDArray[Any],
        design_matrix: npt.NDArray[Any],
        disp: npt.NDArray[Any],
        min_mu: float,
        beta_tol: float,
        min_beta: float = -30,
        max_beta: float = 30,
        optimizer: Literal["BFGS", "L-BFGS-B"] = "L-BFGS-B",
        maxiter: int = 250,
    ) -> tuple[Floats, Floats, Floats, Flags]:
        """Fit the negative-binomial GLM of each gene; see :mod:`twinseq.de.irls`.

        Returns
        -------
        tuple of ndarray
            Coefficients (``n_genes × n_coefficients``, natural log), means and hat diagonals
            (``n_samples × n_genes``), convergence (``n_genes``). ``min_beta``, ``max_beta`` and
            ``optimizer`` bound and choose PyDESeq2's search for the genes that leave the kernel.
        """
        design = GroupedDesign.of(design_matrix)
        y = genes_first(counts)
        factors = _vector(size_factors)
        dispersions = _vector(disp)
        beta = np.empty((len(y), design.matrix.shape[1]))
        mu = np.empty_like(y)
        hat = np.empty_like(y)
        fitted = np.zeros(len(y), dtype=np.bool_)
        if design.full_rank:
            self._run(
                irls.fit_coefficients,
                len(y),
                y,
                factors,
                design.least_squares,
                design.rows,
                design.order,
                design.bounds,
                dispersions,
                float(min_mu),
                float(beta_tol),
                float(max_beta),
                int(maxiter),
                beta,
                mu,
                hat,
                fitted,
            )
        converged = fitted.copy()
        for gene in self._left_over(fitted, "irls"):
            with _quiet_search():
                beta[gene], mu[gene], hat[gene], converged[gene] = _pydeseq2_utils().irls_solver(
                    counts=y[gene],
                    size_factors=factors,
                    design_matrix=design.matrix,
                    disp=dispersions[gene],
                    min_mu=min_mu,
                    beta_tol=beta_tol,
                    min_beta=min_beta,
                    max_beta=max_beta,
                    optimizer=optimizer,
                    maxiter=maxiter,
                )
        return beta, mu.T, hat.T, converged

    def alpha_mle(
        self,
        counts: npt.NDArray[Any],
        design_matrix: npt.NDArray[Any],
        mu: npt.NDArray[Any],
        alpha_hat: npt.NDArray[Any],
        min_disp: float,
        max_disp: float,
        prior_disp_var: float | None = None,
        cr_reg: bool = True,
        prior_reg: bool = False,
        optimizer: Literal["BFGS", "L-BFGS-B"] = "L-BFGS-B",
    ) -> tuple[Floats, Flags]:
        """Fit the dispersion of each gene; see :mod:`twinseq.de.dispersion`.

        Returns
        -------
        tuple of ndarray
            Dispersions within ``[min_disp, max_disp]``, and convergence; ``n_genes`` each. ``optimizer``
            matters only to genes that take PyDESeq2's path.

        Raises
        ------
        ValueError
            Where a prior is asked for without its variance, or the counts are not whole numbers.
        """
        if prior_reg and prior_disp_var is None:
            raise ValueError("prior_reg=True needs prior_disp_var, the variance of the log dispersion")
        design = GroupedDesign.of(design_matrix)
        y = genes_first(counts)
        if not np.array_equal(y, np.floor(y)):
            raise ValueError("counts must be whole numbers")
        means = genes_first(mu)
        initial = _vector(alpha_hat)
        out = np.empty(len(y))
        fitted = np.zeros(len(y), dtype=np.bool_)
        variance = float(prior_disp_var) if prior_reg and prior_disp_var is not None else np.inf
        self._run(
            dispersion.fit_dispersions,
            len(y),
            y,
            means,
            initial,
            design.rows,
            design.order,
            design.bounds,
            float(np.log(min_disp)),
            float(np.log(max_disp)),
            variance,
            bool(cr_reg),
            out,
            fitted,
        )
        converged = fitted.copy()
        for gene in self._left_over(fitted, "alpha_mle"):
            with _quiet_search():
                out[gene], converged[gene] = _pydeseq2_utils().fit_alpha_mle(
                    counts=y[gene],
                    design_matrix=design.matrix,
                    mu=means[gene],
                    alpha_hat=initial[gene],
                    min_disp=min_disp,
                    max_disp=max_disp,
                    prior_disp_var=prior_disp_var,
                    cr_reg=cr_reg,
                    prior_reg=prior_reg,
                    optimizer=optimizer,
                )
        return out, converged

    def wald_test(
        self,
        design_matrix: npt.NDArray[Any],
        disp: npt.NDArray[Any],
        lfc: npt.NDArray[Any],
        mu: npt.NDArray[Any],
        ridge_factor: npt.NDArray[Any],
        contrast: npt.NDArray[Any],
        lfc_null: float | npt.NDArray[Any],
        alt_hypothesis: Alternative | None = None,
    ) -> tuple[Floats, Floats, Floats]:
        """Test a contrast; see :mod:`twinseq.de.wald`.

        Returns
        -------
        tuple of ndarray
            P-values, statistics and standard errors (natural log), ``n_genes`` each.
        """
        design = GroupedDesign.of(design_matrix)
        means = genes_first(mu)
        vector = _vector(contrast)
        errors = np.empty(len(means))
        self._run(
            wald.standard_errors,
            len(means),
            means,
            _vector(disp),
            design.rows,
            design.order,
            design.bounds,
            np.ascontiguousarray(ridge_factor, dtype=np.float64),
            vector,
            errors,
        )
        z, p_values = wald.statistics_and_p_values(np.asarray(lfc), errors, vector, lfc_null, alt_hypothesis)
        return p_values, z, errors

    def fit_rough_dispersions(
        self, normed_counts: npt.NDArray[Any], design_matrix: npt.NDArray[Any] | pd.DataFrame
    ) -> Floats:
        """Return the rough dispersion of each gene; see :mod:`twinseq.de.rough`.

        Raises
        ------
        ValueError
            Where there are not more samples than coefficients.
        """
        design = GroupedDesign.of(design_matrix)
        n_samples, n_coefficients = design.matrix.shape
        if n_samples <= n_coefficients:
            raise ValueError(
                f"{n_samples} samples and {n_coefficients} design coefficients leave no replicates to estimate "
                "the dispersion; use a design with fewer variables"
            )
        normalised = genes_first(normed_counts)
        out = np.empty(len(normalised))
        self._run(rough.rough_dispersions, len(normalised), normalised, design.matrix, design.least_squares, out)
        return out

    def fit_moments_dispersions(
        self, normed_counts: npt.NDArray[Any], size_factors: npt.NDArray[Any] | pd.Series
    ) -> Floats:
        """Return the moment dispersion of each gene that has a count; see :mod:`twinseq.de.rough`."""
        normalised = genes_first(normed_counts)
        out = np.empty(len(normalised))
        mean_inverse = float(np.mean(1.0 / _vector(size_factors)))
        self._run(rough.moment_dispersions, len(normalised), normalised, mean_inverse, out)
        return cast(Floats, out[(normalised != 0).any(axis=1)])

    def dispersion_trend_gamma_glm(self, covariates: pd.Series, targets: pd.Series) -> tuple[Floats, Floats, bool]:
        """Fit the trend ``a0 + a1 × covariate``; return coefficients, predictions and convergence."""
        x = _vector(covariates)
        coefficients, converged = gamma_trend(x, _vector(targets))
        return coefficients, coefficients[0] + coefficients[1] * x, converged

    def lfc_shrink_nbinom_glm(
        self,
        design_matrix: npt.NDArray[Any],
        counts: npt.NDArray[Any],
        size: npt.NDArray[Any],
        offset: npt.NDArray[Any],
        prior_no_shrink_scale: float,
        prior_scale: float,
        optimizer: str,
        shrink_index: int,
    ) -> tuple[Floats, Floats, Flags]:
        """Shrink one coefficient of each gene; see :mod:`twinseq.de.shrink`.

        Returns
        -------
        tuple of ndarray
            Coefficients (``n_genes × n_coefficients``), inverse Hessians
            (``n_genes × n_coefficients × n_coefficients``) and convergence (``n_genes``).
        """
        design = GroupedDesign.of(design_matrix)
        y = genes_first(counts)
        sizes = _vector(size)
        offsets = _vector(offset)
        p = design.matrix.shape[1]
        beta = np.empty((len(y), p))
        inverse_hessians = np.empty((len(y), p, p))
        fitted = np.zeros(len(y), dtype=np.bool_)
        self._run(
            shrink.shrink_coefficients,
            len(y),
            y,
            sizes,
            offsets,
            design.rows,
            design.order,
            design.bounds,
            float(prior_no_shrink_scale),
            float(prior_scale),
            int(shrink_index),
            beta,
            inverse_hessians,
            fitted,
        )
        converged = fitted.copy()
        for gene in self._left_over(fitted, "lfc_shrink_nbinom_glm"):
            with _quiet_search():
                beta[gene], inverse_hessians[gene], converged[gene] = _pydeseq2_utils().nbinomGLM(
                    design_matrix=design.matrix,
                    counts=y[gene],
                    size=sizes[gene],
                    offset=offsets,
                    prior_no_shrink_scale=prior_no_shrink_scale,
                    prior_scale=prior_scale,
                    optimizer=optimizer,
                    shrink_index=shrink_index,
                )
        return beta, inverse_hessians, converged

    def _left_over(self, fitted: Flags, method: str) -> npt.NDArray[np.intp]:
        genes = np.flatnonzero(~fitted)
        self.fallbacks[method] += len(genes)
        return genes


def _vector(values: npt.ArrayLike) -> Floats:
    return np.ascontiguousarray(values, dtype=np.float64)


def _pydeseq2_utils() -> Any:
    """Import PyDESeq2's per-gene solvers when a gene needs them: they pull in matplotlib and scikit-learn."""
    from pydeseq2 import utils

    return utils


class _quiet_search(warnings.catch_warnings):
    """Silence numpy's overflow warnings while a diverging gene is searched by PyDESeq2's solvers.

    They evaluate the likelihood at coefficients where ``exp`` overflows, by design of the line search.
    """

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore", RuntimeWarning)
