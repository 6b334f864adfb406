"""The plots, one file each: a function from the audit's tables to a `Figure`, or ``None`` without its table."""
