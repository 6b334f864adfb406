"""What an attacker of level T2 or T3 knows: a generator with its settings, or a fitted one, in the attacks' own terms.

Attacks import no generators; these two adapters lend them one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from . import generators
from .attacks import NotApplicableError, Samples
from .basis import read_basis
from .cohort import Cohort, Kind
from .errors import CohortError, shorten
from .generators import Generator, NotOfferedError

Made = TypeVar("Made")
CLASS = "class"
PERSON = "person"


def samples_of(cohort: Cohort) -> Samples:
    """Return the profiles of ``cohort`` as an attacker holds them.

    Classes are those of label and cell type. Whose a profile is, is known where the cohort states donors.
    """
    values = cohort.dense(dtype=cohort.adata.X.dtype)
    people = None if cohort.donor is None else cohort.donors()
    return Samples(values, cohort.classes(), cohort.kind, people=people, cells=cohort.cell_type is not None)


def cohort_of(
    samples: Samples, classes: pd.DataFrame | None = None, genes: Iterable[str] | None = None, kind: str | None = None
) -> Cohort:
    """Dress an attacker's samples as a cohort; classes of cells are cell types, and people are donors.

    Parameters
    ----------
    samples
        Profiles; genes are matched by order.
    classes
        Columns that name the class of each sample; by default one column of the labels, and none where all samples
        are of one class.
    genes
        Gene names; by default ``g0``, ``g1``, …
    kind
        Kind of profiles; by default that of the samples.
    """
    if classes is None:
        several = samples.cells or len(np.unique(samples.labels)) > 1
        classes = pd.DataFrame({CLASS: samples.labels} if several else {}, index=range(len(samples)))
    obs = classes.set_axis([f"sample{row}" for row in range(len(samples))], axis=0)
    names = [f"g{gene}" for gene in range(samples.values.shape[1])] if genes is None else list(genes)
    columns = list(map(str, classes.columns))
    cell_type = columns.pop() if samples.cells and columns else None
    donor = None
    if samples.people is not None:
        donor = PERSON
        obs[PERSON] = samples.people
    stated: Kind = "counts" if (kind or samples.kind) == "counts" else "continuous"
    adata = AnnData(samples.values, obs=obs, var=pd.DataFrame(index=names))
    return Cohort(
        adata,
        label=columns[0] if columns else None,
        donor=donor,
        cell_type=cell_type,
        kind=stated,
        paired=samples.people is not None,  # one person may have samples of several classes
        source="the attacker's samples",
    )


class KnownModel:
    """A fitted generator in an attacker's hands (`twinseq.attacks.Model`).

    Parameters
    ----------
    generator
        Fitted, or read from a model file; its genes are matched by order.
    only
        Class of all training samples, where the generator was told of none.
    genes
        Names of the genes in the order in which the attacker holds them; by default that of the model.

    Raises
    ------
    NotApplicableError
        The model has other genes.
    """

    def __init__(self, generator: Generator, only: str | None = None, genes: Iterable[str] | None = None) -> None:
        self.generator = generator
        self.only = only
        own = generator.frame_.var.index
        self.order = np.arange(len(own)) if genes is None else own.get_indexer(pd.Index(list(genes)))
        if len(self.order) != len(own) or (self.order < 0).any():
            raise NotApplicableError("the model has other genes than the cohort")

    def draw(self, labels: NDArray[np.str_], seed: int) -> Samples:
        """Draw a sample of each class in ``labels``, in their order.

        Raises
        ------
        NotApplicableError
            A class is unknown to the model.
        """
        classes = self._classes(labels)
        if classes.columns.empty:
            twin = self.generator.sample(len(labels), seed=seed)
        else:
            twin = self.generator.sample(design=classes, seed=seed)
        values = twin.dense(dtype=twin.adata.X.dtype)[:, self.order]
        return Samples(values, np.asarray(labels), twin.kind, cells=twin.cell_type is not None)

    def losses(self, samples: Samples) -> NDArray[np.float64]:
        """Return the losses of `Generator.losses`, ``n × n_features``.

        Raises
        ------
        NotApplicableError
            The generator has none, or does not know a class, the genes or the kind of the samples.
        """
        return self._asked(self.generator.losses, samples)

    def log_likelihood(self, samples: Samples) -> NDArray[np.float64]:
        """Return the log-likelihood of `Generator.log_likelihood`, ``n``; raises as `losses` does."""
        return self._asked(self.generator.log_likelihood, samples)

    def _asked(self, question: Callable[[Cohort], Made], samples: Samples) -> Made:
        genes = self.generator.frame_.var.index
        if len(genes) != samples.values.shape[1]:
            raise NotApplicableError(f"the model has {len(genes)} genes, and the samples {samples.values.shape[1]}")
        try:
            values = samples.values[:, np.argsort(self.order)]
            theirs = Samples(values, samples.labels, samples.kind)
            return question(cohort_of(theirs, self._classes(samples.labels), genes))
        except NotOfferedError as error:
            raise NotApplicableError(str(error).rstrip(".")) from error
        except CohortError as error:
            raise NotApplicableError(f"the model does not take the samples: {error}") from error

    def _classes(self, labels: NDArray[np.str_]) -> pd.DataFrame:
        """Return the columns that name the class of each label."""
        table = self.generator.classes_
        if table.columns.empty:
            known = {str(label): 0 for label in labels} if self.only is None else {self.only: 0}
        else:
            known = {key: row for row, key in enumerate(generators.class_names(table))}
        for label in np.unique(labels):
            if str(label) not in known:
                raise NotApplicableError(f"class '{shorten(label)}' is unknown to the model")
        return table.iloc[[known[str(label)] for label in labels]].reset_index(drop=True)


class KnownGenerator:
    """A generator and its settings in an attacker's hands (`twinseq.attacks.Definition`).

    Parameters
    ----------
    name, preset, params
        As for `twinseq.generators.create`.
    genes
        Names of the genes in the order in which the attacker holds them; a public basis is known by gene names.
    """

    def __init__(
        self,
        name: str,
        preset: str | None = None,
        params: Mapping[str, Any] | None = None,
        genes: Iterable[str] | None = None,
    ) -> None:
        self.name = name
        self.preset = preset
        self.params = dict(params or {})
        self.genes = None if genes is None else list(genes)

    def unfitted(self) -> Generator:
        """Return the generator with its settings, not fitted yet."""
        return generators.create(self.name, self.preset, **self.params)

    def fit(self, samples: Samples, seed: int) -> KnownModel:
        """Fit the generator to ``samples``; their labels are all it is told of them.

        Raises
        ------
        NotApplicableError
            The generator cannot learn from these samples.
        """
        model = self.unfitted()
        try:
            model.fit(cohort_of(samples, genes=self.genes), seed=seed)
        except CohortError as error:
            raise NotApplicableError(f"the generator cannot be fitted: {error}") from error
        only = None if len(model.classes_.columns) else str(samples.labels[0])
        return KnownModel(model, only)

    def public_axes(self) -> NDArray[np.float64] | None:
        """Return the axes of the public basis among the settings, ``n_genes × k``; ``None`` where there is none.

        Raises
        ------
        NotApplicableError
            The basis cannot be read, or has other genes.
        """
        path = self.params.get("basis")
        if path is None or self.genes is None:
            return None
        try:
            basis = read_basis(path).of_genes(self.genes)
        except CohortError as error:
            raise NotApplicableError(f"the basis cannot be used: {error}") from error
        return basis.axes.T / basis.spread[:, None]
