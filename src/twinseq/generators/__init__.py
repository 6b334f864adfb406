"""Generators: one file each, found by name through `create`, `names`, `info` and `load`."""

from . import (
    bootstrap,
    copula,
    ctgan,
    cvae,
    cvae_gmm,
    diffusion,
    dp_cvae,
    dp_pgm,
    independent,
    lowrank_mvn,
    mvn,
    nmf,
    pca_ctgan,
    smote,
    wgan_gp,
)
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
    "ctgan",
    "cvae",
    "cvae_gmm",
    "diffusion",
    "dp_cvae",
    "dp_pgm",
    "get",
    "independent",
    "info",
    "load",
    "lowrank_mvn",
    "mvn",
    "names",
    "nmf",
    "pca_ctgan",
    "register",
    "smote",
    "wgan_gp",
]
