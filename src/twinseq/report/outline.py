"""The contents of the page: its parts in their order, and the sections of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .sections import Section


@dataclass(frozen=True)
class Part:
    """A part of the page: its title, and anchor and name of each section."""

    title: str
    entries: tuple[tuple[str, str], ...]


def outline(
    sections: Iterable[Section], attackers: str, promises: str, *, omitted: bool, origin: bool
) -> tuple[Part, ...]:
    """Return the parts of the page that have something to say.

    Parameters
    ----------
    sections
        Sections with figures, in the order of the page.
    attackers, promises
        Titles of the sections on attackers and on promises; empty where there are none.
    omitted, origin
        Whether figures are missing, and whether the provenance is known.
    """
    by_part: dict[str, list[tuple[str, str]]] = {}
    for section in sections:
        by_part.setdefault(section.part, []).append((section.key, _short(section.title)))
    privacy = [("attackers", _short(attackers))] * bool(attackers) + [("promised", _short(promises))] * bool(promises)
    trust = [("controls", "Controls")] * bool(attackers)
    by_part["Privacy"] = privacy + by_part.pop("Privacy", []) + trust
    by_part["Method"] = [
        ("method", "Method"),
        *[("omitted", "Not computed")] * omitted,
        *[("provenance", "Provenance")] * origin,
    ]
    parts = [Part(title, tuple(entries)) for title, entries in by_part.items() if entries]
    return Part("Verdict", (("verdict", "Verdict"), ("in-short", "In short"))), *parts


def _short(title: str) -> str:
    return title.partition(":")[0]
