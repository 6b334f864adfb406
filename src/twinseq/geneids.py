"""Which genes of a cohort are which genes of a collection of sets, by whatever ids both are written in."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import CohortError, shorten
from .genesets import GeneSets

ENSEMBL = re.compile(r"(ENS[A-Z]*G\d{6,})(\.\d+)?(_PAR_Y)?", re.IGNORECASE)
BOTH = re.compile(r"([^|\s]+)\|(\d+)")
SAMPLED = 5000
"""How many ids are looked at to say which type they are."""


def id_type(gene: str) -> str:
    """Return what kind of id this is: ``"SYMBOL|ENTREZ"``, ``"Ensembl"`` (with version or not), ``"Entrez"``, symbol.

    >>> [id_type(gene) for gene in ("TP53|7157", "ENSG00000141510.18", "7157", "TP53")]
    ['SYMBOL|ENTREZ', 'Ensembl with version', 'Entrez', 'symbol']
    """
    if BOTH.fullmatch(gene):
        return "SYMBOL|ENTREZ"
    ensembl = ENSEMBL.fullmatch(gene)
    if ensembl:
        return "Ensembl with version" if ensembl[2] else "Ensembl"
    return "Entrez" if gene.isdigit() else "symbol"


def main_type(genes: Sequence[str]) -> str:
    """Return the commonest type among the ids."""
    step = max(1, len(genes) // SAMPLED)
    types = Counter(id_type(str(gene)) for gene in genes[::step])
    return types.most_common(1)[0][0] if types else "none"


def keys(gene: str) -> tuple[str, ...]:
    """Return the ids that a gene's name carries, in the form in which they are compared.

    Symbols are compared in capitals, Ensembl ids without their version; ``SYMBOL|ENTREZ`` carries two ids, of which
    an unknown symbol (``?``) counts for nothing.

    >>> keys("TP53|7157"), keys("ensg00000141510.18"), keys("Trp53")
    (('TP53', '7157'), ('ENSG00000141510',), ('TRP53',))
    """
    both = BOTH.fullmatch(gene)
    if both:
        return (both[2],) if both[1] == "?" else (both[1].upper(), both[2])
    ensembl = ENSEMBL.fullmatch(gene)
    return (ensembl[1].upper() if ensembl else gene.upper(),)


@dataclass(frozen=True)
class Matched:
    """Gene sets as places in a list of genes.

    Parameters
    ----------
    names, members
        Name of each set, and the places of its genes in the cohort, ascending.
    kept
        Places that stand for a gene of their own: of several rows for one gene the one with the highest mean.
    cohort_type, sets_type
        Types of id seen on both sides.
    n_matched
        Number of cohort genes that occur in a set.
    n_genes
        Number of cohort genes.
    """

    names: tuple[str, ...]
    members: tuple[NDArray[np.intp], ...]
    kept: NDArray[np.intp]
    cohort_type: str
    sets_type: str
    n_matched: int
    n_genes: int

    def described(self) -> dict[str, str | int]:
        """Say what was matched, for the provenance."""
        return {
            "sets": len(self.names),
            "genes_matched": self.n_matched,
            "ids_of_cohort": self.cohort_type,
            "ids_of_sets": self.sets_type,
            "rows_that_repeat_a_gene": f"{self.n_genes - len(self.kept)} left out, highest mean kept",
        }


def match(
    genes: Sequence[str], means: NDArray[np.float64], collection: GeneSets, mapping: str | Path | None = None
) -> Matched:
    """Find the genes of each set among those of a cohort.

    Parameters
    ----------
    genes, means
        Ids of the cohort's genes, and their mean expression, which decides among rows for the same gene.
    collection
        The gene sets.
    mapping
        A csv table with a column of the cohort's ids and one of the sets', where the ids carry too little.

    Raises
    ------
    CohortError
        No gene is shared; the message says which types of id were seen.
    """
    genes = [str(gene) for gene in genes]
    set_genes = collection.genes
    wanted = {key for gene in set_genes for key in keys(gene)}
    further = _translation(Path(mapping), genes, wanted) if mapping is not None else {}
    places: dict[str, int] = {}
    kept = []
    for place in np.lexsort((np.arange(len(genes)), -means)):
        own = keys(genes[place])
        carried = dict.fromkeys((*own, *(more for key in own for more in further.get(key, ()))))
        # The id that the sets know is what makes two rows the same gene; without one, the row's own first id.
        identity = [key for key in carried if key in wanted] or [own[0]]
        if all(key in places for key in identity):
            continue
        kept.append(place)
        for key in identity:
            places.setdefault(key, place)
    members = tuple(
        np.unique(np.array([places[key] for gene in one for key in keys(gene) if key in places], dtype=np.intp))
        for one in collection.sets.values()
    )
    found = dict(zip(collection.sets, members, strict=True))
    for file in collection.files or ["the gene sets"]:
        part = collection.of(file) if collection.files else collection
        if not any(len(found[name]) for name in part.sets):
            raise CohortError(
                f"{file}: shares no gene with the cohort, whose ids look like {_described(genes)}, those of the sets "
                f"like {_described(part.genes)}. Give sets with the cohort's kind of id, or a table (csv) that "
                "translates one into the other."
            )
    return Matched(
        names=tuple(collection.sets),
        members=members,
        kept=np.sort(np.array(kept, dtype=np.intp)),
        cohort_type=main_type(genes),
        sets_type=main_type(set_genes),
        n_matched=len(np.unique(np.concatenate(members))),
        n_genes=len(genes),
    )


def _described(genes: Sequence[str]) -> str:
    kind = main_type(genes)
    example = next((gene for gene in genes if id_type(gene) == kind), "")
    return f"{kind} ('{shorten(example, 40)}')"


def _translation(path: Path, genes: Sequence[str], wanted: set[str]) -> dict[str, tuple[str, ...]]:
    """Return the sets' ids of each of the cohort's, from the two columns of the table that know most of them.

    Raises
    ------
    CohortError
        The table cannot be read, or has no two such columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CohortError(f"{path}: not a readable csv table ({shorten(error, 120)}).") from error
    width = len(rows[0]) if rows else 0
    for number, row in enumerate(rows, start=1):
        if len(row) != width:
            raise CohortError(f"{path}, row {number}: {len(row)} cells, the first row has {width}.")
    columns = [[keys(cell.strip()) for cell in column] for column in zip(*rows, strict=True)]
    ours = {key for gene in genes for key in keys(gene)}
    known = [[sum(not side.isdisjoint(cell) for cell in column) for column in columns] for side in (ours, wanted)]
    pairs = [(a, b) for a in range(width) for b in range(width) if a != b and known[0][a] and known[1][b]]
    if not pairs:
        raise CohortError(
            f"{path}: needs two columns, one with gene ids of the cohort (such as '{shorten(genes[0], 40)}') and one "
            f"with those of the sets (such as '{shorten(min(wanted), 40)}')."
        )
    source, target = max(pairs, key=lambda pair: known[0][pair[0]] + known[1][pair[1]])
    table: dict[str, tuple[str, ...]] = {}
    for cell, other in zip(columns[source], columns[target], strict=True):
        for key in cell:
            if key:
                table[key] = tuple(dict.fromkeys((*table.get(key, ()), *filter(None, other))))
    return table
