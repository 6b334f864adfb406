"""The preset `share`: settings are searched against attackers, and the audit deals donors that the search has not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from .. import generators
from ..cohort import Cohort
from ..errors import ConfigError
from ..measurement import Progress
from ..policy import Policy
from ..results import AuditReport
from .kept import Kept, key_of
from .procedure import Procedure

if TYPE_CHECKING:
    from ..sharing import Setting

PRESET = "share"
ABLE = (None, "copula", "share-copula", "basis-copula")
OWN_SEEDS = 200_000
"""Partitions of the audit have seeds of their own, this far from those of the search."""
WEIGHT = 400
EACH = 6
CHOICE = (
    "The setting was chosen by a search over {n} settings on partitions of these donors (the table frontier). The "
    "audit's partitions are others and had no part in the choice. The donors are the same ones, so that the choice may "
    "still be a little too favourable."
)
OF_CELLS = (
    "Nothing was searched: there is a search for bulk profiles only. Of single cells the preset leakage-limited was "
    "taken as it is, which as a rule still gives donors away. Where the verdict says so, take a model of public cells "
    "(--generator cell-copula --set public=FILE) or a guarantee (--preset dp --epsilon E)."
)


@dataclass(frozen=True)
class Wanted:
    """What a search is to reach.

    Parameters
    ----------
    target_auc
        Most that attacks may reach; ``None``: the policy's limit.
    min_de_recall
        Least share of differential genes kept.
    basis
        File of a public basis.
    candidates
        Settings to search; ``None``: those of `twinseq.sharing.candidates`.
    """

    target_auc: float | None = None
    min_de_recall: float | None = None
    basis: str | Path | None = None
    candidates: Sequence[Setting] | None = None

    def check(
        self, shared: bool, of_cells: bool, guarantee: Mapping[str, float | None], settings: Mapping[str, object]
    ) -> None:
        """Refuse what would be left aside: targets where nothing is searched, and what a search does not take.

        Parameters
        ----------
        shared, of_cells
            Whether it is the preset `share`, and of single cells, where that searches nothing.
        guarantee, settings
            Parameters of a guarantee and settings of a generator, as far as they were stated.

        Raises
        ------
        ConfigError
            There is such an option.
        """
        for option, value in (("target_auc", self.target_auc), ("min_de_recall", self.min_de_recall)):
            if value is not None and of_cells:
                raise ConfigError(f"{option}: there is a search for bulk profiles only, and these are single cells.")
            if value is not None and not shared:
                raise ConfigError(f"{option}: goes with preset '{PRESET}', which searches settings that meet it.")
        if not shared:
            return
        for option, value in guarantee.items():
            if value is not None:
                raise ConfigError(f"{option}: the preset '{PRESET}' gives no guarantee; it goes with preset 'dp'.")
        if settings:
            raise ConfigError(f"settings: the preset '{PRESET}' has its own. Those that you state go with a generator.")
        if of_cells and self.basis is not None:
            raise ConfigError("basis: of single cells it goes with preset 'dp'.")


def is_shared(cohort: Cohort, generator: object, preset: str | None) -> bool:
    """Return whether settings are to be searched; so it is by default where there is a label.

    Raises
    ------
    ConfigError
        The preset is asked of a generator that has none of this name.
    """
    if preset == PRESET:
        if generator not in ABLE:
            raise ConfigError(f"Preset '{PRESET}' is one of {', '.join(filter(None, ABLE))}, not of this generator.")
        return True
    return preset is None and generator is None and (cohort.label is not None or cohort.cell_type is not None)


def tuned(
    cohort: Cohort,
    wanted: Wanted,
    policy: Policy,
    seed: int,
    jobs: int,
    kept: Kept,
    given: Mapping[str, str],
    progress: Progress,
) -> Procedure:
    """Search settings for a cohort, or take up what an earlier run has found.

    Parameters
    ----------
    cohort
        All donors.
    wanted, policy
        What to reach.
    seed, jobs
        As for `twinseq.sharing.tune`.
    kept, given
        Where the outcome is kept, and digests of all that it hangs on besides.
    progress
        Called as ``progress(done, WEIGHT, text)``.

    Raises
    ------
    CohortError
        There is no label, or a class has too few donors.
    """
    if cohort.cell_type is not None:
        model = generators.create("cell-copula", preset="leakage-limited")
        return Procedure(model, "leakage-limited", OF_CELLS)
    from ..sharing import tune
    from ..sharing.tuning import TARGET_AUC

    stated = target_of(policy) if wanted.target_auc is None else wanted.target_auc
    target = TARGET_AUC if stated is None else stated
    replication = floor_of(policy)
    key = key_of([dict(given), PRESET, target, wanted.min_de_recall, replication, seed])
    if not kept.has(key):
        said = 0

        def step(text: str) -> None:
            nonlocal said
            progress(min(EACH * said, WEIGHT), WEIGHT, f"settings: {text}")
            said += 1

        with threadpool_limits(1):
            found = tune(
                cohort, basis=wanted.basis, target_auc=target, min_de_recall=wanted.min_de_recall,
                min_replication=replication, candidates=wanted.candidates, seed=seed, jobs=jobs, step=step,
            )  # fmt: skip
        settings = {name: value for name, value in found.chosen[1].items() if name != "basis"}
        table = AuditReport(provenance={}, verdict={}, metrics=(), tables={"frontier": found.table})
        kept.write(key, report=table, chosen=[found.chosen[0], settings], reasons=list(found.reasons))
    plain, frontier = kept.plain(key), kept.report(key).tables["frontier"]
    name, settings = plain["chosen"]
    if wanted.basis is not None:
        settings["basis"] = str(wanted.basis)
    searched = int((frontier["stage"] == "searched").sum())
    return Procedure(
        generators.create(name, **settings), PRESET, CHOICE.format(n=searched), frontier, tuple(plain["reasons"])
    )


def target_of(policy: Policy) -> float | None:
    """Return the policy's limit on attackers; ``None`` where it sets none.

    The search asks that the upper confidence bound of the strongest attack stays below, as the policy does. The audit,
    which has a third of the donors on each side, may still be too small to show it; then the verdict says so.
    """
    return None if policy.auc is None else policy.auc.value


def floor_of(policy: Policy) -> float | None:
    """Return the least replication of fold changes that the policy asks for; ``None`` where it asks for none.

    A setting that leaks less and keeps too little would fail the policy all the same.
    """
    demands = [demand for floor in policy.fidelity for demand in floor.first_of]
    least = [value for metric, direction, value in demands if (metric, direction) == ("lfc_replication", "at least")]
    return max(least, default=None)
