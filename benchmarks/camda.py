"""What the red team of ``twinseq camda`` finds, beside the starter kit's attacks.

    python benchmarks/camda.py [--quick]

A cohort shaped like the challenge's TCGA-BRCA (tumours with five subtypes, as many genes, one of five folds left out)
and a twin by each of several generators; all of the cohort are targets, four fifths of them members, and there is no
reference. Needs the real cohorts (``TWINSEQ_DATA``). Writes ``benchmarks/results/camda.md``.
"""

import argparse
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd

import twinseq as ts
from twinseq import camda
from twinseq.attacks import View
from twinseq.attacks.roc import auc, tpr_at_fpr
from twinseq.dp.budget import PrivacyWarning
from twinseq.knowledge import samples_of
from twinseq.redteam.trial import Trial, available, score

from _common import machine, publish, table
from red_team import continuous, tumours
from starter_kit import ATTACKS as STARTER_KIT

GENES = 978
PRIVATE = {"delta": 1e-4}
GENERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "mvn": ("mvn", {}),
    "copula": ("copula", {}),
    "lowrank-mvn": ("lowrank-mvn", {}),
    "nmf": ("nmf", {}),
    "independent": ("independent", {}),
    "smote": ("smote", {}),
    "bootstrap": ("bootstrap", {}),
    "dp-copula, ε = 10": ("dp-copula", {"epsilon": 10.0, **PRIVATE}),
    "dp-pgm, ε = 7": ("dp-pgm", {"epsilon": 7.0, **PRIVATE}),
}
KIT = ("gan_leaks", "gan_leaks_scaled", "mc")
"""Attacks of the kit that need no reference."""


def figures(scores: np.ndarray, member: np.ndarray) -> tuple[float, float, float]:
    """AUC, and TPR at 10 % and 1 %."""
    inside, outside = scores[member], scores[~member]
    return auc(inside, outside), tpr_at_fpr(inside, outside, 0.1), tpr_at_fpr(inside, outside, 0.01)


def best(columns: list[tuple[str, np.ndarray]], member: np.ndarray) -> tuple[str, tuple[float, float, float]]:
    """Return the attack of largest AUC, chosen with the truth in hand."""
    return max(((name, figures(column, member)) for name, column in columns), key=lambda item: item[1][0])


def shown(found: tuple[float, float, float]) -> str:
    return f"{found[0]:.3f}, {found[1]:.2f}, {found[2]:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="two generators only")
    quick = parser.parse_args().quick
    warnings.simplefilter("ignore", PrivacyWarning)
    cohort = continuous(tumours(), np.arange(GENES))
    cohort = ts.Cohort(cohort.adata, label=cohort.label, kind="continuous", source=cohort.source)
    train, _ = next(iter(cohort.folds(5, seed=0)))
    member = np.isin(cohort.adata.obs_names, train.adata.obs_names)
    rows, seconds = [], []
    for title, (name, settings) in list(GENERATORS.items())[: 2 if quick else None]:
        twin = ts.generators.create(name, **settings).fit(train, seed=0).sample(seed=1)
        targets = samples_of(cohort)
        kit = [(one, STARTER_KIT[one](targets.values, twin.dense(), targets.values, 0)) for one in KIT]
        trial = Trial(View("T0", samples_of(twin), targets), cohort.donors(), member, targets.labels)
        single = score(trial, available(trial))
        alone = [(key[0], column) for key, column in zip(single.keys, single.values.T, strict=True)]
        profiles = pd.DataFrame(twin.dense(), columns=twin.genes)
        answers = []
        for generator in (None, ts.generators.create(name, **settings)):
            started = time.process_time()
            found = camda.red(cohort, profiles, twin.labels(), None, generator)
            seconds.append(time.process_time() - started)
            answers.append(shown(figures(found.values, member)))
        strongest, of_strongest = best(alone, trial.is_member)
        rows.append((title, shown(best(kit, member)[1]), f"{strongest}: {shown(of_strongest)}", *answers))
        print(*rows[-1], f"{seconds[-1]:.0f} s", flush=True)
    publish(
        "camda",
        [
            "# The red team of the Health Privacy Challenge",
            "",
            machine("twinseq", "numpy", "scipy", "scikit-learn"),
            "Written by `benchmarks/camda.py`. 1,040 breast tumours with a PAM50 subtype, log2 CPM of 978 genes; the",
            f"twin is made of four folds of five ({int(member.sum())} members, {int((~member).sum())} others), all are",
            "targets, and there is no reference cohort. AUC, then the share of members named at 10 % and at 1 % false",
            "alarms. Second and third column: the strongest attack, chosen with the truth in hand; the last two: what",
            "`twinseq camda red` writes, without and with the generator's name.",
            "",
            *table(("twin", "starter kit's strongest", "our strongest single attack", "red", "red -g"), rows),
            "",
            f"One answer takes {np.median(seconds):.0f} s of processor time (median; from {min(seconds):.0f} to "
            f"{max(seconds):.0f} s).",
        ],
    )


if __name__ == "__main__":
    main()
