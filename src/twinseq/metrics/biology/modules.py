"""Whether the modules of co-expressed genes found in real data hold together in the twin.

Modules are found on the training data alone: average linkage of 1 − r within classes over the 2,000 most variable
genes, cut where groups correlate below 0.25 on average, groups under ten genes left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from .._registry import NotComputableError, register

if TYPE_CHECKING:
    from .._profiles import Profiles

Floats = NDArray[np.floating[Any]]

LEAST_CORRELATION = 0.25
SMALLEST = 10
PERMUTATIONS = 100
PRESERVED = 10.0
PAIRS = 3

_SHARED: dict[str, Any] = {
    "group": "biology",
    "direction": "higher",
    "bounds": (-np.inf, np.inf),
    "against": "train",
    "floor": "independent",
    "unit": "modules",
    "reference": "Langfelder et al. 2011, PLoS Computational Biology 7:e1001057",
}


def find_modules(correlation: Floats) -> list[NDArray[np.intp]]:
    """Return the genes of each module, largest module first; ``correlation`` is ``n_genes × n_genes``."""
    if len(correlation) < SMALLEST:
        return []
    distance = np.maximum(1.0 - correlation.astype(np.float64), 0.0)
    distance = (distance + distance.T) / 2
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), "average")
    groups = fcluster(tree, 1.0 - LEAST_CORRELATION, "distance")
    modules = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    return sorted((genes for genes in modules if len(genes) >= SMALLEST), key=len, reverse=True)


@dataclass(frozen=True)
class Preservation:
    """The modules of real data in the twin.

    Parameters
    ----------
    sizes
        Genes in each module.
    real_density, twin_density
        Mean correlation of two genes of a module.
    zsummary
        Standard deviations by which density and connectivity exceed those of as many genes drawn at random.
    real_eigengenes, twin_eigengenes
        Correlations of the modules' eigengenes, each pair of modules once.
    """

    sizes: NDArray[np.intp]
    real_density: Floats
    twin_density: Floats
    zsummary: Floats
    real_eigengenes: Floats
    twin_eigengenes: Floats

    @classmethod
    def of(
        cls, modules: Sequence[NDArray[np.intp]], real: Profiles, twin: Profiles, rng: np.random.Generator
    ) -> Preservation:
        """Follow ``modules`` from real data to the twin.

        Raises
        ------
        NotComputableError
            There is no module.
        """
        if not modules:
            raise NotComputableError(
                f"no module of {SMALLEST} or more genes was found in the training data (mean r ≥ {LEAST_CORRELATION})"
            )
        loadings = [_first_axis(real.coexpression[np.ix_(genes, genes)]) for genes in modules]
        return cls(
            sizes=np.array([len(genes) for genes in modules]),
            real_density=np.array([density(real.coexpression[np.ix_(genes, genes)]) for genes in modules]),
            twin_density=np.array([density(twin.coexpression[np.ix_(genes, genes)]) for genes in modules]),
            zsummary=np.array([zsummary(real.coexpression, twin.coexpression, genes, rng) for genes in modules]),
            real_eigengenes=_eigengene_pairs(real.residuals, modules, loadings),
            twin_eigengenes=_eigengene_pairs(twin.residuals, modules, loadings),
        )


def density(block: Floats) -> float:
    """Return the mean correlation of two different genes; ``block`` is the module's correlation matrix."""
    n = len(block)
    return float((block.sum(dtype=np.float64) - np.trace(block)) / (n * (n - 1)))


def zsummary(real: Floats, twin: Floats, genes: NDArray[np.intp], rng: np.random.Generator) -> float:
    """Return how far a module in the twin exceeds random sets of genes of its size.

    The mean of two Z scores: of `density`, and of connectivity (the mean Z of two correlations between real data
    and twin, over the genes' intramodular connectivities and over their pairs). The null draws, in the twin,
    genes at random in the place of the module's.

    Parameters
    ----------
    real, twin
        Correlation matrices, ``n_genes × n_genes``.
    genes
        Places of the module's genes.
    rng
        Draws the random sets.
    """
    n = len(genes)
    above = np.triu_indices(n, k=1)
    real_block = real[np.ix_(genes, genes)]
    real_pairs, real_degree = real_block[above], real_block.sum(axis=1)

    def statistics(chosen: NDArray[np.intp]) -> tuple[float, float, float]:
        block = twin[np.ix_(chosen, chosen)]
        return density(block), _r(real_degree, block.sum(axis=1)), _r(real_pairs, block[above])

    observed = np.array(statistics(genes))
    null = np.array([statistics(rng.choice(len(twin), n, replace=False)) for _ in range(PERMUTATIONS)])
    spread = null.std(axis=0, ddof=1)
    z = np.divide(observed - null.mean(axis=0), spread, out=np.zeros(3), where=spread > 0)
    return float((z[0] + z[1:].mean()) / 2)


def _r(x: Floats, y: Floats) -> float:
    """Return Pearson's r, 0 where one side does not vary: nothing of the module's structure is left then."""
    dx, dy = x - x.mean(), y - y.mean()
    size = float(np.sqrt((dx @ dx) * (dy @ dy)))
    return float(dx @ dy) / size if size > 0 else 0.0


def _first_axis(block: Floats) -> Floats:
    """Return the loadings of the module's first principal component, mostly positive."""
    loadings: Floats = np.linalg.eigh(block.astype(np.float64))[1][:, -1]
    return -loadings if loadings.sum() < 0 else loadings


def _eigengene_pairs(residuals: Floats, modules: Sequence[NDArray[np.intp]], loadings: Sequence[Floats]) -> Floats:
    eigengenes = np.column_stack(
        [residuals[:, genes] @ weights for genes, weights in zip(modules, loadings, strict=True)]
    )
    lengths = np.linalg.norm(eigengenes, axis=0)
    eigengenes = eigengenes / np.where(lengths > 0, lengths, 1.0)
    pairs: Floats = (eigengenes.T @ eigengenes)[np.triu_indices(len(modules), k=1)]
    return pairs


@register(
    name="module_zsummary",
    question="Does a typical module of real data hold together in the twin better than random genes?",
    reading="Above 10: clearly; 2 to 10: weakly; below 2: no sign of it. It grows with module size and samples.",
    formula="median over modules of ½ (Z_density + Z_connectivity), null: 100 random gene sets of the same size",
    ideal=None,
    fields=("modules.zsummary",),
    resampling="together",
    **_SHARED,
)
def module_zsummary(z: Floats) -> float:
    """Return the median over modules; see `zsummary`."""
    return float(np.median(z))


@register(
    name="modules_preserved",
    question="How many of the modules of real data are clearly preserved in the twin?",
    reading="1: all; 0: none. Modules are found on the training data.",
    formula="share of modules with Zsummary > 10",
    ideal=1.0,
    fields=("modules.zsummary",),
    resampling="together",
    **{**_SHARED, "bounds": (0.0, 1.0)},
)
def modules_preserved(z: Floats) -> float:
    """Return the share of modules with a Zsummary above 10; see `zsummary`."""
    return float((z > PRESERVED).mean())


@register(
    name="module_density_ratio",
    question="Are modules as tight in the twin as in real data?",
    reading="1: as tight; below 1: loosened; above 1: tighter than real. Below 1 also in real data that the modules "
    "were not found on.",
    formula="Σ mean r within modules of S / Σ of T",
    ideal=1.0,
    fields=("modules.real_density", "modules.twin_density"),
    resampling="together",
    **{**_SHARED, "direction": "target"},
)
def module_density_ratio(real: Floats, twin: Floats) -> float:
    """Return the twin's density over the real one, summed over modules.

    Parameters
    ----------
    real, twin
        Density of each module.
    """
    return float(twin.sum() / real.sum())


@register(
    name="eigengene_r",
    question="Do modules keep their relations to each other?",
    reading="1: same pattern among modules; 0: unrelated. Where modules are independent there is little to keep, and "
    "the ceiling is low.",
    formula="Pearson r over pairs of modules of the correlation of their eigengenes, loadings of T",
    ideal=1.0,
    fields=("modules.real_eigengenes", "modules.twin_eigengenes"),
    **{**_SHARED, "bounds": (-1.0, 1.0), "unit": "pairs of modules"},
)
def eigengene_r(real: Floats, twin: Floats) -> float:
    """Return the correlation of two vectors of eigengene correlations.

    Raises
    ------
    NotComputableError
        There are fewer than three modules, or their eigengenes are related alike.
    """
    if len(real) < PAIRS or np.ptp(real) == 0 or np.ptp(twin) == 0:
        raise NotComputableError("needs at least three modules of co-expressed genes")
    return float(np.corrcoef(real, twin)[0, 1])
