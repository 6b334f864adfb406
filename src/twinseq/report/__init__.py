"""The report: one offline HTML page, drawn from an `AuditReport` and from nothing else."""

from .render import render

__all__ = ["render"]
