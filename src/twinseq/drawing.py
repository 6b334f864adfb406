"""Twins drawn straight into a file, a block at a time where they are large."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from .containers import CONTAINERS, write_parts
from .generators._frame import joined
from .io import write
from .tables import table_suffix

if TYPE_CHECKING:
    from .cohort import Cohort
    from .generators import Generator
    from .terminal import Step


@dataclass
class Drawn:
    """A twin that was written.

    Parameters
    ----------
    columns
        Columns of its sample table, and whether any sample has a value there.
    paths
        Files and folders written.
    n_samples, n_genes
        Its size.
    """

    columns: dict[str, bool] = field(default_factory=dict)
    paths: list[Path] = field(default_factory=list)
    n_samples: int = 0
    n_genes: int = 0

    @property
    def empty(self) -> list[str]:
        """Columns without any value."""
        return [name for name, filled in self.columns.items() if not filled]

    def noting(self, blocks: Iterator[Cohort]) -> Iterator[Cohort]:
        """Pass on the blocks of the twin, and keep what has to be told of them."""
        for block in blocks:
            self.n_samples += block.n_samples
            self.n_genes = block.n_genes
            for name, column in block.obs.items():
                self.columns[str(name)] = self.columns.get(str(name), False) or bool(column.notna().any())
            yield block


def draw_to_file(model: Generator, n: int | None, seed: int, jobs: int, output: Path, step: Step) -> Drawn:
    """Draw a twin and write it; the same twin whatever the format.

    One of several blocks goes into ``.h5ad`` and ``.zarr`` block by block; for tables it has to fit into memory.

    Raises
    ------
    ConfigError, OutputError
        As for `Generator.sample` and `twinseq.io.write`.
    """
    total = int(model.class_sizes_.sum()) if n is None else n
    twin = Drawn()
    blocks = twin.noting(model.sample_chunks(n, seed=seed, jobs=jobs))
    begun = list(islice(blocks, 2))
    if len(begun) > 1 and table_suffix(output) in CONTAINERS:

        def told(done: int) -> None:
            step(done, total, "drawing and writing")

        twin.paths = write_parts(chain(begun, blocks), output, told)
    else:
        whole = joined([*begun, *blocks])
        step(2, 3, "writing")
        twin.paths = write(whole, output)
    return twin
