"""twinseq: synthetic twins of RNA-seq cohorts, with evidence of what they keep and what they leak.

>>> import twinseq as ts
>>> cohort = ts.datasets.simulate_cohort(n_cases=20, n_controls=20, n_genes=500, seed=0)
>>> train, holdout = cohort.split((0.5, 0.5), seed=0)
>>> twin = ts.generators.create("copula", preset="faithful").fit(train, seed=0).sample(seed=1)
>>> twin.n_samples, twin.n_genes
(20, 500)
>>> report = ts.audit(train, twin, holdout=holdout, metrics=["lfc_pearson", "library_size_ks"])
>>> report["lfc_pearson"].value > report["lfc_pearson"].floor
True
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import attacks, camda, datasets, de, generators, metrics
    from .advise import advise
    from .audit import audit, audit_procedure
    from .basis import build_basis
    from .cohort import Cohort
    from .io import read, write
    from .plan import plan
    from .release import release

__all__ = [
    "Cohort", "advise", "attacks", "audit", "audit_procedure", "build_basis", "camda", "datasets", "de", "generators",
    "metrics", "plan", "read", "release", "write",
]  # fmt: skip
__version__ = version("twinseq")

_HOME = {
    "Cohort": "cohort", "advise": "advise", "audit": "audit", "audit_procedure": "audit", "build_basis": "basis",
    "plan": "plan", "read": "io", "release": "release", "write": "io",
}  # fmt: skip


class _Package(ModuleType):
    """A package whose public names load on first use, functions before the modules they live in."""

    def __setattr__(self, name: str, value: Any) -> None:
        # Importing twinseq.audit anywhere would otherwise put the module where the function belongs.
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'twinseq' has no attribute '{name}'")
    module = importlib.import_module(f".{_HOME.get(name, name)}", __name__)
    return getattr(module, name) if name in _HOME else module


def __dir__() -> list[str]:
    return sorted(__all__)


sys.modules[__name__].__class__ = _Package
