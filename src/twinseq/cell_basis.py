r"""Public bases of single cells: what an open atlas says of cell types, for private cohorts of the same tissue.

A basis holds, for each public cell type, the root of the shares of the genes among its counts, and for each gene how
much its counts vary between cells of a type: a factor :math:`1 + φ` of the second moment, and loadings of a few factors
of the logarithm of its rate. It is a small file of open data. That the cells behind it are public is the user's word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cohort import Cohort, shorten
from .errors import CohortError
from .transforms import BLOCK

Floats = NDArray[np.float64]
WHAT = "twinseq basis of cells"
ARRAYS = ("roots", "factors", "loadings", "depths")
MOST_FACTORS = 8
MOST_CELLS = 6000
"""Cells from which factors are learnt."""
MOST_GENES = 2000
"""Genes, those with most counts, that factors have loadings on."""
LEAST_CELLS = 20
SHARED = 0.8
"""Largest share of a gene's log(1 + φ) that factors take."""
LEAST_FACTOR = 1.02


@dataclass(frozen=True, eq=False)
class CellBasis:
    """What is known of genes and cell types from public cells.

    Parameters
    ----------
    genes, types
        Names.
    roots
        Root shares of the genes in each type, ``n_types × n_genes``, rows of length 1.
    factors
        1 + φ of each gene within types, ``n_genes``.
    loadings
        Of factors of the natural logarithm of a gene's rate within types, ``n_factors × n_genes``.
    depths
        Mean and standard deviation of log10 library sizes in each type, ``2 × n_types``.
    n_cells, source
        Size and name of the public cohort.
    """

    genes: tuple[str, ...]
    types: tuple[str, ...]
    roots: Floats
    factors: Floats
    loadings: Floats
    depths: Floats
    n_cells: int
    source: str

    def of_genes(self, genes: Sequence[str]) -> CellBasis:
        """Return the basis for ``genes``, in their order.

        Raises
        ------
        CohortError
            Some of them are not in the basis.
        """
        place = {gene: index for index, gene in enumerate(self.genes)}
        lacking = [gene for gene in genes if gene not in place]
        if lacking:
            raise CohortError(
                f"{len(lacking):,} of the cohort's {len(genes):,} genes are not in the basis {self.source}, "
                f"such as '{shorten(lacking[0])}'. Keep the common genes, or build the basis anew."
            )
        rows = np.array([place[gene] for gene in genes])
        roots = self.roots[:, rows]
        roots = roots / np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-12)
        return CellBasis(
            tuple(genes), self.types, roots, self.factors[rows], self.loadings[:, rows], self.depths,
            self.n_cells, self.source,
        )  # fmt: skip

    def save(self, path: str | Path) -> Path:
        """Write the basis, whole or not at all."""
        from .generators._modelfile import write_model

        header = {"what": WHAT, "n_cells": self.n_cells, "source": self.source}
        arrays = {name: getattr(self, name) for name in ARRAYS}
        names = {"genes": np.array(self.genes, dtype=np.str_), "types": np.array(self.types, dtype=np.str_)}
        return write_model(Path(path), header, {**arrays, **names})


def build_cell_basis(public: Cohort, seed: int = 0) -> CellBasis:
    """Reduce public cells to a basis.

    Parameters
    ----------
    public
        Counts of cells with their types; donors and labels are not used.
    seed
        Of the choice of cells, where there are many.

    Raises
    ------
    CohortError
        No cell types are stated, the profiles are no counts, or a type has fewer than 20 cells.
    """
    from .generators._pseudobulk import summed

    if public.cell_type is None or public.kind != "counts":
        raise CohortError(f"{public.source}: a basis of cells is built from counts, with the cell types stated.")
    types, codes = np.unique(public.obs[public.cell_type].astype(str).to_numpy(dtype=str), return_inverse=True)
    sizes = np.bincount(codes)
    if sizes.min() < LEAST_CELLS:
        raise CohortError(
            f"{public.source}: cell type '{shorten(types[sizes.argmin()])}' has {sizes.min()} cells; a basis needs "
            f"{LEAST_CELLS}. Drop it or merge it with another."
        )
    sums = summed(public, codes, len(types))
    counts, squares = sums.counts.toarray(), sums.squares.toarray()
    shares = counts / counts.sum(axis=1, keepdims=True)
    expected = sums.squared_depths[:, None] * shares**2
    factors = (squares - counts).sum(axis=0) / np.maximum(expected.sum(axis=0), 1e-300)
    # Genes of which hardly two counts were ever seen in a cell say nothing.
    seen = expected.sum(axis=0) >= LEAST_CELLS
    factors = np.where(seen, np.maximum(factors, LEAST_FACTOR), np.median(factors[seen]) if seen.any() else 2.0)
    logs = np.log10(sums.totals)
    means = np.bincount(codes, logs) / sizes
    depths = np.stack([means, np.sqrt(np.bincount(codes, (logs - means[codes]) ** 2) / sizes)])
    loadings = _loadings(public, codes, shares, factors, np.random.default_rng(seed))
    return CellBasis(
        tuple(map(str, public.genes)), tuple(map(str, types)), np.sqrt(shares), factors, loadings, depths,
        public.n_samples, public.source,
    )  # fmt: skip


def _loadings(
    public: Cohort, codes: NDArray[np.intp], shares: Floats, factors: Floats, rng: np.random.Generator
) -> Floats:
    """Return loadings of log-rates by principal components of standardised shares, about the means of types."""
    rows = np.sort(rng.permutation(public.n_samples)[:MOST_CELLS])
    level = shares.mean(axis=0)
    chosen = np.argsort(-level, kind="stable")[: min(MOST_GENES, int((level > 0).sum()))]
    values = np.empty((len(rows), len(chosen)), dtype=np.float32)
    for start in range(0, len(rows), BLOCK):
        some = rows[start : start + BLOCK]
        part = public.adata.X[some]
        part = np.asarray(part.toarray() if hasattr(part, "toarray") else part, dtype=np.float64)
        mean = shares[codes[some]][:, chosen]
        values[start : start + BLOCK] = (part / part.sum(axis=1, keepdims=True))[:, chosen] - mean
    spread = np.maximum(values.std(axis=0, dtype=np.float64), 1e-12)
    values /= spread
    strengths, axes = np.linalg.eigh(values.T.astype(np.float64) @ values / len(rows))
    # Beyond this, components of as many cells are not noise (Marchenko & Pastur 1967).
    edge = (1.0 + np.sqrt(len(chosen) / len(rows))) ** 2
    kept = np.flatnonzero(strengths > edge)[::-1][:MOST_FACTORS]
    relative = spread / np.maximum(level[chosen], 1e-300)
    found = np.sqrt(strengths[kept] - 1.0)[:, None] * axes[:, kept].T * relative
    most = SHARED * np.log(factors[chosen])
    found *= np.sqrt(np.minimum(1.0, most / np.maximum((found**2).sum(axis=0), 1e-300)))
    loadings = np.zeros((len(kept), len(level)))
    loadings[:, chosen] = found
    return loadings


def read_cell_basis(path: str | Path) -> CellBasis:
    """Read a basis of cells; nothing in the file is executed.

    Raises
    ------
    CohortError
        The file is missing, damaged or not a basis of cells.
    """
    from .generators._modelfile import DAMAGE, not_a_model, read_model

    header, arrays = read_model(Path(path))
    try:
        if header["what"] != WHAT:
            raise ValueError("another kind of file")
        parts: dict[str, Any] = {name: np.asarray(arrays[name], dtype=np.float64) for name in ARRAYS}
        genes, types = tuple(map(str, arrays["genes"])), tuple(map(str, arrays["types"]))
        k = len(parts["loadings"])
        shapes = {
            "roots": (len(types), len(genes)), "factors": (len(genes),), "loadings": (k, len(genes)),
            "depths": (2, len(types)),
        }  # fmt: skip
        if any(parts[name].shape != shape for name, shape in shapes.items()) or not genes or not types:
            raise ValueError("arrays of other shapes")
        if not all(np.isfinite(part).all() for part in parts.values()):
            raise ValueError("values that are no numbers")
        if (
            (parts["depths"] <= 0).any()
            or (parts["roots"] < 0).any()
            or (parts["roots"] > 1 + 1e-9).any()
            or (parts["factors"] < 1).any()
        ):
            raise ValueError("values that no basis has")
        return CellBasis(genes, types, **parts, n_cells=int(header["n_cells"]), source=str(header["source"]))
    except DAMAGE as error:
        raise not_a_model(Path(path), error) from error
