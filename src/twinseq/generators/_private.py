"""What generators with differential privacy share: nothing reaches the model but through the ledger.

The unit is the donor: each has a weight of 1, divided among its samples. Class counts, library sizes and covariates are
paid for here, profiles by the subclass. What is public by assumption is written into the ledger: gene names, names of
classes and columns, bounds. The rest of the gene table is left out of a twin, since figures computed from the
data (means, variable genes) are often kept there.

The seed fixes neither the noise nor anything else that the guarantee rests on, so that two fits with one seed differ.
"""

from __future__ import annotations

import json
import warnings
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..cohort import Cohort, shorten
from ..dp.budget import Budget, PrivacyWarning, Spending, check_delta
from ..dp.ledger import Ledger, LedgerError
from ..dp.mechanisms import donor_weights, gaussian
from ..errors import CohortError, ConfigError
from ._base import Frame, Generator, class_names, class_table, random_from, takes_kind
from ._private_covariates import PrivateCovariates
from ._private_panel import voted_panel
from ._private_scale import LOG_CPM_BOUNDS, PrivateScale, parse_bounds

Floats = NDArray[np.float64]
COUNTS_SHARE = 0.05
SIZES_SHARE = 0.01
COVARIATES_SHARE = 0.04
PANEL_SHARE = 0.1
"""Of each of the two questions by which a panel is chosen."""
ROUNDING = 1e-4
FEW = 2.0
"""Standard deviations of the noise on its count below which a class is as good as not there."""


class PrivateGenerator(Generator):
    """A generator whose every look at the data is noised and charged.

    Attributes
    ----------
    ledger_
        What was asked of the data.
    counts_
        Noisy number of donors in each class.
    """

    epsilon: float | None
    delta: float | None
    bounds: str
    classes: str | None
    ranges: str | None
    panel: int | None = None
    ledger_: Ledger
    counts_: Floats

    @abstractmethod
    def _fit_profiles(
        self, x: Floats, codes: NDArray[np.intp], weights: Floats, spending: Spending, rng: np.random.Generator
    ) -> None:
        """Learn from values on the bounded scale.

        Parameters
        ----------
        x
            ``n_samples × n_genes``, between ``scale_.lowest`` and ``scale_.highest``.
        codes
            Class of each sample, as a row of ``classes_``.
        weights
            Of the samples; those of each donor add up to 1.
        spending
            What is left of the budget, all of which may be spent; the ledger is charged by the mechanisms.
        rng
            For what the guarantee does not rest on (starting values).
        """

    @abstractmethod
    def _draw(self, codes: NDArray[np.intp], rng: np.random.Generator) -> Floats:
        """Return values on the bounded scale, ``n × n_genes``, of new samples of classes ``codes``."""

    def _check_privacy(self) -> Budget:
        """Check the settings that private generators have in common, and return the budget."""
        parse_bounds(self.info.name, self.bounds)
        if self.panel is not None and self.panel < 2:
            raise ConfigError(f"{self.info.name}: panel must be at least 2 genes, not {self.panel}.")
        return Budget(self.epsilon, self.delta)  # type: ignore[arg-type]  # a missing one is refused there

    def fit(self, cohort: Cohort, seed: int = 0, jobs: int = 1) -> Self:
        """Learn from ``cohort``, spending the whole budget; see `Generator.fit`.

        Raises
        ------
        CohortError
            The generator cannot take this kind of profiles, or donors are needed and not stated.
        ConfigError
            δ is too large for the number of donors, a class is not among those stated, or a range is missing.

        Warns
        -----
        PrivacyWarning
            A class is too small for the budget.
        """
        takes_kind(self.info, cohort)
        if cohort.donor is None and (cohort.paired or cohort.cell_type is not None):
            raise CohortError(
                f"{cohort.source}: several samples may be of one donor, and no donor column is stated. A guarantee is "
                "given to donors: state the column (donor=..., --donor)."
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PrivacyWarning)  # said when the generator was made
            budget = self._check_privacy()
        donors = cohort.donors()
        check_delta(budget, len(set(donors)), cohort.source)
        rng = random_from(seed)
        spending = Spending(budget, Ledger())
        ledger = spending.ledger
        ledger.assume("gene names, column names and types, kind of profiles")
        if cohort.donor is None:
            ledger.assume("that every sample is of another donor (no donor column was stated)")
        codes, self.classes_ = _public_classes(cohort, self.classes)
        if len(self.classes_) > 1:
            ledger.assume("the names of the classes: " + ", ".join(map(shorten, class_names(self.classes_))))
        weights = donor_weights(donors)
        n_classes = len(self.classes_)
        counts: Floats = np.bincount(codes, weights, minlength=n_classes).astype(np.float64)
        noise = spending.take(COUNTS_SHARE)
        self.counts_ = gaussian(counts, 1.0, noise, ledger, "number of donors in each class")
        self._warn_of_small(noise)
        self.class_sizes_ = np.maximum(np.rint(self.counts_), 2).astype(np.intp)
        bounds = parse_bounds(self.info.name, self.bounds)
        if self.panel is not None and self.panel < cohort.n_genes:
            cohort = self._narrowed(cohort, bounds, weights, spending)
        sizes = spending.take(SIZES_SHARE) if cohort.kind == "counts" else 1.0
        self.scale_ = PrivateScale.fit(cohort, bounds, weights, sizes, ledger)
        ledger.assume(f"that values lie between {self.scale_.lowest:g} and {self.scale_.highest:g} on the log scale")
        self.covariates_ = PrivateCovariates.fit(
            cohort, codes, n_classes, weights, self.ranges, spending, COVARIATES_SHARE
        )
        with threadpool_limits(1):
            self._fit_profiles(self.scale_.apply(cohort), codes, weights, spending, rng)
        spent = ledger.epsilon(budget.delta)
        if spent > budget.epsilon * (1.0 + ROUNDING):
            raise LedgerError(f"{self.info.name} has spent epsilon = {spent:.6g} of {budget.epsilon:g}. This is a bug.")
        self.ledger_ = ledger
        frame = Frame.of(cohort)
        self.frame_ = Frame(frame.var[[]], frame.obs, frame.roles, frame.dtype, frame.sparse)
        return self

    def _narrowed(self, cohort: Cohort, bounds: tuple[float, float], weights: Floats, spending: Spending) -> Cohort:
        """Return the cohort with the genes of its panel, chosen for two shares of the budget."""
        low, high = LOG_CPM_BOUNDS if cohort.kind == "counts" else bounds
        x = PrivateScale(cohort.kind == "counts", low, high).apply(cohort)
        x = (x - low) * LOG_CPM_BOUNDS[1] / (high - low)
        total = max(float(self.counts_.sum()), 1.0)
        asked = (spending.take(PANEL_SHARE), spending.take(PANEL_SHARE))
        assert self.panel is not None
        chosen = voted_panel(x, weights, total, self.panel, asked, spending.ledger)
        return cohort.with_adata(cohort.adata[:, chosen].copy())

    def _warn_of_small(self, noise: float) -> None:
        small = np.flatnonzero(self.counts_ < FEW * noise)
        if len(small):
            names = ", ".join(f"'{shorten(class_names(self.classes_)[place])}'" for place in small)
            enough = float(self.epsilon or 0.0) * FEW * noise / max(float(self.counts_[small].min()), 1.0)
            warnings.warn(
                f"{self.info.name}: at epsilon = {self.epsilon:g} the number of donors of a class has a noise of "
                f"± {noise:.0f}, and {names} cannot be told from nothing. Merge it with another class, or take "
                f"epsilon = {np.ceil(enough):.0f} or more.",
                PrivacyWarning,
                stacklevel=3,
            )

    def _fit(self, cohort: Cohort, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int) -> None:
        raise NotImplementedError("private generators learn by _fit_profiles")

    def _sample(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        known = self.covariates_.sample(codes, rng)
        return self.scale_.invert(self._draw(codes, rng), rng), known

    def _state(self) -> dict[str, NDArray[Any]]:
        ledger = np.frombuffer(json.dumps(self.ledger_.to_dict()).encode(), dtype=np.uint8)
        return {"ledger": ledger, "counts": self.counts_, **self.scale_.state(), **self.covariates_.state()}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.ledger_ = Ledger.from_dict(json.loads(state["ledger"].tobytes()))
        self.counts_ = state["counts"]
        self.scale_ = PrivateScale.restore(state)
        self.covariates_ = PrivateCovariates.restore(state)


def _public_classes(cohort: Cohort, stated: str | None) -> tuple[NDArray[np.intp], pd.DataFrame]:
    """Return the class of each sample and the table of classes, which hangs on no donor where the classes are public.

    Classes are those stated; else all categories of a categorical label; else those that occur.
    """
    codes, table = class_table(cohort)
    columns = list(table.columns)
    if not columns:
        return codes, table
    levels = []
    for column in columns:
        values = cohort.obs[column]
        if stated is not None and column == cohort.label:
            levels.append([name.strip() for name in stated.split(",")])
        elif isinstance(values.dtype, pd.CategoricalDtype):
            levels.append([str(name) for name in values.cat.categories])
        else:
            levels.append(sorted(values.astype(str).unique()))
    product = pd.MultiIndex.from_product(levels, names=columns)
    found = pd.MultiIndex.from_arrays([cohort.obs[column].astype(str) for column in columns])
    place = product.get_indexer(found)
    if (place < 0).any():
        unknown = " / ".join(map(str, found[int(np.argmin(place))]))
        raise ConfigError(f"{cohort.source}: class '{shorten(unknown)}' is not among those stated in classes.")
    everyone = product.to_frame(index=False)
    for column in columns:
        if not isinstance(cohort.obs[column].dtype, pd.CategoricalDtype) and cohort.obs[column].dtype != object:
            everyone[column] = everyone[column].astype(cohort.obs[column].dtype)
    return place.astype(np.intp), everyone
