"""What biology is kept: differential expression, fold changes, and what replicates. One idea a file."""

from . import de_calls, fold_changes, replication

__all__ = ["de_calls", "fold_changes", "replication"]
