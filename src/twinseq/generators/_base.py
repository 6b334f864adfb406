"""What every generator shares: the contract and the frame of what comes out."""

from __future__ import annotations

import inspect
import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..cohort import Cohort, shorten
from ..errors import CohortError, ConfigError, NotFittedError, TwinseqError, suggest
from ..splits import apportion
from ._frame import Frame as Frame
from ._frame import block_size, joined
from ._modelfile import pack_frame, unpack_frame, write_model


class NotOfferedError(TwinseqError):
    """A generator was asked for something that its model does not have."""


@dataclass(frozen=True)
class GeneratorInfo:
    """What the registry tells of a generator.

    Parameters
    ----------
    name, title, family
        Registry key, one line for people, and group (``statistical``, ``control``, ``deep``, ``dp``).
    kinds
        Kinds of profiles it takes: ``"counts"``, ``"continuous"``.
    guarantee
        What is proven about privacy; for most generators, nothing.
    reference
        Where the method comes from.
    modality
        ``"bulk"``, ``"single-cell"`` or ``"both"``.
    extra
        Optional dependency group it needs, or ``None``.
    unsafe
        Whether it gives donors away by construction, and exists to show that attacks work.
    in_parts
        Whether it learns from parts of a cohort (`Cohort.chunks`), so that one larger than memory will do. To others
        a cohort on disk is given in memory, where it fits.
    """

    name: str
    title: str
    family: str
    kinds: tuple[str, ...]
    guarantee: str
    reference: str
    modality: str = "bulk"
    extra: str | None = None
    unsafe: bool = False
    in_parts: bool = False


class Generator(ABC):
    """A model of a cohort that can be asked for a twin.

    Hyper-parameters go into the constructor, untouched; what is learnt carries a trailing underscore.
    The same seed and data give the same bytes on one machine, whatever the number of workers.
    """

    info: ClassVar[GeneratorInfo]
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    frame_: Frame
    classes_: pd.DataFrame
    class_sizes_: NDArray[np.intp]

    def fit(self, cohort: Cohort, seed: int = 0, jobs: int = 1) -> Self:
        """Learn from ``cohort``.

        Parameters
        ----------
        cohort
            Training data; the hold-out never comes here.
        seed
            Seed of all random choices.
        jobs
            Number of threads; it changes no result.

        Returns
        -------
        self

        Raises
        ------
        CohortError
            The generator cannot take this kind of profiles, a class is too small, or the cohort lies on disk, does not
            fit into memory and the generator needs it there.
        ConfigError
            The seed is not a whole number of at least 0.
        """
        takes_kind(self.info, cohort)
        if not self._learns_in_parts(cohort):
            cohort = cohort.in_memory()
        codes = self._classify(cohort)
        rng = random_from(seed)
        with threadpool_limits(1):  # threads of a linear-algebra library would change the last digits
            self._fit(cohort, codes, rng, jobs)
        self.frame_ = self._frame_of(cohort)
        return self

    def sample(
        self,
        n: int | None = None,
        design: Mapping[Any, int] | pd.DataFrame | None = None,
        seed: int = 0,
        jobs: int = 1,
    ) -> Cohort:
        """Draw a twin: the blocks of `sample_chunks`, of its default size, as one cohort.

        Parameters
        ----------
        n
            Number of samples, classes in their training proportions. Default: as many as in training.
        design
            Instead of ``n``: samples wanted of each class (``{"case": 40, "control": 60}``; with cell types
            ``{("case", "B"): 40}``), or a table with one row per sample and the label column (and the cell-type
            column, where there is one).
        seed
            Seed of the draw.
        jobs
            Number of threads; it changes no result.

        Returns
        -------
        Cohort with the same genes, columns and types, new sample names and no donors.

        Raises
        ------
        NotFittedError
            `fit` has not been called.
        ConfigError
            A number is not whole or too small, both ``n`` and ``design`` are given, or the design names an
            unknown class.
        """
        return joined(list(self.sample_chunks(n, design, seed, jobs)))

    def sample_chunks(
        self,
        n: int | None = None,
        design: Mapping[Any, int] | pd.DataFrame | None = None,
        seed: int = 0,
        jobs: int = 1,
        size: int | None = None,
    ) -> Iterator[Cohort]:
        """Draw a twin a block at a time, for twins that do not fit into memory.

        Each block has a random stream of its own, so that a twin is the same for any number of threads. It depends on
        ``size``, unless one block holds it all. What a generator balances over a draw, it balances over a block; blocks
        are as large as each other. Classes follow one another, so that most blocks are of one class, unless the design
        says otherwise.

        Parameters
        ----------
        n, design, seed, jobs
            As for `sample`.
        size
            Most samples in a block. Default: 16.8 million values (samples × genes), and at least 512 samples.

        Yields
        ------
        Cohorts; their samples are named on from block to block.

        Raises
        ------
        NotFittedError, ConfigError
            As for `sample`, before anything is drawn.
        """
        if not hasattr(self, "frame_"):
            raise NotFittedError(f"Generator '{self.info.name}' has not been fitted. Call fit(cohort) first.")
        codes = self._design_codes(n, design)
        each = block_size(len(self.frame_.var)) if size is None else _whole(size, "The size of a block", 1)
        blocks = np.array_split(codes, -(-len(codes) // each))
        return self._dressed(blocks, random_from(seed), jobs)

    def _dressed(self, blocks: Sequence[NDArray[np.intp]], rng: np.random.Generator, jobs: int) -> Iterator[Cohort]:
        total, before = sum(map(len, blocks)), 0
        drawn = self._sample_blocks(blocks, rng, jobs)
        for codes in blocks:
            with threadpool_limits(1):
                values, known = next(drawn)
            for column in self.classes_.columns:
                known[column] = self.classes_[column].to_numpy()[codes]
            yield self.frame_.cohort(values, known, before, total)
            before += len(codes)

    def _sample_blocks(
        self, blocks: Sequence[NDArray[np.intp]], rng: np.random.Generator, jobs: int
    ) -> Iterator[tuple[NDArray[Any], pd.DataFrame]]:
        """Draw the blocks of a twin, one after the other; a model with something that all blocks share overrides it."""
        streams = [rng] if len(blocks) == 1 else rng.spawn(len(blocks))
        for codes, stream in zip(blocks, streams, strict=True):
            yield self._sample(codes, stream, jobs)

    def losses(self, cohort: Cohort) -> NDArray[np.float64]:
        """Return how badly the fitted model describes each sample, from several sides.

        Shadow attacks compare these figures between those whom the model has seen and those whom it has not. A
        generator returns what its training makes small: a likelihood at several levels of noise, the terms of an
        evidence bound, denoising losses at several times with the noise fixed. The same sample always gets the same
        figures, whatever other samples come along. Each is scaled such that it does not grow with the number of genes.

        Parameters
        ----------
        cohort
            Samples of classes known from training, with the genes of training; covariates are not needed.

        Returns
        -------
        ``n × n_features``, lower fits better.

        Raises
        ------
        NotOfferedError
            The generator has no loss of single samples.
        NotFittedError
            `fit` has not been called.
        CohortError
            Other genes, another kind of profiles, or a class unknown in training.
        """
        with threadpool_limits(1):
            return self._losses(*self._recognise(cohort))

    def log_likelihood(self, cohort: Cohort) -> NDArray[np.float64]:
        """Return the log-likelihood of each sample, given its class, under the fitted parameters.

        A density on the model's own continuous scale, covariates and sequencing depth left out; where the model's
        covariance is singular, a small ridge that the generator's documentation states. Figures of models of one
        kind can be compared with each other. Deep generators return their evidence bound or an exact density.

        Parameters
        ----------
        cohort
            As for `losses`.

        Returns
        -------
        ``n`` natural logarithms.

        Raises
        ------
        NotOfferedError
            The generator states none.
        NotFittedError, CohortError
            As for `losses`.
        """
        with threadpool_limits(1):
            return self._log_likelihood(*self._recognise(cohort))

    def _losses(self, cohort: Cohort, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the losses of samples of classes ``codes`` (rows of ``classes_``)."""
        raise NotOfferedError(f"Generator '{self.info.name}' has no loss of single samples.")

    def _log_likelihood(self, cohort: Cohort, codes: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the log-likelihood of samples of classes ``codes``."""
        raise NotOfferedError(f"Generator '{self.info.name}' states no likelihood.")

    def _recognise(self, cohort: Cohort) -> tuple[Cohort, NDArray[np.intp]]:
        """Return ``cohort`` with its genes in the order of training, and the class of each sample."""
        if not hasattr(self, "frame_"):
            raise NotFittedError(f"Generator '{self.info.name}' has not been fitted. Call fit(cohort) first.")
        kind = self.frame_.roles["kind"]
        if cohort.kind != kind:
            raise CohortError(f"{cohort.source} holds {cohort.kind} profiles; the model was fitted to {kind} ones.")
        genes = self.frame_.var.index
        if not cohort.genes.equals(genes):
            if len(genes) != cohort.n_genes or not genes.isin(cohort.genes).all():
                raise CohortError(f"{cohort.source} does not have the genes that the model was fitted to.")
            cohort = cohort.take_genes(cohort.genes.get_indexer(genes))
        columns = list(self.classes_.columns)
        if not columns:
            return cohort, np.zeros(cohort.n_samples, dtype=np.intp)
        lacking = [column for column in columns if column not in cohort.obs.columns]
        if lacking:
            raise CohortError(f"{cohort.source} has no column '{shorten(lacking[0])}', which names the classes.")
        keys = class_names(self.classes_)
        place = {key: index for index, key in enumerate(keys)}
        wanted = class_names(cohort.obs[columns])
        for key in wanted:
            if key not in place:
                raise CohortError(
                    f"{cohort.source} has samples of class '{shorten(key)}', unknown in training{suggest(key, keys)}"
                )
        return cohort, np.array([place[key] for key in wanted], dtype=np.intp)

    def _design_codes(self, n: int | None, design: Mapping[Any, int] | pd.DataFrame | None) -> NDArray[np.intp]:
        """Return the class of each sample to draw, as rows of ``classes_``."""
        if design is not None and n is not None:
            raise ConfigError("Give either n or design, not both.")
        if design is None:
            total = int(self.class_sizes_.sum()) if n is None else _whole(n, "n", 1)
            return np.repeat(np.arange(len(self.classes_)), apportion(total, self.class_sizes_.astype(float)))
        if self.classes_.columns.empty:
            raise ConfigError("The training data had no classes for a design to name. Give n.")
        keys = class_names(self.classes_)
        place = {key: index for index, key in enumerate(keys)}
        if isinstance(design, pd.DataFrame):
            lacking = [column for column in self.classes_.columns if column not in design.columns]
            if lacking:
                raise ConfigError(f"The design has no column '{shorten(lacking[0])}'.")
            wanted = class_names(design[list(self.classes_.columns)])
        else:
            wanted = []
            for name, count in design.items():
                key = " / ".join(map(str, name)) if isinstance(name, tuple) else str(name)
                wanted += [key] * _whole(count, f"The number of samples of class '{shorten(key)}'", 0)
        for key in wanted:
            if key not in place:
                raise ConfigError(
                    f"The design asks for class '{shorten(key)}', unknown in training{suggest(key, keys)}"
                )
        if not wanted:
            raise ConfigError("The design asks for no sample at all.")
        return np.array([place[key] for key in wanted], dtype=np.intp)

    def _classify(self, cohort: Cohort) -> NDArray[np.intp]:
        """Find the classes and their sizes; return the class of each sample as a row of ``classes_``."""
        codes, classes = class_table(cohort)
        sizes = np.bincount(codes, minlength=len(classes))
        if sizes.min() < 2:
            smallest = " / ".join(map(str, classes.iloc[int(np.argmin(sizes))]))
            raise CohortError(
                f"{cohort.source}: class '{shorten(smallest)}' has {sizes.min()} sample(s) to learn from; at least 2 "
                "are needed. Merge it with another class or drop it."
            )
        self.classes_ = classes
        self.class_sizes_ = sizes.astype(np.intp)
        return codes

    def _learns_in_parts(self, cohort: Cohort) -> bool:
        """Tell whether parts of ``cohort`` will do."""
        return self.info.in_parts

    def _frame_of(self, cohort: Cohort) -> Frame:
        """Return the outer form that twins take over."""
        return Frame.of(cohort)

    @abstractmethod
    def _fit(self, cohort: Cohort, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int) -> None:
        """Learn; ``codes`` gives the class of each sample as a row of ``classes_``."""

    @abstractmethod
    def _sample(
        self, codes: NDArray[np.intp], rng: np.random.Generator, jobs: int
    ) -> tuple[NDArray[Any], pd.DataFrame]:
        """Draw a profile for each class in ``codes``: values ``n × n_genes`` and the covariates' columns."""

    @abstractmethod
    def _state(self) -> dict[str, NDArray[Any]]:
        """Return all that `_fit` learnt, as plain arrays."""

    @abstractmethod
    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `_state` gave."""

    def params(self) -> dict[str, Any]:
        """Return the hyper-parameters as they were given."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def save(self, path: str | Path) -> Path:
        """Write the fitted model, whole or not at all.

        A model file gives away far more than a twin: keep it inside the institution.

        Raises
        ------
        NotFittedError
            There is nothing to save yet.
        """
        if not hasattr(self, "frame_"):
            raise NotFittedError(f"Generator '{self.info.name}' has not been fitted. Call fit(cohort) first.")
        header = {
            "generator": self.info.name,
            "params": self.params(),
            "roles": self.frame_.roles,
            "dtype": self.frame_.dtype,
            "sparse": self.frame_.sparse,
        }
        arrays = {f"state.{name}": value for name, value in self._state().items()}
        arrays["class_sizes"] = self.class_sizes_
        for name, frame in (("var", self.frame_.var), ("obs", self.frame_.obs), ("classes", self.classes_)):
            arrays[name] = pack_frame(frame)
        return write_model(Path(path), header, arrays)

    def restore(self, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take over the content of a model file that `save` wrote."""
        prefix = "state."
        self._restore({name[len(prefix) :]: value for name, value in arrays.items() if name.startswith(prefix)})
        self.classes_ = unpack_frame(arrays["classes"])
        self.class_sizes_ = arrays["class_sizes"]
        var, obs = unpack_frame(arrays["var"]), unpack_frame(arrays["obs"])
        self.frame_ = Frame(var, obs, dict(header["roles"]), str(header["dtype"]), bool(header["sparse"]))
        return self


def _whole(value: Any, what: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ConfigError(f"{what} must be a whole number of at least {least}, not {value!r}.")
    return int(value)


def takes_kind(info: GeneratorInfo, cohort: Cohort) -> None:
    """Refuse profiles of a kind that a generator cannot take.

    Raises
    ------
    CohortError
        They are of such a kind.
    """
    if cohort.kind not in info.kinds:
        raise CohortError(
            f"Generator '{info.name}' takes {' or '.join(info.kinds)} profiles, "
            f"and {cohort.source} holds {cohort.kind} ones."
        )


def random_from(seed: int) -> np.random.Generator:
    """Return the random stream of a seed, a whole number of at least 0."""
    return np.random.default_rng(_whole(seed, "The seed", 0))


def class_names(table: pd.DataFrame) -> list[str]:
    """Return the class of each row as text; label and cell type with a stroke between them."""
    return [" / ".join(map(str, row)) for row in table.itertuples(index=False)]


def class_table(cohort: Cohort) -> tuple[NDArray[np.intp], pd.DataFrame]:
    """Return the class of each sample (label × cell type) as a number, and the table of classes."""
    columns = [column for column in (cohort.label, cohort.cell_type) if column is not None]
    if not columns:
        return np.zeros(cohort.n_samples, dtype=np.intp), pd.DataFrame(index=range(1))
    table = cohort.obs[columns].reset_index(drop=True)
    grouped = table.groupby(columns, observed=True, sort=True)
    codes = np.asarray(grouped.ngroup(), dtype=np.intp)
    first = pd.Series(np.arange(len(table))).groupby(codes).first()
    return codes, table.iloc[first.to_numpy()].reset_index(drop=True)
