"""How good a teacher of classifiers the twin is. One idea a file."""

from . import tstr

__all__ = ["tstr"]
