"""Leakage-budgeted tuning: the most faithful settings whose twins tell attackers no more than allowed."""

from .frontier import Frontier
from .settings import Setting, candidates
from .tuning import tune

__all__ = ["Frontier", "Setting", "candidates", "tune"]
