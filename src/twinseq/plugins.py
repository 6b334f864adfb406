"""Generators, attacks and metrics of other packages, found by their entry points.

A package announces a module under ``twinseq.generators``, ``twinseq.attacks`` or ``twinseq.metrics``; importing the
module registers what it defines, with the decorators that twinseq uses itself.
"""

from __future__ import annotations

import warnings
from importlib.metadata import entry_points

from .errors import shorten

GROUPS = ("twinseq.generators", "twinseq.attacks", "twinseq.metrics")
_DONE: set[str] = set()


class PluginWarning(UserWarning):
    """A plugin could not be loaded and is left out."""


def load_plugins(group: str) -> None:
    """Load what installed packages announce under ``group``, once; what fails is told of and left out.

    Warns
    -----
    PluginWarning
        A plugin raised an error.
    """
    if group in _DONE:
        return
    _DONE.add(group)
    for entry in entry_points(group=group):
        try:
            entry.load()
        except Exception as error:  # noqa: BLE001 - a plugin that fails must not take twinseq with it
            warnings.warn(
                f"Plugin '{shorten(entry.name)}' ({shorten(entry.value)}) could not be loaded: "
                f"{type(error).__name__}: {shorten(error, 200)}",
                PluginWarning,
                stacklevel=2,
            )
