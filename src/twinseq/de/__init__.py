"""Fast differential expression: a numba backend for PyDESeq2, and one call that runs the pipeline.

The names load on first use, so that importing this package costs nothing and compiles nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .deseq2 import fit_deseq2
    from .inference import NumbaInference
    from .model import fit_model

__all__ = ["NumbaInference", "fit_deseq2", "fit_model"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name == "NumbaInference":
        from .inference import NumbaInference

        return NumbaInference
    if name == "fit_deseq2":
        from .deseq2 import fit_deseq2

        return fit_deseq2
    if name == "fit_model":
        from .model import fit_model

        return fit_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
