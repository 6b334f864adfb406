"""Descriptive distances to the training data; passing them is no evidence of safety. One idea a file."""

from . import authenticity, closer_to_train, copies, nearest

__all__ = ["authenticity", "closer_to_train", "copies", "nearest"]
