"""``twinseq benchmark``: run a grid, compare its outcomes."""

from __future__ import annotations

import typer

from . import benchmark_report, benchmark_run

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Compare generators on cohorts, under attack.")


@app.callback()
def root() -> None:
    """Compare generators on cohorts, under attack."""


app.command(epilog=benchmark_run.EXAMPLES)(benchmark_run.run)
app.command(epilog=benchmark_report.REPORT_EXAMPLES)(benchmark_report.report)
app.command(epilog=benchmark_report.MERGE_EXAMPLES)(benchmark_report.merge)
