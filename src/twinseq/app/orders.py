"""From the fields of a form to what is to be done; every value is checked against what was offered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from ..errors import ConfigError, shorten
from .intake import Arrived

Number = TypeVar("Number", int, float)
PRESETS = {
    "share": "To be shared: as faithful as a limit on what attacks may find allows",
    "dp": "To be shared with a guarantee: differential privacy of each donor",
    "faithful": "To stay inside: most faithful; it gives its donors away",
}
LEAST_EPSILON = 0.01
MOST_SPLITS = 20
ROLES = ("label", "donor", "cell_type")
KINDS = ("counts", "continuous")


def policies() -> dict[str, str]:
    """Return the built-in policies with their titles."""
    from ..policy import profiles, read_policy

    return {name: read_policy(name).title for name in profiles()}


def roles_and_settings(fields: Sequence[tuple[str, str]], came: Arrived) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the keywords of `twinseq.read` and of `twinseq.release` that a form states.

    Parameters
    ----------
    fields
        Names and values, as the browser sent them; ``covariate`` may come more than once.
    came
        The cohort's columns.

    Raises
    ------
    ConfigError
        A value is none of those that were offered, or is no number where one is needed.
    """
    first = dict(reversed(fields))
    names = {column.name for column in came.columns}
    roles: dict[str, Any] = {"kind": _one_of(first, "kind", KINDS)}
    for role in ROLES:
        if chosen := first.get(role, ""):
            roles[role] = _known(chosen, names)
    taken = {roles[role] for role in ROLES if role in roles}
    if len(taken) < sum(role in roles for role in ROLES):
        raise ConfigError("Each column can have one role only: label, donor and cell type must differ.")
    covariates = [_known(value, names) for key, value in fields if key == "covariate"]
    roles["covariates"] = [name for name in covariates if name not in taken]
    preset = _one_of(first, "preset", PRESETS)
    settings: dict[str, Any] = {"preset": preset, "policy": _one_of(first, "policy", policies())}
    if preset == "dp":
        settings["epsilon"] = _number(first, "epsilon", float, LEAST_EPSILON, 1e3)
    settings["splits"] = _number(first, "splits", int, 1, MOST_SPLITS)
    settings["seed"] = _number(first, "seed", int, 0, 10**9)
    return roles, settings


def _known(name: str, names: set[str]) -> str:
    if name not in names:
        raise ConfigError(f"There is no column '{shorten(name, 40)}'.")
    return name


def _one_of(fields: Mapping[str, str], key: str, offered: Sequence[str] | Mapping[str, str]) -> str:
    value = fields.get(key, "")
    if value not in offered:
        raise ConfigError(f"{key}: choose one of {', '.join(offered)}.")
    return value


def _number(fields: Mapping[str, str], key: str, kind: type[Number], least: Number, most: Number) -> Number:
    text = fields.get(key, "").strip()
    try:
        value = kind(text)
    except ValueError:
        word = "a whole number" if kind is int else "a number"
        raise ConfigError(f"{key}: '{shorten(text, 40)}' is not {word}.") from None
    if not least <= value <= most:
        raise ConfigError(f"{key}: must be from {least:g} to {most:g}.")
    return value
