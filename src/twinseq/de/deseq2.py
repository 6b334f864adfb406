"""Differential expression of a cohort in one call."""

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from .model import fit_model


def fit_deseq2(
    counts: pd.DataFrame | npt.NDArray[np.generic],
    metadata: pd.DataFrame,
    design: Hashable | Sequence[Hashable],
    contrast: tuple[Hashable, Hashable, Hashable],
    *,
    alpha: float = 0.05,
    refit_cooks: bool = True,
    cooks_filter: bool = True,
    independent_filter: bool = True,
    n_cpus: int | None = None,
) -> pd.DataFrame:
    r"""Test every gene for differential expression by DESeq2's method.

    The model is :math:`y_{gj} \sim \mathrm{NB}(s_j e^{x_j\beta_g}, \alpha_g)` with an additive design; the
    steps are those of R's ``DESeq`` and ``results`` and of PyDESeq2's ``DeseqDataSet`` and ``DeseqStats``:
    size factors, gene-wise dispersions, trend, shrunken dispersions, coefficients, outlier replacement,
    Wald test, independent filtering. Fold changes are not shrunk. Where PyDESeq2 0.5.4 and R differ (the
    genes that enter the trend, the lower bound of the means, the smoothing of the filter) this follows R.

    Parameters
    ----------
    counts
        Whole numbers, ``n_samples × n_genes``. The rows of a DataFrame are matched to ``metadata`` by label,
        those of an array by position.
    metadata
        One row per sample. Column names and levels may hold any characters.
    design
        A column of ``metadata``, or a list of columns, of the additive model.
    contrast
        Column, tested level, reference level: a positive fold change is higher in the tested level.
    alpha
        Level at which independent filtering counts rejections.
    refit_cooks
        Replace outlier counts in groups of at least seven samples, and fit their genes again.
    cooks_filter
        Give no p-value to a gene with an outlier that stayed.
    independent_filter
        Choose a lower bound of the mean for the adjusted p-values; else adjust over all genes.
    n_cpus
        Number of threads; all that the process may use by default. Does not change the result.

    Returns
    -------
    pandas.DataFrame
        Indexed by gene: ``baseMean, log2FoldChange, lfcSE, stat, pvalue, padj, dispersion``. A gene of zeros
        has a mean of zero and NaN elsewhere. ``attrs`` says how the fit went: ``size_factors``
        (``"ratio"``, or ``"poscounts"`` where no gene is free of zeros, a case in which PyDESeq2's default
        turns to an iterative fit of the whole model), ``dispersion_trend`` (``"parametric"`` or ``"mean"``),
        ``n_refitted``, ``n_newton`` and ``n_not_converged``.

    Raises
    ------
    CohortError
        Wrong counts or metadata, a design that is not of full rank, a level with fewer than two samples.
    ConfigError
        An unknown column or level.

    References
    ----------
    Love, Huber & Anders (2014), *Genome Biology* 15:550. Muzellec et al. (2023), *Bioinformatics* 39:btad547.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> counts = pd.DataFrame(rng.negative_binomial(5, 0.05, (12, 200)))
    >>> metadata = pd.DataFrame({"group": ["case", "control"] * 6})
    >>> result = fit_deseq2(counts, metadata, "group", ("group", "case", "control"))
    >>> int((result["padj"] < 0.05).sum())
    0
    """
    model = fit_model(
        counts,
        metadata,
        design,
        contrast,
        alpha=alpha,
        refit_cooks=refit_cooks,
        cooks_filter=cooks_filter,
        independent_filter=independent_filter,
        n_cpus=n_cpus,
    )
    return model.test(*contrast[1:])
