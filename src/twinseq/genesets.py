"""Gene sets from GMT files, and from named libraries where that is asked for by name."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pooch

from .errors import CohortError, shorten

ENRICHR = "enrichr:"
ENRICHR_URL = "https://maayanlab.cloud/Enrichr/geneSetLibrary?mode=text&libraryName="
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class GeneSets:
    """Named sets of genes.

    Parameters
    ----------
    sets
        Set name → its genes, as they are written in the file, each once.
    origin
        Set name → the file it comes from, for messages.
    """

    sets: dict[str, tuple[str, ...]]
    origin: dict[str, str] = field(default_factory=dict)

    @property
    def genes(self) -> list[str]:
        """All genes that occur in a set, each once, in order of appearance."""
        return list(dict.fromkeys(gene for members in self.sets.values() for gene in members))

    @property
    def files(self) -> list[str]:
        """The files, in the order in which they were given."""
        return list(dict.fromkeys(self.origin.values()))

    def of(self, file: str) -> GeneSets:
        """Return the sets of one file."""
        names = [name for name in self.sets if self.origin.get(name) == file]
        return GeneSets({name: self.sets[name] for name in names}, dict.fromkeys(names, file))


def read_gene_sets(sources: Sequence[str | Path]) -> GeneSets:
    """Read any number of GMT files as one collection.

    Parameters
    ----------
    sources
        Paths of GMT files (``.gz`` or not), or ``"enrichr:NAME"`` for a library of Enrichr, which is fetched once
        and kept in the cache of the user. Nothing is fetched unless it is asked for so.

    Raises
    ------
    CohortError
        A file is missing, empty or malformed, a set has no genes, two sets have the same name, or a library could
        not be fetched; the message names file and line.
    """
    collected: dict[str, tuple[str, ...]] = {}
    origin: dict[str, str] = {}
    for source in map(str, sources):
        lines, title = _lines(source)
        for name, members in _parse(lines, title).items():
            if name in collected:
                raise CohortError(
                    f"{title}: the set '{shorten(name, 60)}' is in {origin[name]} too. Give each set once: leave one "
                    "of the files out, or rename the set."
                )
            collected[name], origin[name] = members, title
    return GeneSets(collected, origin)


def _lines(source: str) -> tuple[list[str], str]:
    """Return the lines of a source, and how messages call it."""
    if source.startswith(ENRICHR):
        name = source.removeprefix(ENRICHR)
        # Enrichr writes a weight behind each gene ("TP53,1.0").
        text = re.sub(r",[0-9.]+(?=\t|$)", "", _decoded(_fetch(name), source), flags=re.MULTILINE)
        return text.splitlines(), source
    path = Path(source)
    if not path.is_file():
        raise CohortError(f"{path}: no such file. Give a GMT file, or enrichr:NAME for a library to be fetched.")
    try:
        raw = path.read_bytes()
        if raw.startswith(GZIP_MAGIC):
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise CohortError(f"{path}: cannot be read ({error}). Check that it was copied whole.") from error
    return _decoded(raw, str(path)).splitlines(), str(path)


def _decoded(raw: bytes, title: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise CohortError(f"{title}, line {line}: not text in UTF-8. A GMT file is plain text, or gzipped.") from error


def _parse(lines: Iterable[str], title: str) -> dict[str, tuple[str, ...]]:
    """Return the sets of one GMT file: name, description, genes, separated by tabs, one set a line."""
    sets: dict[str, tuple[str, ...]] = {}
    first_at: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{title}, line {number}"
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) < 2 or not fields[0]:
            raise CohortError(
                f"{where}: not a line of a GMT file ('{shorten(line, 40)}'). Each line holds a set: name, "
                "description, then its genes, separated by tabs."
            )
        name, members = fields[0], tuple(dict.fromkeys(filter(None, fields[2:])))
        if not members:
            raise CohortError(
                f"{where}: the set '{shorten(name, 60)}' has no genes. They follow its name and description, "
                "separated by tabs; remove the line if the set is empty."
            )
        if name in sets:
            raise CohortError(
                f"{where}: the set '{shorten(name, 60)}' is in line {first_at[name]} already. Names must be unique."
            )
        sets[name], first_at[name] = members, number
    if not sets:
        raise CohortError(f"{title}: holds no gene sets. A GMT file has one on each line.")
    return sets


def _fetch(name: str) -> bytes:
    """Return a library of Enrichr, from the cache or, the first time, from its server.

    Raises
    ------
    CohortError
        There is no such library, or no way to the server.
    """
    if not re.fullmatch(r"[\w.-]{1,100}", name):
        raise CohortError(f"{ENRICHR}{shorten(name, 60)}: a library's name has letters, digits, '_', '-' and '.' only.")
    folder = Path(pooch.os_cache("twinseq")) / "gene-sets"
    try:
        # The server publishes no checksums, and libraries change; what was fetched once stays as it is.
        path = pooch.retrieve(ENRICHR_URL + quote(name), known_hash=None, fname=f"{name}.gmt", path=folder)
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise CohortError(
            f"{ENRICHR}{name}: the library could not be fetched ({shorten(str(error).splitlines()[0], 120)}). Check "
            "name and connection, or download the GMT file elsewhere and give its path."
        ) from error
