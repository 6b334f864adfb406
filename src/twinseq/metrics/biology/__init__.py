"""What biology is kept: differential expression, fold changes, what replicates, networks, survival. One idea a file."""

from . import coexpression, cox, de_calls, fold_changes, kaplan_meier, modules, null_calls, replication

__all__ = ["coexpression", "cox", "de_calls", "fold_changes", "kaplan_meier", "modules", "null_calls", "replication"]
