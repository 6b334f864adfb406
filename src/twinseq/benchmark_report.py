"""``twinseq benchmark report`` and ``merge``: compare what a grid gave, and put several runs together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .errors import ConfigError, shorten
from .options import JSON, QUIET
from .terminal import print_json, print_table, say

if TYPE_CHECKING:
    from .benchmark.board import Board

REPORT_EXAMPLES = """\b
twinseq benchmark report results

twinseq benchmark report results -o public --weight utility=2 --weight privacy=3"""
MERGE_EXAMPLES = """\b
twinseq benchmark merge monday tuesday -o results"""
FOLDER = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the outcomes, from `twinseq benchmark run`.")]


def report(
    folder: FOLDER,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder of the leaderboard. [that of the outcomes]"),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option("--weight", metavar="AXIS=W", help="Adds a column with a weighted mean; axes not named weigh 1."),
    ] = None,
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="Headline of the page.")] = None,
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Compare generators: a leaderboard and the frontier of usefulness and safety, with what is uncertain about them.

    Writes leaderboard.html, which needs no network, leaderboard.csv and leaderboard.tex.
    """
    from .benchmark.leaderboard import leaderboard
    from .benchmark.printed import wide

    board = leaderboard(folder, output, parse_weights(weight or ()), title)
    page = (output or folder) / "leaderboard.html"
    if as_json:
        figures = wide(board).astype(object)
        print_json({"page": str(page), "rows": figures.where(figures.notna(), None).to_dict("records")})
    elif not quiet:
        show(board)
        say(f"Written to {page}")


def merge(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of outcomes.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of all of them; may hold some already.")
    ],
    quiet: QUIET = False,
    as_json: JSON = False,
) -> None:
    """Put the outcomes of several runs into one folder, twins and audit reports with them.

    A task that failed in one run and was done in another counts as done.
    """
    from .benchmark.store import Store
    from .files import check_folder

    check_folder(output)
    stores = [Store(folder) for folder in folders]
    for store in stores:
        if not any((store.folder / "tasks").glob("*.json")):
            raise ConfigError(f"{store.folder}: holds no outcomes of a benchmark.")
        if store.folder.resolve() == output.resolve():
            raise ConfigError(f"{output}: is an input too; what it holds is kept anyway. Leave it out of the inputs.")
    target = Store(output)
    taken = {str(store.folder): target.merge(store) for store in stores}
    target.publish()
    if as_json:
        print_json({"output": str(output), "taken": taken})
    elif not quiet:
        for name, number in taken.items():
            say(f"{number} {'task' if number == 1 else 'tasks'} taken over from {name}")
        say(f"Compare them: twinseq benchmark report {output}")


def parse_weights(texts: Sequence[str]) -> dict[str, float]:
    """Read ``"utility=2"``.

    Raises
    ------
    ConfigError
        A text is not a name and a number, or an axis occurs twice.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        name = name.strip()
        try:
            weight = float(number)
        except ValueError:
            weight = None
        if not name or weight is None or name in found:
            raise ConfigError(f"--weight {shorten(text)}: write AXIS=NUMBER, such as utility=2, each axis once.")
        found[name] = weight
    return found


def show(board: Board) -> None:
    """Print the standings on all cohorts together, or on the only one."""
    from .benchmark.printed import table

    view = board.views[0]
    say("All cohorts" if view.cohort is None else view.cohort, "bold")
    header, rows = table(board, view)
    print_table(header, rows, numbers=header[1:])
    say(
        "From a known-bad twin (0) to real data (1); attacks: AUC, 0.5 is guessing. In brackets 95 % of resamples.",
        "dim",
    )
    if not view.resampled:
        say("Too few splits for intervals: run at least three.", "yellow")
    if failed := sum(int((one.tasks["status"] == "failed").sum()) for one in board.evidence):
        say(f"{failed} {'task' if failed == 1 else 'tasks'} failed; the page says why.", "yellow")
