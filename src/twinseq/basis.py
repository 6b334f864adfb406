"""Public bases: where genes lie, how they spread and move together, learnt from a cohort that is open to all.

A basis is a small file of open data. With one, a generator asks its private cohort for a few numbers a class instead of
some for each gene. That the cohort behind it is public is the user's word; a report repeats it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cohort import Cohort, shorten
from .errors import CohortError, ConfigError
from .transforms import log_cpm

Floats = NDArray[np.float64]
MOST_FACTORS = 60
PER_FACTOR = 3
"""Samples of the public cohort for each factor."""
FOLDS = 5
FEW = 5
"""Samples of a class below which it has no more weight than a class of so many."""
LEAST_SPREAD = 0.05
ORTHONORMAL = 1e-6
MOST_LOG = 20.0
"""No log2(CPM + 1) is larger."""
LEAST_SHARE = 1e-6
MOST_DECADES = 15.0
"""No log10 library size is larger."""
WHAT = "twinseq basis"


@dataclass(frozen=True, eq=False)
class Basis:
    """What is known of genes from a public cohort, on a log scale.

    Parameters
    ----------
    genes
        Gene names.
    kind
        ``"counts"`` (the scale is log2(CPM + 1)) or ``"continuous"`` (values as they are).
    location, spread
        Mean and standard deviation of each gene, ``n_genes``.
    axes
        Principal axes of the genes in units of their spread, ``k × n_genes``, orthonormal, the strongest first. Where
        the public cohort has a label, its classes have equal weight in finding them, so that few axes tell rare classes
        apart as well.
    variances
        Of the samples along the axes, ``k``.
    explained
        Share of the variance of unseen public samples that the first 1 … k axes explain (cross-validated), ``k``.
    n_samples, source
        Size and name of the public cohort.
    library_sizes
        Mean and standard deviation of log10 library sizes, of counts; ``None`` where the file does not tell.
    shared, own
        How samples of a class vary, in units of the genes' spreads: loadings along which they vary together,
        ``m × n_genes``, and the variance that these leave each gene, ``n_genes``. ``None`` where the public cohort has
        no label.
    """

    genes: tuple[str, ...]
    kind: str
    location: Floats
    spread: Floats
    axes: Floats
    variances: Floats
    explained: Floats
    n_samples: int
    source: str
    library_sizes: tuple[float, float] | None = None
    shared: Floats | None = None
    own: Floats | None = None

    def aligned(self, cohort: Cohort) -> Basis:
        """Return the basis for the genes of ``cohort``, in their order.

        Raises
        ------
        CohortError
            The two are of different kinds, or genes of the cohort are not in the basis.
        """
        if self.kind != cohort.kind:
            raise CohortError(
                f"The basis {self.source} is one of {self.kind} profiles; {cohort.source} holds {cohort.kind} ones."
            )
        return self.of_genes(list(cohort.genes))

    def of_genes(self, genes: Sequence[str]) -> Basis:
        """Return the basis for ``genes``, in their order.

        Raises
        ------
        CohortError
            Some of them are not in the basis.
        """
        place = {gene: index for index, gene in enumerate(self.genes)}
        lacking = [gene for gene in genes if gene not in place]
        if len(lacking) == len(genes):
            raise CohortError(
                f"The cohort and the basis {self.source} have no gene in common ('{shorten(genes[0])}', "
                f"'{shorten(self.genes[0])}'). Use the same gene identifiers in both."
            )
        if lacking:
            raise CohortError(
                f"{len(lacking):,} of the cohort's {len(genes):,} genes are not in the basis {self.source}, "
                f"such as '{shorten(lacking[0])}'. Keep the common genes, or build the basis anew."
            )
        rows = np.array([place[gene] for gene in genes])
        axes = self.axes[:, rows]
        if len(rows) == len(self.genes):
            variances = self.variances
        elif self.shared is not None:
            # Some genes are gone: the axes are made orthonormal again, in their order, which is not that of variances.
            turned, steps = np.linalg.qr(axes.T)
            axes, variances = turned.T, steps**2 @ self.variances
        else:
            # As the principal axes of the part that is left.
            _, strengths, axes = np.linalg.svd(axes * np.sqrt(self.variances)[:, None], full_matrices=False)
            variances = strengths**2
        return Basis(
            tuple(genes), self.kind, self.location[rows], self.spread[rows], axes, variances,
            self.explained, self.n_samples, self.source, self._sizes_of(rows),
            None if self.shared is None else self.shared[:, rows], None if self.own is None else self.own[rows],
        )  # fmt: skip

    def _sizes_of(self, rows: NDArray[np.intp]) -> tuple[float, float] | None:
        """Return the library sizes of the genes at ``rows``, by their share of the counts of a usual sample."""
        if self.library_sizes is None:
            return None
        parts = np.maximum(np.exp2(np.minimum(self.location, MOST_LOG)) - 1.0, 0.0)
        share = max(float(parts[rows].sum() / max(parts.sum(), 1.0)), LEAST_SHARE)
        return self.library_sizes[0] + math.log10(share), self.library_sizes[1]

    def residual(self) -> Floats:
        """Return the variance of each gene that the axes leave, in units of its spread squared, ``n_genes``."""
        left: Floats = np.maximum(1.0 - self.variances @ self.axes**2, LEAST_SPREAD)
        return left

    def save(self, path: str | Path) -> Path:
        """Write the basis, whole or not at all."""
        from .generators._modelfile import write_model

        header: dict[str, Any] = {"what": WHAT, "kind": self.kind, "n_samples": self.n_samples, "source": self.source}
        if self.library_sizes is not None:
            header["library_sizes"] = list(self.library_sizes)
        arrays = {name: getattr(self, name) for name in ("location", "spread", "axes", "variances", "explained")}
        if self.shared is not None and self.own is not None:
            arrays |= {"shared": self.shared, "own": self.own}
        return write_model(Path(path), header, {**arrays, "genes": np.array(self.genes, dtype=np.str_)})


def build_basis(public: Cohort, factors: int | None = None) -> Basis:
    """Reduce a public cohort to a basis.

    Parameters
    ----------
    public
        Samples that are open to everyone; none of them may be in the private cohort. With a label, whose classes need
        not be those of the private cohort, twins keep more at the same exposure.
    factors
        Number of axes; ``None``: a third of the number of samples, at most 60.

    Raises
    ------
    CohortError
        The cohort has fewer than ten samples.
    ConfigError
        The number of axes is below 1 or above what the cohort has samples for.
    """
    if public.n_samples < 10:
        raise CohortError(f"{public.source}: {public.n_samples} samples are too few for a basis; 10 are the least.")
    most = min(public.n_samples // PER_FACTOR, public.n_genes, MOST_FACTORS)
    k = most if factors is None else factors
    if not 1 <= k <= min(public.n_samples * (FOLDS - 1) // FOLDS - 1, public.n_genes):
        raise ConfigError(f"A basis of {k} axes cannot be built from {public.n_samples} samples; {most} would do.")
    x = log_cpm(public.dense()) if public.kind == "counts" else public.dense()
    location, spread = x.mean(axis=0), np.maximum(x.std(axis=0, ddof=1), LEAST_SPREAD)
    standard = (x - location) / spread
    codes = np.unique(public.labels(), return_inverse=True)[1] if public.label is not None else np.zeros(len(x), int)
    axes, variances = _axes(standard, codes, k)
    sizes = None
    if public.kind == "counts":
        logs = np.log10(np.maximum(public.dense().sum(axis=1), 1.0))
        sizes = float(logs.mean()), float(logs.std(ddof=1))
    return Basis(
        tuple(map(str, public.genes)), public.kind, location, spread, axes, variances, _explained(standard, codes, k),
        public.n_samples, public.source, sizes, *(_within(standard, codes, k) if codes.any() else (None, None)),
    )  # fmt: skip


def _axes(standard: Floats, codes: NDArray[np.intp], k: int) -> tuple[Floats, Floats]:
    """Return the leading ``k`` axes of samples whose classes have equal weight, and the variance of samples there."""
    weights = 1.0 / np.maximum(np.bincount(codes), FEW)[codes]
    weights *= len(standard) / weights.sum()
    axes, _ = _principal((standard - weights @ standard / len(standard)) * np.sqrt(weights)[:, None], k)
    return axes, (standard @ axes.T).var(axis=0, ddof=1)


def _within(standard: Floats, codes: NDArray[np.intp], k: int) -> tuple[Floats, Floats]:
    """Return the loadings of the ``k`` leading principal axes within classes, and what these leave of the variances."""
    apart = standard - np.stack([standard[codes == code].mean(axis=0) for code in range(codes.max() + 1)])[codes]
    freedom = max(len(standard) - codes.max() - 1, 1)
    axes, variances = _principal(apart, k)
    loadings: Floats = np.sqrt(variances * (len(standard) - 1) / freedom)[:, None] * axes
    left = (apart**2).sum(axis=0) / freedom - (loadings**2).sum(axis=0)
    return loadings, np.maximum(left, LEAST_SPREAD)


def _principal(standard: Floats, k: int) -> tuple[Floats, Floats]:
    """Return the leading ``k`` axes and the variance along them; no gene × gene matrix is formed."""
    values, vectors = np.linalg.eigh(standard @ standard.T)
    values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
    axes = (vectors / np.sqrt(np.maximum(values, 1e-12))).T @ standard
    # Where nothing varies any more, any direction will do; all stay orthonormal.
    return np.linalg.qr(axes.T)[0].T, np.maximum(values, 0.0) / (len(standard) - 1)


def _explained(standard: Floats, codes: NDArray[np.intp], k: int) -> Floats:
    """Return the share of the variance of left-out samples that the first 1 … k axes of the others explain."""
    fold = np.arange(len(standard)) % FOLDS
    along, total = np.zeros(k), 0.0
    for number in range(FOLDS):
        axes, _ = _axes(standard[fold != number], codes[fold != number], k)
        left_out = standard[fold == number]
        along += ((left_out @ axes.T) ** 2).sum(axis=0)
        total += float((left_out**2).sum())
    shares: Floats = np.cumsum(along) / max(total, 1e-300)
    return shares


def read_basis(path: str | Path) -> Basis:
    """Read a basis; nothing in the file is executed.

    Raises
    ------
    CohortError
        The file is missing, damaged or not a basis.
    """
    from .generators._modelfile import DAMAGE, not_a_model, read_model

    header, arrays = read_model(Path(path))
    try:
        if header["what"] != WHAT:
            raise ValueError("another kind of file")
        parts: dict[str, Any] = {
            name: np.asarray(arrays[name], dtype=np.float64)
            for name in ("location", "spread", "axes", "variances", "explained")
        }
        genes = tuple(map(str, arrays["genes"]))
        k = len(parts["variances"])
        shapes = {"location": (len(genes),), "spread": (len(genes),), "axes": (k, len(genes)), "explained": (k,)}
        if any(parts[name].shape != shape for name, shape in shapes.items()) or not genes or not k:
            raise ValueError("arrays of other shapes")
        if not all(np.isfinite(part).all() for part in parts.values()) or (parts["spread"] <= 0).any():
            raise ValueError("values that no basis has")
        if np.abs(parts["axes"] @ parts["axes"].T - np.eye(k)).max() > ORTHONORMAL or (parts["variances"] < 0).any():
            raise ValueError("axes that are not orthonormal")
        shared, own = _variation(arrays.get("shared"), arrays.get("own"), len(genes))
        return Basis(
            genes, str(header["kind"]), **parts, n_samples=int(header["n_samples"]), source=str(header["source"]),
            library_sizes=_sizes(header.get("library_sizes")), shared=shared, own=own,
        )  # fmt: skip
    except DAMAGE as error:
        raise not_a_model(Path(path), error) from error


def _sizes(told: Any) -> tuple[float, float] | None:
    """Return library sizes as a file tells them; files of earlier versions do not."""
    if told is None:
        return None
    mean, spread = map(float, told)
    if not (0 <= mean <= MOST_DECADES and 0 <= spread <= MOST_DECADES):
        raise ValueError("library sizes that no cohort has")
    return mean, spread


def _variation(shared: Any, own: Any, n_genes: int) -> tuple[Floats, Floats] | tuple[None, None]:
    """Return how samples of a class vary as a file tells it; files of unlabelled cohorts do not."""
    if shared is None and own is None:
        return None, None
    loadings, left = np.asarray(shared, dtype=np.float64), np.asarray(own, dtype=np.float64)
    if loadings.ndim != 2 or loadings.shape[1] != n_genes or left.shape != (n_genes,):
        raise ValueError("loadings of another shape")
    if not np.isfinite(loadings).all() or not np.isfinite(left).all() or (left <= 0).any():
        raise ValueError("variances that no basis has")
    return loadings, left
