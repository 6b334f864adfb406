r"""The community benchmark's NMF model: clusters of samples, one spread for all genes, labels by a forest.

Samples are embedded by a non-negative factorisation and cut into clusters by k-means. A profile is
:math:`x = \max(0, \mu_k + \sigma e)` with :math:`\mu_k` the mean *profile* of a cluster drawn by its size,
:math:`e \sim N(0, I)` and a single :math:`\sigma^2`, the within-cluster variance averaged over clusters and genes. A
random forest of the embeddings draws its label.

Written anew from the description and the public code of the authors (BulkNMFGenerator), which the benchmark's figures
come from; there the noise of "DP-NMF" at ε, δ = 10⁻⁵ has standard deviation
:math:`R\,\sqrt{2 \ln(1.25/\delta)} / (n_k \varepsilon)` on each :math:`\mu_k`, with R the largest norm of a sample.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.cluster import KMeans
from sklearn.decomposition import MiniBatchNMF, non_negative_factorization
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning

from ._margins import stratum_rows, under

Floats = NDArray[np.float64]
BATCH = 1000
TREES = 100
DELTA = 1e-5
LEAST_POOL = 200
MOST_ROUNDS = 20
"""Rounds of draws after which a class that the forest hardly ever names takes the draws that come nearest to it."""


@dataclass(frozen=True, eq=False)
class ClusterModel:
    """The fitted model.

    Parameters
    ----------
    basis
        Metagenes, ``rank × n_genes``.
    means
        Mean profile of each cluster, noise included where there is any.
    shares
        Share of samples in each cluster.
    spread
        σ.
    embedded, codes
        Embeddings and classes of training samples: what the forest is grown from.
    seed
        Seed of the forest.
    """

    basis: Floats
    means: Floats
    shares: Floats
    spread: float
    embedded: Floats
    codes: NDArray[np.intp]
    seed: int

    @classmethod
    def fit(
        cls,
        x: Floats,
        codes: NDArray[np.intp],
        rank: int,
        clusters: int,
        epsilon: float | None,
        rng: np.random.Generator,
    ) -> ClusterModel:
        """Learn from non-negative profiles, ``n × n_genes``; ``epsilon`` sets the noise on the means of clusters."""
        seed = int(rng.integers(2**31))
        factorisation = MiniBatchNMF(min(rank, *x.shape), random_state=seed)
        for start in range(0, len(x), BATCH):
            factorisation.partial_fit(x[start : start + BATCH])
        basis = np.asarray(factorisation.components_, dtype=np.float64)
        embedded = embed(x, basis)
        # A cluster for each sample would make every draw a copy.
        most = min(clusters, max(len(x) // 2, 1), len(np.unique(embedded, axis=0)))
        places = KMeans(most, n_init=10, random_state=seed).fit(embedded).labels_
        members = [rows for _, rows in stratum_rows(places)]
        means = np.stack([x[rows].mean(axis=0) for rows in members])
        sizes = np.array([len(rows) for rows in members])
        spread = float(np.sqrt(np.mean([x[rows].var(axis=0) for rows in members])))
        if epsilon is not None:
            norm = np.linalg.norm(x, axis=1).max()
            noise = norm / sizes * np.sqrt(2 * np.log(1.25 / DELTA)) / epsilon
            means = np.maximum(means + noise[:, None] * rng.standard_normal(means.shape), 0.0)
        return cls(basis, means, sizes / sizes.sum(), max(spread, 1e-9), embedded, codes, seed)

    @cached_property
    def forest(self) -> RandomForestClassifier:
        """The forest that names classes; grown again from its seed rather than kept in a model file."""
        return RandomForestClassifier(TREES, random_state=self.seed).fit(self.embedded, self.codes)

    def draw(self, codes: NDArray[np.intp], rng: np.random.Generator) -> Floats:
        """Return profiles that the forest's drawn labels put into classes ``codes``.

        Draws of other labels are thrown away, which leaves the model's distribution given the label.
        """
        profiles = np.empty((len(codes), self.means.shape[1]))
        open_places = np.ones(len(codes), dtype=bool)
        for last in [False] * (MOST_ROUNDS - 1) + [True]:
            chosen = rng.choice(len(self.means), max(len(codes), LEAST_POOL), p=self.shares)
            drawn = self.means[chosen] + self.spread * rng.standard_normal((len(chosen), profiles.shape[1]))
            drawn = np.maximum(drawn, 0.0)
            votes = self.forest.predict_proba(embed(drawn, self.basis))
            labels = (votes.cumsum(axis=1) <= rng.random(len(votes))[:, None]).sum(axis=1)
            for code, rows in stratum_rows(codes):
                wanted = rows[open_places[rows]]
                found = np.argsort(-votes[:, code], kind="stable") if last else np.flatnonzero(labels == code)
                filled = wanted[: len(found)]
                profiles[filled] = drawn[found[: len(filled)]]
                open_places[filled] = False
            if not open_places.any():
                break
        return profiles

    def log_density(self, x: Floats, ridges: tuple[float, ...]) -> Floats:
        """Return the log-density of the mixture with variance ``ρσ²`` at each ridge ρ, ``n × n_ridges``.

        The cut at zero and the label, which the forest knows better than any density, are left out.
        """
        squared = (x**2).sum(axis=1)[:, None] - 2 * x @ self.means.T + (self.means**2).sum(axis=1)
        columns = []
        for ridge in ridges:
            variance = ridge * self.spread**2
            normal = -0.5 * (squared / variance + x.shape[1] * np.log(2 * np.pi * variance))
            columns.append(logsumexp(normal + np.log(self.shares), axis=1))
        return np.column_stack(columns)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the model as plain arrays."""
        names = ("basis", "means", "shares", "spread", "embedded", "codes", "seed")
        return {f"clusters.{name}": np.asarray(getattr(self, name)) for name in names}

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> ClusterModel:
        """Invert `state`."""
        found = under("clusters.", state)
        return cls(
            found["basis"],
            found["means"],
            found["shares"],
            float(found["spread"]),
            found["embedded"],
            found["codes"],
            int(found["seed"]),
        )


def embed(x: Floats, basis: Floats) -> Floats:
    """Return non-negative weights of the metagenes in each profile, ``n × rank``, by multiplicative updates."""
    with warnings.catch_warnings():
        # Weights that still move in the third digit are good enough for clusters and for a forest.
        warnings.simplefilter("ignore", ConvergenceWarning)
        weights, _, _ = non_negative_factorization(
            x, H=basis, n_components=len(basis), update_H=False, solver="mu", tol=1e-4, max_iter=200
        )
    return np.asarray(weights, dtype=np.float64)
