"""The blue team: a twin of the training part of every split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import generators
from ..cohort import Cohort
from ..dp.claims import Claim, Release, beside, total_epsilon, write_claim
from ..files import atomic_folder
from ..private import claim_of
from .inputs import Split
from .twins import write_twin

Step = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Made:
    """What was written for one split.

    Parameters
    ----------
    split
        Its name.
    n_samples, n_genes
        Size of the twin.
    files
        Paths of profiles, labels and, where something is promised, the claim.
    claim
        What is promised.
    """

    split: str
    n_samples: int
    n_genes: int
    files: tuple[Path, ...]
    claim: Claim | None = None


def blue(
    cohort: Cohort,
    splits: Sequence[Split],
    folder: str | Path,
    generator: str = "copula",
    preset: str | None = None,
    settings: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    jobs: int = 1,
    step: Step | None = None,
) -> tuple[Made, ...]:
    """Make a twin of the training part of each split, as large as it, and write the challenge's files.

    All files are put into place together at the end: those of different runs are never mixed.

    Parameters
    ----------
    cohort, splits
        From `read_cohort` and `read_splits`.
    folder
        Gets ``synthetic_data_split_k.csv`` and ``synthetic_labels_split_k.csv``; other files in it stay.
    generator, preset, settings
        As for `twinseq.generators.create`.
    seed
        Seed of fits and draws, the same in every split.
    jobs
        Number of threads; it changes no result.
    step
        Called as ``step(done, total, description)``.

    Raises
    ------
    CohortError
        The generator cannot take the cohort, or a class is too small in a split.
    ConfigError
        The generator, the preset or a setting does not exist.
    OutputError
        The folder cannot be written to.
    """
    folder = Path(folder)
    made = []
    with atomic_folder(folder) as scratch:
        for done, split in enumerate(splits):
            if step is not None:
                step(done, len(splits), f"{generator}: {split.name}")
            model = generators.create(generator, preset, **(settings or {}))
            model.fit(cohort.subset(split.train), seed=seed, jobs=jobs)
            twin = model.sample(seed=seed + 1, jobs=jobs)
            files = write_twin(twin, scratch, split.number)
            claim = claim_of(model)
            if claim is not None:
                files.append(write_claim(claim, beside(files[0])))
            placed = tuple(folder / path.name for path in files)
            made.append(Made(split.name, twin.n_samples, twin.n_genes, placed, claim))
    return tuple(made)


def promised_together(made: Sequence[Made]) -> tuple[float, float] | None:
    """Return ε and δ of all twins together, as if every person were in every training part; ``None``: no promise.

    Each of five folds is trained on four fifths of the people, so that whoever gets all five twins learns of a person
    what four of them tell: the figure of a single twin is not that of a submission.
    """
    claims = [one.claim for one in made if one.claim is not None]
    if not claims:
        return None
    delta = max(claim.delta for claim in claims)
    return total_epsilon([Release("", claim) for claim in claims], delta), delta
