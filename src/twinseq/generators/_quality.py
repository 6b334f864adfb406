"""Library quality: how deep a sample is sequenced and how many genes it detects.

Depth and quality move thousands of weakly expressed genes together, each of them too discrete to show it in its own
scores. So the two are drawn as traits of the sample in their own right, jointly with its covariates; and where genes
have zeros to give out, samples that should detect few genes are first in line. Among the samples that do detect a
gene, normalised counts of a sparse gene fall with depth (one count is little in a deep sample and much in a shallow
one) although its detection rises: that order is kept apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ..parallel import run
from ._margins import LatentProfiles, Margins, gene_blocks, stratum_rows, under

Floats = NDArray[np.floating[Any]]
RAKING_STEPS = 8


def standardise(values: Floats) -> NDArray[np.float64]:
    """Return columns with mean 0 and variance 1; constant columns become 0."""
    centred = values - values.mean(axis=0)
    spread = np.sqrt((centred**2).mean(axis=0))
    return np.asarray(centred / np.where(spread > 1e-6, spread, np.inf))


def within(strata: NDArray[np.intp], values: Floats) -> NDArray[np.float64]:
    """Return ``values`` standardised within each stratum."""
    result = np.empty(values.shape)
    for _, rows in stratum_rows(strata):
        result[rows] = standardise(values[rows])
    return result


@dataclass(frozen=True)
class Library:
    """What was drawn for each sample.

    Parameters
    ----------
    traits
        ``n × n_traits``: standardised log size factor and number of detected genes, then the covariates.
    sizes
        Size factors; ``None`` for continuous profiles.
    detected
        Numbers of detected genes aimed at; ``None`` for continuous profiles.
    """

    traits: NDArray[np.float64]
    sizes: NDArray[np.float64] | None
    detected: NDArray[np.float64] | None


@dataclass(frozen=True)
class LibraryModel:
    """Joint distribution of library quality and covariates within strata.

    Parameters
    ----------
    margins
        Of the log2 size factor and the number of detected genes; ``None`` for continuous profiles.
    covariance
        Of all traits, library quality first.
    """

    margins: Margins | None
    covariance: NDArray[np.float64]

    @classmethod
    def fit(
        cls,
        profiles: LatentProfiles,
        strata: NDArray[np.intp],
        n_strata: int,
        encoded: Floats,
        bandwidth: float,
    ) -> tuple[LibraryModel, NDArray[np.float64]]:
        """Learn from training profiles with covariates ``encoded``; also return the traits of the samples."""
        if profiles.factors is None:
            return cls(None, encoded.T @ encoded / max(len(encoded), 1)), np.asarray(encoded, dtype=np.float64)
        detected = np.asarray((profiles.x > 0).sum(axis=1)).ravel()
        quality = np.column_stack([np.log2(profiles.factors), detected])
        margins = Margins.fit(LatentProfiles(quality, None), strata, n_strata, bandwidth)
        traits = np.column_stack([within(strata, quality), encoded])
        return cls(margins, traits.T @ traits / len(traits)), traits

    def draw(self, encoded: Floats, strata: NDArray[np.intp], rng: np.random.Generator) -> Library:
        """Draw the quality of samples whose covariates are ``encoded``, spread evenly over its distribution."""
        if self.margins is None:
            return Library(np.asarray(encoded, dtype=np.float64), None, None)
        own, cross, other = self.covariance[:2, :2], self.covariance[2:, :2], self.covariance[2:, 2:]
        slope = np.linalg.pinv(other) @ cross
        latent = encoded @ slope + rng.multivariate_normal(
            np.zeros(2), own - cross.T @ slope, size=len(encoded), method="eigh"
        )
        quality = np.empty_like(latent)
        for stratum, rows in stratum_rows(strata):
            ordered = self.margins.balanced(stratum, len(rows), slice(0, 2))
            np.put_along_axis(part := np.empty_like(ordered), np.argsort(latent[rows], axis=0), ordered, axis=0)
            quality[rows] = part
        traits = np.column_stack([within(strata, quality), encoded])
        return Library(traits, np.exp2(quality[:, 0]), quality[:, 1])

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the model as plain arrays."""
        margins = {} if self.margins is None else self.margins.state()
        return {"library.covariance": self.covariance} | {f"library.margins.{k}": v for k, v in margins.items()}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> LibraryModel:
        """Invert `state`."""
        found = under("library.margins.", state)
        return cls(Margins.restore(found) if found else None, state["library.covariance"])


def detection_shifts(
    latent: Floats, n_zero: NDArray[np.intp], detected: Floats, n_genes: int, strata: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return by how much each sample's latent values are shifted when zeros are given out.

    Every gene gives its zeros to the samples with the lowest shifted latent values. The shifts are raked until the
    numbers of zeros spread over the samples as they should.

    Parameters
    ----------
    latent
        ``n × m`` latent normals of genes that have zeros to give out.
    n_zero
        ``n_strata × m`` zeros that each of these genes gives out in each stratum.
    detected
        Number of detected genes aimed at, per sample.
    n_genes
        Number of all genes, of which ``detected`` are counted.
    strata
        Stratum of each sample.
    """
    shifts = np.zeros(len(latent))
    for stratum, rows in stratum_rows(strata):
        zeros = n_zero[stratum]
        total = int(zeros.sum())
        aimed = n_genes - detected[rows]
        if len(rows) < 2 or total == 0 or aimed.sum() <= 0:
            continue
        goal = _as_scores(aimed * (total / aimed.sum()), latent.shape[1])
        for _ in range(RAKING_STEPS):
            given = zero_mask(latent[rows] + shifts[rows, None], zeros).sum(axis=1)
            shifts[rows] += 0.7 * (_as_scores(given, latent.shape[1]) - goal)
    return shifts


def zero_mask(shifted: Floats, n_zero: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Mark the ``n_zero`` lowest values of each column."""
    place = np.argsort(np.argsort(shifted, axis=0, kind="stable"), axis=0, kind="stable")
    return np.asarray(place < n_zero)


def depth_association(
    profiles: LatentProfiles, strata: NDArray[np.intp], depth: Floats, jobs: int = 1
) -> NDArray[np.float32]:
    """Return the correlation of each gene with ``depth`` over the samples that detect it, within strata (``G``)."""

    def one(genes: slice) -> Floats:
        y = profiles.block(genes)
        joint, own, other = np.zeros((3, y.shape[1]))
        for _, rows in stratum_rows(strata):
            live = y[rows] > 0
            value, along = _centred(y[rows], live), _centred(depth[rows, None], live)
            joint += (value * along).sum(axis=0)
            own += (value**2).sum(axis=0)
            other += (along**2).sum(axis=0)
        scale = np.sqrt(own * other)
        return np.asarray(joint / np.where(scale > 1e-9, scale, np.inf))

    found = run(one, gene_blocks(profiles.x.shape[1]), jobs)
    return np.concatenate(found).astype(np.float32)


def order_with_depth(latent: Floats, live: NDArray[np.bool_], depth: Floats, association: Floats) -> Floats:
    """Return latent values that, where a gene is ``live``, correlate with ``depth`` by ``association`` (per gene)."""
    along = _centred(depth[:, None], live)
    along /= np.sqrt(np.maximum((along**2).mean(axis=0), 1e-12))
    value = _centred(latent, live)
    rest = value - along * (value * along).mean(axis=0)
    rest /= np.sqrt(np.maximum((rest**2).mean(axis=0), 1e-12))
    return np.asarray(rest * np.sqrt(np.maximum(1.0 - association**2, 0.0)) + along * association)


def _centred(values: Floats, live: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return values minus their mean over the ``live`` entries of each column, and 0 elsewhere."""
    kept = np.where(live, values, 0.0)
    return np.where(live, kept - kept.sum(axis=0) / np.maximum(live.sum(axis=0), 1), 0.0)


def _as_scores(zeros: Floats, n_genes: int) -> NDArray[np.float64]:
    """Return Φ⁻¹ of the share of genes that are zero, kept away from 0 and 1."""
    return np.asarray(ndtri(np.clip(zeros, 0.5, n_genes - 0.5) / n_genes))
