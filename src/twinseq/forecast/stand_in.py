r"""Cohorts made up from published figures, to stand in for one that must not be looked at.

On the log2 scale a sample of class c is

.. math:: x = m + s ∘ (A^\top (v_c + τ t) + L^\top f + e).

Means m and spreads s of genes are drawn as they are distributed in public cohorts. Classes lie at the places v along
K − 1 axes A, the strongest of which has two thirds of what differs, the next two thirds of the rest. Samples scatter
about them by τ, which fixes how well anybody can tell the classes apart. Factors L have the shares of variance that
principal components have in public cohorts; class axes are partly along the strongest of them, as in real ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from ..cohort import Cohort
from .noise import APART, SPREAD, UNEVEN

Floats = NDArray[np.float64]
FACTORS = np.array([0.20, 0.14, 0.05, 0.03, 0.025, 0.02, 0.017, 0.015, 0.014, 0.012])
"""Shares of the variance within classes along the strongest factors."""
LEADING = 0.67
"""Share of what differs between classes that lies along the first of the remaining axes."""
ALONG_FACTORS = 0.35
"""Share of a class axis that lies along the strongest factors but the first."""
SHARED_FACTORS = slice(1, 5)
DRAWS = 4000


@dataclass(frozen=True)
class Contrast:
    """How much classes differ.

    Parameters
    ----------
    difference
        Between two classes, root mean square over genes, in standard deviations of a gene within classes.
    accuracy
        Weighted F1 that the best possible classifier reaches.
    """

    difference: float
    accuracy: float


CONTRASTS = {
    "tissues": Contrast(0.9, 0.995),
    "subtypes": Contrast(0.85, 0.92),
    "disease": Contrast(0.4, 0.85),
}
"""Tumour against normal tissue; subtypes of one tumour; blood of the ill and the well. From public cohorts."""


@dataclass(frozen=True, eq=False)
class StandIn:
    """A made-up population.

    Parameters
    ----------
    location, spread
        Of the genes, log2, ``n_genes``.
    places
        Of the classes along the class axes, ``n_classes × n_axes``.
    scatter
        Of samples about them, ``n_axes``.
    axes, loadings
        ``n_axes × n_genes`` and ``n_factors × n_genes``.
    """

    location: Floats
    spread: Floats
    places: Floats
    scatter: Floats
    axes: Floats
    loadings: Floats

    def draw(self, sizes: NDArray[np.intp], rng: np.random.Generator) -> Cohort:
        """Return a cohort with ``sizes`` samples of each class, continuous values."""
        codes = np.repeat(np.arange(len(sizes)), sizes)
        along = self.places[codes] + self.scatter * rng.standard_normal((len(codes), len(self.scatter)))
        x = along @ self.axes + rng.standard_normal((len(codes), len(self.loadings))) @ self.loadings
        left = 1.0 - (self.loadings**2).sum(axis=0) - (self.scatter**2) @ self.axes**2
        x += np.sqrt(np.maximum(left, 0.05)) * rng.standard_normal(x.shape)
        names = pd.Categorical([f"class {code}" for code in codes])
        obs = pd.DataFrame({"class": names}, index=[f"sample {row}" for row in range(len(codes))])
        genes = pd.DataFrame(index=[f"gene {column}" for column in range(x.shape[1])])
        values = np.clip(self.location + self.spread * x, 0.0, 20.0)
        return Cohort(AnnData(values, obs=obs, var=genes), label="class", kind="continuous", source="stand-in")


def make_up(
    sizes: NDArray[np.intp], n_genes: int, contrast: Contrast, level: float, rng: np.random.Generator
) -> StandIn:
    """Return a made-up population.

    Parameters
    ----------
    sizes
        Samples of each class.
    n_genes
        Number of genes.
    contrast
        How much classes differ.
    level
        Mean of the genes' means, log2.
    rng
        For everything that is drawn.
    """
    n_classes = len(sizes)
    loadings = rng.standard_normal((len(FACTORS), n_genes)) * np.sqrt(FACTORS)[:, None]
    n_axes = max(n_classes - 1, 1)
    shares = LEADING * (1.0 - LEADING) ** np.arange(n_axes)
    shares /= shares.sum()
    strong = loadings[SHARED_FACTORS] / math.sqrt(float((loadings[SHARED_FACTORS] ** 2).sum()) / n_genes)
    mixed = rng.standard_normal((n_axes, len(strong))) @ strong
    mixed /= np.sqrt((mixed**2).mean(axis=1, keepdims=True))
    axes = math.sqrt(ALONG_FACTORS) * mixed + math.sqrt(1.0 - ALONG_FACTORS) * rng.standard_normal((n_axes, n_genes))
    axes /= np.sqrt((axes**2).mean(axis=1, keepdims=True))
    places = _places(n_classes, n_axes, rng) * np.sqrt(shares)
    apart = ((places[:, None] - places) ** 2).sum(axis=2)[np.triu_indices(n_classes, 1)]
    places *= contrast.difference / math.sqrt(float(apart.mean())) if len(apart) else 0.0
    scatter = np.full(n_axes, _scatter(places, sizes, contrast.accuracy, rng))
    location = level + APART * rng.standard_normal(n_genes)
    spread = SPREAD * np.exp(UNEVEN * rng.standard_normal(n_genes))
    return StandIn(location, spread, places, scatter, axes, loadings)


def _places(n_classes: int, n_axes: int, rng: np.random.Generator) -> Floats:
    """Return classes at about equal distances from each other, turned at random, ``n_classes × n_axes``."""
    if n_classes == 1:
        return np.zeros((1, 1))
    centred = np.eye(n_classes) - 1.0 / n_classes
    corners = np.linalg.svd(centred)[0][:, :n_axes]
    turned: Floats = corners @ np.linalg.qr(rng.standard_normal((n_axes, n_axes)))[0]
    return turned


def _scatter(places: Floats, sizes: NDArray[np.intp], accuracy: float, rng: np.random.Generator) -> float:
    """Return the scatter about ``places``, alike along all axes, at which the best classifier has this weighted F1."""
    if len(places) == 1:
        return 0.0
    codes = rng.choice(len(sizes), DRAWS, p=sizes / sizes.sum())
    drawn = rng.standard_normal((DRAWS, places.shape[1]))
    prior = np.log(sizes / sizes.sum())
    low, high = 1e-3, 1e3
    for _ in range(40):
        middle = math.sqrt(low * high)
        x = places[codes] + middle * drawn
        distance = ((x[:, None] - places) ** 2).sum(axis=2) / (2 * middle**2)
        f1 = f1_score(codes, (prior - distance).argmax(axis=1), average="weighted", zero_division=0.0)
        low, high = (middle, high) if f1 > accuracy else (low, middle)
    return low
