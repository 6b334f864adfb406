"""A YAML document read node by node, so that every complaint names file, line, key and what was probably meant."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from .errors import ConfigError, shorten, suggest


class _Loader(yaml.SafeLoader):
    """Plain values only; numbers such as ``1e-5``, which YAML 1.1 takes for text, are numbers."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


class PlaceError(ConfigError):
    """A YAML file of the user's cannot be used; the message names file, line and key."""


@dataclass(frozen=True)
class Place:
    """A node of the document.

    Parameters
    ----------
    node
        What stands there.
    key
        Where it stands: ``generators[1].preset``.
    file
        File of the document, for messages.
    """

    node: yaml.Node
    key: str
    file: str

    @classmethod
    def of(cls, path: Path) -> Place:
        """Read a document; nothing in it is executed.

        Raises
        ------
        PlaceError
            The file cannot be read, or is no YAML.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PlaceError(f"{path}: cannot be read ({error.__class__.__name__}). Check the name.") from error
        try:
            node = yaml.compose(text, Loader=_Loader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = "" if mark is None else f", line {mark.line + 1}"
            raise PlaceError(f"{path}{where}: not YAML ({getattr(error, 'problem', None) or 'bad sign'}).") from error
        if node is None:
            raise PlaceError(f"{path}: the file is empty.")
        return cls(node, "", str(path))

    def refuse(self, message: str) -> NoReturn:
        """Raise a `PlaceError` about this place."""
        what = f"{self.key}: " if self.key else ""
        raise PlaceError(f"{self.file}, line {self.node.start_mark.line + 1}: {what}{message}")

    @property
    def value(self) -> Any:
        """What stands there as plain values: dicts, lists, text, numbers."""
        try:
            return _Loader("").construct_document(self.node)
        except yaml.YAMLError as error:
            self.refuse(f"not a plain value ({getattr(error, 'problem', error)})")

    def keys(self, known: Sequence[str], required: Sequence[str] = ()) -> dict[str, Place]:
        """Return the entries of a mapping, whose keys must be among ``known``."""
        if not isinstance(self.node, yaml.MappingNode):
            self.refuse(f"expected keys ({', '.join(known)}), not {_described(self.node)}")
        found: dict[str, Place] = {}
        for key, value in self.node.value:
            name = str(key.value)
            place = Place(value, f"{self.key}.{name}" if self.key else name, self.file)
            if name not in known:
                Place(key, self.key, self.file).refuse(f"unknown key '{shorten(name)}'{suggest(name, known)}")
            if name in found:
                Place(key, place.key, self.file).refuse("stated twice")
            found[name] = place
        for name in required:
            if name not in found:
                self.refuse(f"'{name}' is missing")
        return found

    def items(self) -> Iterator[Place]:
        """Yield the entries of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            self.refuse(f"expected a list (lines that begin with -), not {_described(self.node)}")
        if not self.node.value:
            self.refuse("the list is empty")
        for number, value in enumerate(self.node.value):
            yield Place(value, f"{self.key}[{number}]", self.file)

    @property
    def is_text(self) -> bool:
        """Whether a single value stands there, no list and no mapping."""
        return isinstance(self.node, yaml.ScalarNode)

    def text(self, options: Sequence[str] | None = None) -> str:
        """Return a text, one of ``options`` where there are such."""
        if not self.is_text or self.value is None or not str(self.value).strip():
            self.refuse(f"expected a text, not {_described(self.node)}")
        word = str(self.value)
        if options is not None and word not in options:
            self.refuse(f"'{shorten(word)}' is not known{suggest(word, options)}")
        return word

    def whole(self, least: int = 0) -> int:
        """Return a whole number of at least ``least``."""
        value = self.value if self.is_text else None
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.refuse(f"expected a whole number of at least {least}, not {_described(self.node)}")
        return value

    def number(self) -> float:
        """Return a finite number."""
        value = self.value if self.is_text else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.refuse(f"expected a number, not {_described(self.node)}")
        return float(value)

    def truth(self) -> bool:
        """Return true or false."""
        value = self.value if self.is_text else None
        if not isinstance(value, bool):
            self.refuse(f"expected true or false, not {_described(self.node)}")
        return value

    def settings(self) -> dict[str, Any]:
        """Return a mapping of texts to plain values."""
        if not isinstance(self.node, yaml.MappingNode):
            self.refuse(f"expected settings (key: value), not {_described(self.node)}")
        return {str(key): value for key, value in self.value.items()}


def _described(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "keys"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return f"'{shorten(node.value)}'" if node.value else "nothing"
