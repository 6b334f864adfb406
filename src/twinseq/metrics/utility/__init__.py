"""How good a teacher of classifiers and risk models the twin is. One idea a file."""

from . import attribution, augmentation, calibration, survival, tstr

__all__ = ["attribution", "augmentation", "calibration", "survival", "tstr"]
