"""Differential privacy with an account: mechanisms that add noise, and the ledger that they charge."""

from .budget import Budget, PrivacyWarning, Spending
from .ledger import Ledger, LedgerError, Query

__all__ = ["Budget", "Ledger", "LedgerError", "PrivacyWarning", "Query", "Spending"]
