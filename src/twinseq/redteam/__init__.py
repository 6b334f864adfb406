"""Attacks put to use: who plays which part, what came out, and whether the audit itself can be trusted."""

from .artefact import attack_twin
from .procedure import attack_procedure

__all__ = ["attack_procedure", "attack_twin"]
