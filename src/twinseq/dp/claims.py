"""Claims in files: what a private twin promises, beside it; and what a cohort has given away over all its releases.

A claim file stands beside its twin and may be shared with it: it holds queries and noise, no answer. A *release ledger*
stays with the cohort. Each release is added before anything is written anywhere else, and what releases have spent
together is composed query by query, not ε by ε.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import CohortError, shorten
from ..files import atomic_path
from .ledger import Ledger, LedgerError, epsilon_of

SUFFIX = ".ledger.json"
SCHEMA = 1


@dataclass(frozen=True)
class Claim:
    """What is promised of one twin.

    Parameters
    ----------
    generator, parameters
        What made the twin.
    epsilon, delta
        The guarantee that was asked for.
    ledger
        The queries behind it.
    """

    generator: str
    parameters: Mapping[str, Any]
    epsilon: float
    delta: float
    ledger: Ledger

    @property
    def spent(self) -> float:
        """ε of the queries at ``delta``; never above ``epsilon``, but for rounding."""
        return self.ledger.epsilon(self.delta)

    def to_dict(self) -> dict[str, Any]:
        """Return the claim as plain values, with its wording."""
        return {
            "schema": SCHEMA,
            "generator": self.generator,
            "parameters": dict(self.parameters),
            "epsilon": self.epsilon,
            "delta": self.delta,
            "spent": self.spent,
            "spent_renyi": self.ledger.epsilon_renyi(self.delta),
            "statement": self.ledger.statement(self.delta),
            "ledger": self.ledger.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Claim:
        """Invert `to_dict`; what was spent is computed anew from the queries.

        Raises
        ------
        LedgerError
            The values are not those of a claim, or its queries spend more than it promises.
        """
        try:
            if values["schema"] != SCHEMA:
                raise LedgerError(f"A claim of version {shorten(values['schema'])}; known is {SCHEMA}.")
            claim = cls(
                str(values["generator"]),
                dict(values["parameters"]),
                float(values["epsilon"]),
                float(values["delta"]),
                Ledger.from_dict(values["ledger"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise LedgerError(f"Not a claim: {type(error).__name__} at {shorten(error)}.") from error
        if not (claim.epsilon > 0 and 0 < claim.delta < 1 and claim.ledger.queries):
            raise LedgerError("Not a claim: it has no queries, or no epsilon and delta that mean something.")
        if claim.spent > claim.epsilon * 1.001:
            raise LedgerError(
                f"The queries of this claim add up to epsilon = {claim.spent:.3g}, and it promises {claim.epsilon:g}."
            )
        return claim


def beside(twin: Path) -> Path:
    """Return where the claim of a twin file stands."""
    return twin.with_name(twin.name + SUFFIX)


def write_claim(claim: Claim, path: Path) -> Path:
    """Write a claim, whole or not at all."""
    return _write(claim.to_dict(), path)


def read_claim(path: Path) -> Claim:
    """Read a claim.

    Raises
    ------
    CohortError
        The file is missing or damaged.
    LedgerError
        It is no claim, or one that its own queries break.
    """
    values = _read(path)
    try:
        return Claim.from_dict(values)
    except LedgerError as error:
        raise LedgerError(f"{path}: {error}") from error


@dataclass(frozen=True)
class Release:
    """One entry of a release ledger: when, and the claim."""

    created: str
    claim: Claim


def read_releases(path: Path) -> list[Release]:
    """Return the releases in a ledger file; a file that is not there yet holds none.

    Raises
    ------
    CohortError, LedgerError
        The file is damaged.
    """
    if not path.exists():
        return []
    values = _read(path)
    try:
        return [Release(str(entry["created"]), Claim.from_dict(entry["claim"])) for entry in values["releases"]]
    except (KeyError, TypeError, LedgerError) as error:
        raise LedgerError(f"{path}: not a ledger of releases ({shorten(error)}).") from error


def add_release(claim: Claim, path: Path) -> list[Release]:
    """Add a release to a ledger file; return all it holds now."""
    releases = read_releases(path)
    created = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    releases.append(Release(created, claim))
    entries = [{"created": release.created, "claim": release.claim.to_dict()} for release in releases]
    _write({"schema": SCHEMA, "releases": entries}, path)
    return releases


def total_epsilon(releases: list[Release], delta: float) -> float:
    """Return the ε at ``delta`` of all queries of all releases."""
    return epsilon_of([query for release in releases for query in release.claim.ledger.queries], delta)


def _write(values: Mapping[str, Any], path: Path) -> Path:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return path


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CohortError(f"{path}: no such file.") from None
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise CohortError(f"{path}: cannot be read as a ledger ({shorten(error)}).") from error
