"""`--preset share` of the command line: settings are searched, then the twin is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..cohort import Cohort
from ..errors import ConfigError
from ..files import atomic_path
from .frontier import Frontier
from .settings import PRIVATE, PUBLIC
from .tuning import TARGET_AUC, tune

PRESET = "share"
ABLE = ("copula", PRIVATE, PUBLIC)


def shared_generator(
    generator: str,
    preset: str | None,
    settings: Sequence[str],
    target_auc: float | None,
    min_de_recall: float | None,
) -> str:
    """Return the generator behind ``--preset share``; any other preset leaves it as it is.

    Raises
    ------
    ConfigError
        Targets are stated without the preset, settings are stated though they are to be searched, or there is no such
        preset of the generator.
    """
    if preset != PRESET:
        stated = {"--target-auc": target_auc, "--min-de-recall": min_de_recall}
        for option, value in stated.items():
            if value is not None:
                raise ConfigError(f"{option} goes with --preset {PRESET}, which searches settings that meet it.")
        return generator
    if settings:
        raise ConfigError(f"--set: --preset {PRESET} searches the settings. State them with -g {PRIVATE} alone.")
    if generator not in ABLE:
        raise ConfigError(f"--preset {PRESET} is one of {', '.join(ABLE)}, not of '{generator}'.")
    return PRIVATE if generator == "copula" else generator


def frontier_beside(twin: Path) -> Path:
    """Return where the table of what was tried stands beside a twin."""
    return twin.with_name(twin.name + ".frontier.tsv")


def tuned(
    cohort: Cohort,
    basis: str | None,
    target_auc: float | None,
    min_de_recall: float | None,
    seed: int,
    jobs: int,
    step: Callable[[int, int, str], None],
    twin: Path,
) -> Frontier:
    """Search settings for ``cohort`` and write what was tried beside the twin to be made."""
    target = TARGET_AUC if target_auc is None else target_auc
    found = tune(
        cohort,
        basis=basis,
        target_auc=target,
        min_de_recall=min_de_recall,
        seed=seed,
        jobs=jobs,
        step=lambda words: step(1, 3, words),
    )
    with atomic_path(frontier_beside(twin)) as path:
        found.table.to_csv(path, sep="\t", index=False)
    return found
