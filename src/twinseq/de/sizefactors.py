r"""Size factors: the median of ratios to a geometric-mean reference sample.

.. math:: s_j = \operatorname{median}_g \frac{y_{gj}}{(\prod_k y_{gk})^{1/n}}

over the genes without a zero (Anders & Huber 2010, *Genome Biology* 11:R106). Where every gene has a zero
this is undefined; the geometric mean is then taken of the positive counts, with the number of all samples
in the root, over genes where it exceeds one, and the factors are scaled to a geometric mean of one
(``poscounts`` of DESeq2).
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def median_of_ratios(counts: Floats) -> tuple[Floats, bool]:
    """Return size factors, and whether positive counts had to stand in for genes without zeros.

    Parameters
    ----------
    counts
        ``n_genes × n_samples``.

    Returns
    -------
    size_factors : ndarray
        ``n_samples``; NaN for a sample that has no count in any usable gene.
    positive_counts : bool
        True where no gene is free of zeros.
    """
    complete = (counts > 0).all(axis=1)
    if complete.any():
        logs = np.log(counts[complete])
        logs -= logs.mean(axis=1, keepdims=True)
        return np.exp(np.median(logs, axis=0)), False

    logs = np.log(np.maximum(counts, 1.0))
    reference = logs.mean(axis=1)
    usable = reference > 0
    factors = np.full(counts.shape[1], np.nan)
    for sample in range(counts.shape[1]):
        kept = usable & (counts[:, sample] > 0)
        if kept.any():
            factors[sample] = np.exp(np.median(logs[kept, sample] - reference[kept]))
    found = np.isfinite(factors)
    if found.any():
        factors /= np.exp(np.mean(np.log(factors[found])))
    return factors, True
