"""Generators by name."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from ..errors import ConfigError, suggest
from ._base import Generator, GeneratorInfo, read_model, restore

_REGISTRY: dict[str, type[Generator]] = {}


def register(generator: type[Generator]) -> type[Generator]:
    """Class decorator: make a generator known under ``info.name``."""
    _REGISTRY[generator.info.name] = generator
    return generator


def names() -> list[str]:
    """Return the known generators, in the order in which they were registered."""
    return list(_REGISTRY)


def get(name: str) -> type[Generator]:
    """Return the class of a generator.

    Raises
    ------
    ConfigError
        No generator has this name; the nearest is suggested.
    """
    if name not in _REGISTRY:
        raise ConfigError(f"Unknown generator '{name}'{suggest(name, _REGISTRY)}")
    return _REGISTRY[name]


def info(name: str) -> GeneratorInfo:
    """Return what is known of a generator."""
    return get(name).info


def create(name: str, preset: str | None = None, **params: Any) -> Generator:
    """Make an unfitted generator.

    Parameters
    ----------
    name
        Registry key, such as ``"copula"``.
    preset
        Named set of hyper-parameters of this generator, such as ``"faithful"``.
    **params
        Hyper-parameters that override those of the preset.

    Raises
    ------
    ConfigError
        Unknown generator, preset or parameter (the nearest is suggested), or a value out of range.
    """
    generator = get(name)
    if preset is not None and preset not in generator.presets:
        if not generator.presets:
            raise ConfigError(f"Generator '{name}' has no presets, so not '{preset}' either.")
        raise ConfigError(f"Generator '{name}' has no preset '{preset}'{suggest(preset, generator.presets)}")
    known = inspect.signature(generator).parameters
    for key in params:
        if key not in known:
            if not known:
                raise ConfigError(f"Generator '{name}' has no parameters, so not '{key}' either.")
            raise ConfigError(f"Generator '{name}' has no parameter '{key}'{suggest(key, known)}")
    chosen = dict(generator.presets[preset]) if preset is not None else {}
    return generator(**{**chosen, **params})


def load(path: str | Path) -> Generator:
    """Read a fitted generator written by `Generator.save`; nothing in the file is executed.

    Raises
    ------
    CohortError
        The file is missing or not a twinseq model.
    ConfigError
        It holds a generator that is not installed.
    """
    header, arrays = read_model(path)
    return restore(create(header["generator"], **header["params"]), header, arrays)
