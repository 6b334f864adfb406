"""Generators by name."""

from __future__ import annotations

import inspect
import math
import numbers
import warnings
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

from ..dp.budget import PrivacyWarning
from ..errors import ConfigError, suggest
from ..plugins import load_plugins
from ._base import Generator, GeneratorInfo
from ._modelfile import DAMAGE, not_a_model, read_model

_REGISTRY: dict[str, type[Generator]] = {}
PLUGINS = "twinseq.generators"
"""Entry points at which other packages announce theirs."""
_TYPES: dict[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    NoneType: "None",
}


def register(generator: type[Generator]) -> type[Generator]:
    """Class decorator: make a generator known under ``info.name``."""
    _REGISTRY[generator.info.name] = generator
    return generator


def names() -> list[str]:
    """Return the known generators, in the order in which they were registered."""
    load_plugins(PLUGINS)
    return list(_REGISTRY)


def get(name: str) -> type[Generator]:
    """Return the class of a generator.

    Raises
    ------
    ConfigError
        No generator has this name; the nearest is suggested.
    """
    if name not in _REGISTRY:
        load_plugins(PLUGINS)
    if name not in _REGISTRY:
        raise ConfigError(f"Unknown generator '{name}'{suggest(name, _REGISTRY)}")
    return _REGISTRY[name]


def info(name: str) -> GeneratorInfo:
    """Return what is known of a generator."""
    return get(name).info


def defaults(name: str) -> dict[str, Any]:
    """Return the hyper-parameters of a generator as they are where none is stated."""
    known = inspect.signature(get(name)).parameters
    return {key: parameter.default for key, parameter in known.items()}


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
        Unknown generator, preset or parameter (the nearest is suggested), or a value of the wrong type
        or out of range.
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
    for key, value in params.items():
        _check_type(f"{name}: {key}", value, get_type_hints(generator.__init__)[key])
    chosen = dict(generator.presets[preset]) if preset is not None else {}
    return generator(**{**chosen, **params})


def _check_type(what: str, value: Any, annotation: Any) -> None:
    """Refuse a value that is none of the types in ``annotation``; a whole number will do as a number."""
    options = get_args(annotation) or (annotation,)
    if not any(_fits(value, option) for option in options):
        raise ConfigError(f"{what} must be {' or '.join(_TYPES[option] for option in options)}, not {value!r}.")


def _fits(value: Any, option: Any) -> bool:
    if isinstance(value, bool):
        return option is bool
    if option is int:
        return isinstance(value, numbers.Integral)
    if option is float:
        return isinstance(value, numbers.Real) and math.isfinite(value)
    return isinstance(value, option)


def load(path: str | Path) -> Generator:
    """Read a fitted generator written by `Generator.save`; nothing in the file is executed.

    Raises
    ------
    CohortError
        The file is missing, damaged or not a twinseq model.
    ConfigError
        It holds a generator that is not installed.
    """
    header, arrays = read_model(Path(path))
    try:
        name, params = str(header["generator"]), dict(header["params"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PrivacyWarning)  # said when the generator was made
            return create(name, **params).restore(header, arrays)
    except DAMAGE as error:
        raise not_a_model(Path(path), error) from error
