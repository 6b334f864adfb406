"""The challenge's second track: single cells of OneK1K, the donor as the unit.

Cohorts are ``.h5ad`` files of raw counts with ``individual`` (the donor), ``barcode_col``, ``cell_type`` and
``cell_label`` (the type's name) in ``obs``; who was in the training data is told, and guessed, in a table
``barcode_col, individual, membership``. Source: github.com/PMBio/Health-Privacy-Challenge, its starter kit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..cohort import Cohort
from ..errors import CohortError, shorten
from ..generators import Generator
from ..io import read, write_parts
from ..knowledge import KnownGenerator, samples_of
from ..redteam.holding import held
from .membership import Guess, guess
from .scoring import DONOR, MEMBER

BARCODE, CELL_TYPE, CELL_LABEL = "barcode_col", "cell_type", "cell_label"
STAND_INS = ("scdesign2", "cell-copula")
FEWEST_CELLS = 3
FEWEST_DONORS = 1 / 3
"""Share of the donors who must have a cell type: members of a world and either half of the targets need it too."""


def read_cells(path: str | Path, donors: bool = True) -> Cohort:
    """Read cells in the challenge's layout.

    Parameters
    ----------
    path
        ``.h5ad`` with raw counts.
    donors
        Whether cells are people's: column ``individual`` is needed then. A twin's cells are nobody's.

    Raises
    ------
    CohortError
        It cannot be read, lacks a column, or holds no counts.
    """
    return read(path, donor=DONOR if donors else None, cell_type=CELL_TYPE, kind="counts")


def blue_cells(
    train: Cohort,
    model: Generator,
    path: str | Path,
    like: pd.DataFrame | None = None,
    *,
    seed: int = 0,
    jobs: int = 1,
) -> int:
    """Make a twin of cells and write it, a block at a time where it is large.

    Parameters
    ----------
    train
        From `read_cells`.
    model
        Unfitted generator of single cells; it is fitted.
    path
        ``.h5ad`` to write, whole or not at all: ``cell_type``, ``cell_label`` where each type has one label,
        ``barcode_col`` with names of its own, and ``individual``, empty where the generator simulates no donors.
    like
        Table of cells of another file, whose numbers of cells of each type the twin is to have; by default those of
        ``train``. The starter kit takes those of its test set.
    seed, jobs
        As for `twinseq.generators.Generator.fit`.

    Returns
    -------
    Number of cells.

    Raises
    ------
    CohortError
        The generator cannot take the cells.
    ConfigError
        ``like`` has a type that was not trained on.
    OutputError
        The file cannot be written.
    """
    model.fit(train, seed=seed, jobs=jobs)
    labels = _labels_of_types(train)
    blocks = model.sample_chunks(
        design=None if like is None else like[[CELL_TYPE]].reset_index(drop=True), seed=seed + 1, jobs=jobs
    )
    sizes: list[int] = []
    write_parts(_dressed(blocks, labels, BARCODE in train.obs.columns, sizes), path)
    return sum(sizes)


def _dressed(
    blocks: Iterable[Cohort], labels: Mapping[str, str] | None, barcodes: bool, sizes: list[int]
) -> Iterator[Cohort]:
    """Fill in the columns that follow from others, and note how large the blocks are."""
    for block in blocks:
        adata = block.adata.copy()
        if barcodes:
            adata.obs[BARCODE] = adata.obs_names.to_numpy(dtype=str)
        if labels is not None:
            names = adata.obs[CELL_TYPE].astype(str).map(labels)
            adata.obs[CELL_LABEL] = pd.Categorical(names, categories=sorted(set(labels.values())))
        sizes.append(block.n_samples)
        yield block.with_adata(adata)


def _labels_of_types(cohort: Cohort) -> Mapping[str, str] | None:
    """Return the label of each cell type; ``None`` where there are none, or a type has several."""
    if CELL_LABEL not in cohort.obs.columns:
        return None
    pairs = cohort.obs[[CELL_TYPE, CELL_LABEL]].astype(str).drop_duplicates()
    if pairs[CELL_TYPE].duplicated().any():
        return None
    return dict(zip(pairs[CELL_TYPE], pairs[CELL_LABEL], strict=True))


def red_cells(
    targets: Cohort,
    twin: Cohort,
    reference: Cohort | None = None,
    generator: Generator | None = None,
    *,
    seed: int = 0,
    jobs: int = 1,
    step: Callable[[str], None] | None = None,
) -> tuple[pd.DataFrame, Guess]:
    """Guess whose cells a twin was made of.

    Parameters
    ----------
    targets
        From `read_cells`; some of their donors were in the training data.
    twin
        The twin, with cell types.
    reference
        Cells of further donors, where there are some.
    generator
        What the twin was made with, unfitted, where that is known; else one of `STAND_INS`.
    seed, jobs, step
        As for `twinseq.camda.guess`.

    Returns
    -------
    ``barcode_col, individual, membership`` for each cell of ``targets`` in its order, the membership that of its donor;
    and what it rests on. A donor without cells of a common type gets 0.5.

    Raises
    ------
    CohortError
        There is no barcode, genes or types do not match, a donor is in targets and reference, or no attack could be
        mounted.
    """
    if BARCODE not in targets.obs.columns:
        raise CohortError(f"{targets.source}: the table of cells has no column '{BARCODE}', which the answer repeats.")
    others = {} if reference is None else {"reference": reference}
    genes = twin.genes
    sides = {"twin": twin}
    for name, cohort in {"targets": targets, **others}.items():
        places = cohort.genes.get_indexer(genes)
        if (places < 0).any():
            lacking = shorten(genes[int(np.argmax(places < 0))], 40)
            number = int((places < 0).sum())
            raise CohortError(f"{cohort.source}: lacks {number} gene(s) of the twin, first '{lacking}'.")
        sides[name] = cohort.take_genes(places)
    if reference is not None:
        shared = np.intersect1d(reference.donors(), targets.donors())
        if len(shared):
            raise CohortError(
                f"{reference.source}: donor '{shared[0]}' is in {targets.source} too. A reference holds other people."
            )
    if generator is None:
        makers = {name: KnownGenerator(name) for name in STAND_INS}
    else:
        makers = {generator.info.name: KnownGenerator(generator.info.name, None, generator.params(), genes)}
    kept = {name: held(cohort, seed)[0] for name, cohort in sides.items()}
    types, left = _common_types(kept["targets"], kept["twin"])
    kept = {name: cohort.subset(np.isin(cohort.classes(), types)) for name, cohort in kept.items()}
    found = guess(
        samples_of(kept["twin"]),
        samples_of(kept["targets"]),
        kept["targets"].donors(),
        samples_of(kept["reference"]) if reference is not None else None,
        makers,
        members=twin.n_samples / targets.n_samples,
        seed=seed,
        jobs=jobs,
        step=step,
    )
    membership = dict(zip(found.people.tolist(), found.values.tolist(), strict=True))
    table = pd.DataFrame(
        {
            BARCODE: targets.obs[BARCODE].to_numpy(),
            DONOR: targets.obs[DONOR].to_numpy(),
            MEMBER: [membership.get(donor, 0.5) for donor in targets.donors().tolist()],
        }
    )
    if left:
        note = f"cell type(s) {', '.join(map(shorten, left))}: in too few donors or too few cells of the twin, left out"
        found = dataclasses.replace(found, notes=(note, *found.notes))
    return table, found


def _common_types(targets: Cohort, twin: Cohort) -> tuple[list[str], list[str]]:
    """Return the types that can be attacked, and those that cannot: attacks go type by type, in part of the donors.

    Raises
    ------
    CohortError
        None can.
    """
    pairs = pd.DataFrame({"type": targets.classes(), "donor": targets.donors()}).drop_duplicates()
    fewest = max(3.0, pairs["donor"].nunique() * FEWEST_DONORS)
    of_donors, of_twin = pairs["type"].value_counts(), pd.Series(twin.classes()).value_counts()
    every = sorted(of_donors.index)
    found = [name for name in every if of_donors[name] >= fewest and of_twin.get(name, 0) >= FEWEST_CELLS]
    if not found:
        raise CohortError(
            f"{twin.source}: no cell type has {FEWEST_CELLS} cells there and cells of {fewest:.0f} donors of "
            f"{targets.source}. Both must name the types alike."
        )
    return found, [name for name in every if name not in found]
