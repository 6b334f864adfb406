"""The leaderboard of a benchmark: a page, a table for programs and one for print."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import ConfigError
from ..files import atomic_folder, check_folder
from .board import Board
from .page import render
from .printed import latex, wide
from .standings import stand
from .store import Store

NAMES = ("leaderboard.html", "leaderboard.csv", "leaderboard.tex")


def leaderboard(
    folder: str | Path,
    output: str | Path | None = None,
    weights: Mapping[str, float] | None = None,
    title: str | None = None,
) -> Board:
    """Compare the generators of a benchmark, and write what came out.

    Parameters
    ----------
    folder
        Folder of the outcomes.
    output
        Where ``leaderboard.html``, ``leaderboard.csv`` and ``leaderboard.tex`` go; by default to ``folder``. The page
        links to the audit reports from there.
    weights
        Weights of axes for a further column; see `stand`.
    title
        Headline of the page; by default that of the grid.

    Returns
    -------
    What the page shows.

    Raises
    ------
    ConfigError
        ``folder`` is none, or holds no outcomes, or a weight cannot be used.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder. Make outcomes: twinseq benchmark run.")
    output = folder if output is None else Path(output)
    check_folder(output)
    store = Store(folder)
    board = stand(store, weights)
    with atomic_folder(output) as scratch:
        texts = (
            render(board, store, output, store.title if title is None else title),
            wide(board).to_csv(index=False, float_format="%.6g"),
            latex(board),
        )
        for name, text in zip(NAMES, texts, strict=True):
            (scratch / name).write_text(text, encoding="utf-8", errors="replace")
    return board
