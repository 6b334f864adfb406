"""The command line: parse, call, print."""

from __future__ import annotations

import io
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

from . import (
    __version__,
    advise_command,
    audit_command,
    basis_command,
    benchmark_command,
    camda_command,
    demo_command,
    generate_command,
    listings,
    plan_command,
    release_command,
    serve_command,
    split_command,
    terminal,
)
from .errors import TwinseqError, shorten
from .options import JSON, Listed, join_fractions
from .terminal import say

app = typer.Typer(
    name="twinseq",
    help="Synthetic twins of RNA-seq cohorts, with evidence of what they keep and what they leak.",
    epilog="`twinseq COMMAND -h` explains a command. `twinseq demo` needs no data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# An epilog's lines are kept as they are where it starts with a backspace (Click).
app.command()(demo_command.demo)
app.command(epilog=generate_command.EXAMPLES)(generate_command.generate)
app.command(epilog=split_command.EXAMPLES)(split_command.split)
app.command(epilog=audit_command.EXAMPLES)(audit_command.audit)
app.command(epilog=release_command.EXAMPLES)(release_command.release)
app.command(epilog=advise_command.EXAMPLES)(advise_command.advise)
app.command(epilog=plan_command.EXAMPLES)(plan_command.plan)
app.add_typer(basis_command.app, name="basis")
app.add_typer(benchmark_command.app, name="benchmark")
app.add_typer(camda_command.app, name="camda")
app.command(epilog=serve_command.EXAMPLES)(serve_command.serve)

INTERRUPTED = 130


def print_version(wanted: bool) -> None:
    """Print the version where it is asked for."""
    if wanted:
        say(f"twinseq {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=print_version)
    ] = False,
) -> None:
    """Take the options that stand before the command."""


@app.command("list")
def list_(
    what: Annotated[Listed, typer.Argument(metavar="WHAT", help="What to list.")],
    as_json: JSON = False,
) -> None:
    """List generators, metrics, attacks, datasets or policies."""
    rows, show = {
        Listed.generators: (listings.generator_rows, terminal.print_generators),
        Listed.metrics: (listings.metric_rows, terminal.print_metrics),
        Listed.attacks: (listings.attack_rows, terminal.print_attacks),
        Listed.datasets: (listings.dataset_rows, terminal.print_datasets),
        Listed.policies: (listings.policy_rows, terminal.print_policies),
    }[what]
    (terminal.print_json if as_json else show)(rows())


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line; bad input ends with exit code 2 and one message."""
    debug = bool(os.environ.get("TWINSEQ_DEBUG"))
    if not (debug or sys.warnoptions):
        warnings.simplefilter("ignore")  # what other libraries deprecate is no concern of the user
        terminal.tell_of_plugins()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no "×" must not cost the result
    if words is None:
        # Batch systems end a job that runs too long with SIGTERM: clean up as for Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(args=join_fractions(sys.argv[1:] if words is None else words), prog_name="twinseq")
    except TwinseqError as error:
        terminal.fail("Error", str(error))
        raise SystemExit(2) from None
    except SystemExit as end:
        if end.code == INTERRUPTED:
            terminal.fail("Stopped", "nothing half-written was left behind.")
        raise
    except Exception as error:
        if debug:
            raise
        if isinstance(error, OSError) and error.filename is not None:  # no right to look into a folder, name too long
            terminal.fail("Error", f"{shorten(os.fsdecode(error.filename))}: {error.strerror}.")
            raise SystemExit(2) from None
        if isinstance(error, MemoryError):
            terminal.fail("Error", "not enough memory for a cohort of this size.")
            raise SystemExit(1) from None
        terminal.fail("Internal error", f"{type(error).__name__}: {error}")
        terminal.warn("This is a bug in twinseq. TWINSEQ_DEBUG=1 shows where; please report it.")
        raise SystemExit(1) from None
