"""Differential expression of a cohort in one call."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import CohortError, ConfigError
from . import outliers, wald
from ._compile import available_cpus, over_genes
from .design import GroupedDesign
from .filtering import benjamini_hochberg, independent_filtering
from .fitting import SMALLEST_MEAN, GeneFits, fit_genes
from .irls import RIDGE
from .modelmatrix import ModelMatrix, model_matrix
from .sizefactors import median_of_ratios

Floats = npt.NDArray[np.float64]

_REPLICATES_TO_REPLACE = 7


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
    columns = list(design) if isinstance(design, list | tuple) else [design]
    if len(contrast) != 3:
        raise ConfigError(f"the contrast is (column, tested level, reference level); got {contrast!r}")
    metadata, genes = _matched(counts, metadata)
    model = model_matrix(metadata, columns, contrast)
    design_groups = GroupedDesign.of(model.matrix)
    table = _checked_counts(counts, metadata.index, genes)
    n_threads = available_cpus() if n_cpus is None else max(1, n_cpus)

    factors, positive_counts = median_of_ratios(table)
    if not np.isfinite(factors).all():
        sample = metadata.index[int(np.argmin(np.isfinite(factors)))]
        raise CohortError(f"sample {sample!r} has no count in any gene usable for size factors; leave it out")
    present = np.flatnonzero((table > 0).any(axis=1))
    y = table if len(present) == len(table) else table[present]
    del table
    fits = fit_genes(y, factors, design_groups, n_threads)
    n_refitted = 0
    flagged = np.zeros(len(y), dtype=np.bool_)
    tested_counts = y
    if refit_cooks or cooks_filter:
        fits, tested_counts, flagged, n_refitted = _treat_outliers(
            y, factors, design_groups, fits, n_threads, refit_cooks
        )

    columns_out = _wald(fits, tested_counts, model, design_groups, n_threads)
    if cooks_filter:
        columns_out["pvalue"][flagged] = np.nan
    result = pd.DataFrame(
        {name: _spread(values, present, len(genes)) for name, values in columns_out.items()}, index=genes
    )
    result.loc[result["baseMean"].isna().to_numpy(), "baseMean"] = 0.0
    p_values = result["pvalue"].to_numpy()
    padj = (
        independent_filtering(result["baseMean"].to_numpy(), p_values, alpha)
        if independent_filter
        else benjamini_hochberg(p_values)
    )
    result.insert(5, "padj", padj)
    result.attrs.update(
        size_factors="poscounts" if positive_counts else "ratio",
        dispersion_trend="parametric" if fits.trend.parametric else "mean",
        n_refitted=n_refitted,
        n_newton=fits.n_newton,
        n_not_converged=int(np.isnan(fits.coefficients).any(axis=1).sum()),
    )
    return result


def _spread(values: Floats, present: npt.NDArray[np.intp], n_genes: int) -> Floats:
    out = np.full(n_genes, np.nan)
    out[present] = values
    return out


def _matched(
    counts: pd.DataFrame | npt.NDArray[np.generic], metadata: pd.DataFrame
) -> tuple[pd.DataFrame, "pd.Index[Any]"]:
    """Return the metadata in the order of the counts, and the genes."""
    if not isinstance(counts, pd.DataFrame):
        if counts.ndim != 2 or counts.shape[0] != len(metadata):
            raise CohortError(
                f"counts of shape {counts.shape} do not fit {len(metadata)} samples; pass samples × genes"
            )
        return metadata, pd.RangeIndex(counts.shape[1])
    for what, index in (("counts", counts.index), ("metadata", metadata.index)):
        if not index.is_unique:
            raise CohortError(f"sample {index[index.duplicated()][0]!r} occurs twice in the {what}")
    missing = counts.index.difference(metadata.index, sort=False)
    if len(missing):
        raise CohortError(
            f"{len(missing)} of {len(counts)} samples have no row in the metadata, first {missing[0]!r}; "
            "counts must be samples × genes, with the metadata's row names"
        )
    return metadata.loc[counts.index], counts.columns


def _checked_counts(
    counts: pd.DataFrame | npt.NDArray[np.generic], samples: "pd.Index[Any]", genes: "pd.Index[Any]"
) -> Floats:
    """Return counts as contiguous ``n_genes × n_samples`` floats, or say which entry is no count."""
    try:
        table = np.ascontiguousarray(np.asarray(counts).T, dtype=np.float64)
    except (TypeError, ValueError) as problem:
        raise CohortError("counts hold something that is not a number") from problem
    if not table.size:
        raise CohortError("counts are empty")
    wrong = ~(np.isfinite(table) & (table >= 0) & (table == np.floor(table)))
    if wrong.any():
        gene, sample = np.argwhere(wrong)[0]
        raise CohortError(
            f"count of gene {genes[gene]!r} in sample {samples[sample]!r} is {table[gene, sample]}; "
            "counts must be whole numbers of 0 or more"
        )
    if not table.any():
        raise CohortError("every count is zero")
    return table


def _treat_outliers(
    counts: Floats,
    factors: Floats,
    design: GroupedDesign,
    fits: GeneFits,
    n_threads: int,
    refit: bool,
) -> tuple[GeneFits, Floats, npt.NDArray[np.bool_], int]:
    """Refit genes with replaceable outliers; return fits, counts used, genes not to test, and how many refitted."""
    limit = outliers.cutoff(design)
    distances = outliers.cooks_distances(counts, factors, fits.means, fits.hat, design)
    judged = outliers.replicated(design, 3)
    replaceable = outliers.replicated(design, _REPLICATES_TO_REPLACE)
    genes = np.flatnonzero((distances > limit).any(axis=1))
    if not (refit and replaceable.any() and len(genes)):
        return fits, counts, outliers.untestable(counts, distances, distances, limit, judged), 0

    replaced = outliers.replace_outliers(counts[genes], factors, distances[genes], limit, replaceable)
    emptied = ~replaced.any(axis=1)
    used = counts.copy()
    used[genes] = replaced
    for array in (fits.base_mean, fits.coefficients):
        array[genes[emptied]] = 0.0
    genes = genes[~emptied]
    if len(genes):
        again = fit_genes(used[genes], factors, design, n_threads, fits.trend)
        for old, new in (
            (fits.base_mean, again.base_mean),
            (fits.dispersions, again.dispersions),
            (fits.coefficients, again.coefficients),
            (fits.means, again.means),
        ):
            old[genes] = new
    considered = distances.copy()
    considered[np.ix_(genes, np.flatnonzero(replaceable))] = 0.0
    return fits, used, outliers.untestable(counts, distances, considered, limit, judged), len(genes)


def _wald(
    fits: GeneFits, counts: Floats, model: ModelMatrix, design: GroupedDesign, n_threads: int
) -> dict[str, Floats]:
    """Test the contrast of every gene; see :mod:`twinseq.de.wald`."""
    n_genes = len(counts)
    errors = np.empty(n_genes)
    over_genes(
        wald.standard_errors,
        n_genes,
        n_threads,
        np.maximum(fits.means, SMALLEST_MEAN),
        fits.dispersions,
        design.rows,
        design.order,
        design.bounds,
        RIDGE * np.eye(len(model.contrast)),
        model.contrast,
        errors,
    )
    z, p_values = wald.statistics_and_p_values(fits.coefficients, errors, model.contrast, 0.0, None)
    fold_changes = fits.coefficients @ model.contrast / np.log(2)
    # Between two levels without a count, a fold change is an accident of the ridge.
    silent = ~(counts[:, model.tested | model.reference] > 0).any(axis=1)
    fold_changes[silent], z[silent], p_values[silent] = 0.0, 0.0, 1.0
    return {
        "baseMean": fits.base_mean,
        "log2FoldChange": fold_changes,
        "lfcSE": errors / np.log(2),
        "stat": z,
        "pvalue": p_values,
        "dispersion": fits.dispersions,
    }
