"""The figures of the community benchmark, computed its way, so that a twin can be put into its tables. One idea a file.

They are kept for comparison, not for judgement: each says in its reading what it overlooks.
"""

from . import classifiers, closest, coexpression, discriminative, divergence, kernel, neighbours, rank_sum

__all__ = [
    "classifiers",
    "closest",
    "coexpression",
    "discriminative",
    "divergence",
    "kernel",
    "neighbours",
    "rank_sum",
]
