"""What generators with differential privacy share: nothing reaches the model but through the ledger.

The unit is the donor: each has a weight of 1, divided among its samples. Class counts and covariates are paid for here,
profiles by the subclass. What is public by assumption is written into the ledger: gene names, names of
classes and columns, bounds. The rest of the gene table is left out of a twin, since figures computed from the
data (means, variable genes) are often kept there.

The seed fixes neither the noise nor anything else that the guarantee rests on, so that two fits with one seed differ.
"""

from __future__ import annotations

import json
import warnings
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..cohort import Cohort, shorten
from ..dp.budget import Budget, PrivacyWarning, Spending, check_delta
from ..dp.ledger import Ledger, LedgerError
from ..dp.mechanisms import donor_weights, gaussian
from ..errors import CohortError, ConfigError
from ._base import Frame, Generator, class_names, class_table
from ._private_covariates import PrivateCovariates

Floats = NDArray[np.float64]
COUNTS_SHARE = 0.05
COVARIATES_SHARE = 0.04
ROUNDING = 1e-4
FEW = 2.0
"""Standard deviations of the noise on its count below which a class is as good as not there."""


class PrivateGenerator(Generator):
    """A generator whose every look at the data is noised and charged.

    Fitting spends the whole budget. Besides what `Generator.fit` refuses, it refuses a δ that is too large for the
    number of donors, samples of a donor without a donor column, a class that is not among those stated, and a covariate
    without its range.

    Attributes
    ----------
    ledger_
        What was asked of the data.
    counts_
        Noisy number of donors in each class.
    """

    epsilon: float | None
    delta: float | None
    classes: str | None
    ranges: str | None
    ledger_: Ledger
    counts_: Floats

    @abstractmethod
    def _ask(
        self, cohort: Cohort, codes: NDArray[np.intp], weights: Floats, spending: Spending, rng: np.random.Generator
    ) -> None:
        """Learn the profiles.

        Parameters
        ----------
        cohort
            Training data.
        codes
            Class of each sample, as a row of ``classes_``.
        weights
            Of the samples; those of each donor add up to 1.
        spending
            What is left of the budget, all of which may be spent; the ledger is charged by the mechanisms.
        rng
            For what the guarantee does not rest on (starting values).
        """

    def _check_privacy(self) -> Budget:
        """Check the settings that private generators have in common, and return the budget."""
        return Budget(self.epsilon, self.delta)  # type: ignore[arg-type]  # a missing one is refused there

    def _classify(self, cohort: Cohort) -> NDArray[np.intp]:
        if cohort.donor is None and (cohort.paired or cohort.cell_type is not None):
            raise CohortError(
                f"{cohort.source}: several samples may be of one donor, and no donor column is stated. A guarantee is "
                "given to donors: state the column (donor=..., --donor)."
            )
        codes, self.classes_ = _public_classes(cohort, self.classes)
        return codes

    def _fit(self, cohort: Cohort, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PrivacyWarning)  # said when the generator was made
            budget = self._check_privacy()
        donors = cohort.donors()
        check_delta(budget, len(set(donors)), cohort.source)
        spending = Spending(budget, Ledger())
        ledger = spending.ledger
        ledger.assume("gene names, column names and types, kind of profiles")
        if cohort.donor is None:
            ledger.assume("that every sample is of another donor (no donor column was stated)")
        n_classes = len(self.classes_)
        if n_classes > 1:
            ledger.assume("the names of the classes: " + ", ".join(map(shorten, class_names(self.classes_))))
        weights = donor_weights(donors)
        counts: Floats = np.bincount(codes, weights, minlength=n_classes).astype(np.float64)
        noise = spending.take(COUNTS_SHARE)
        self.counts_ = gaussian(counts, 1.0, noise, ledger, "number of donors in each class")
        self._warn_of_small(noise)
        self.class_sizes_ = np.maximum(np.rint(self.counts_), 2).astype(np.intp)
        self.covariates_ = PrivateCovariates.fit(
            cohort, codes, n_classes, weights, self.ranges, spending, COVARIATES_SHARE
        )
        self._ask(cohort, codes, weights, spending, rng)
        spent = ledger.epsilon(budget.delta)
        if spent > budget.epsilon * (1.0 + ROUNDING):
            raise LedgerError(f"{self.info.name} has spent epsilon = {spent:.6g} of {budget.epsilon:g}. This is a bug.")
        self.ledger_ = ledger

    def _frame_of(self, cohort: Cohort) -> Frame:
        frame = Frame.of(cohort)
        return Frame(frame.var[[]], frame.obs, frame.roles, frame.dtype, frame.sparse)

    def _warn_of_small(self, noise: float) -> None:
        small = np.flatnonzero(self.counts_ < FEW * noise)
        if len(small):
            known = class_names(self.classes_) or ["all"]
            names = ", ".join(f"'{shorten(known[place])}'" for place in small)
            enough = float(self.epsilon or 0.0) * FEW * noise / max(float(self.counts_[small].min()), 1.0)
            warnings.warn(
                f"{self.info.name}: at epsilon = {self.epsilon:g} the number of donors of a class has a noise of "
                f"± {noise:.0f}, and {names} cannot be told from nothing. Merge it with another class, or take "
                f"epsilon = {np.ceil(enough):.0f} or more.",
                PrivacyWarning,
                stacklevel=4,
            )

    def _state(self) -> dict[str, NDArray[Any]]:
        ledger = np.frombuffer(json.dumps(self.ledger_.to_dict()).encode(), dtype=np.uint8)
        return {"ledger": ledger, "counts": self.counts_, **self.covariates_.state()}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self.ledger_ = Ledger.from_dict(json.loads(state["ledger"].tobytes()))
        self.counts_ = state["counts"]
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
