"""Generators: one file each, found by name through `create`, `names`, `info` and `load`."""

from . import bootstrap, copula, cvae, cvae_gmm, diffusion, independent, lowrank_mvn, mvn, nmf, smote
from ._base import Generator, GeneratorInfo, NotOfferedError, class_names
from ._registry import create, get, info, load, names, register

__all__ = [
    "Generator",
    "GeneratorInfo",
    "NotOfferedError",
    "bootstrap",
    "class_names",
    "copula",
    "create",
    "cvae",
    "cvae_gmm",
    "diffusion",
    "get",
    "independent",
    "info",
    "load",
    "lowrank_mvn",
    "mvn",
    "names",
    "nmf",
    "register",
    "smote",
]
