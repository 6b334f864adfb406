"""Whether the audit can be relied on: defences that are none, and twins that give nobody away.

    python benchmarks/red_team_checks.py [--quick]

What do attackers find when noise is put on the means that all classes share? How often is a twin of other donors called
a leak, and do the controls come out as they must? Needs the real cohorts (``TWINSEQ_DATA``). Writes
``benchmarks/results/red_team_checks.md``.
"""

import argparse

import numpy as np

import twinseq as ts
from twinseq.parallel import run
from twinseq.redteam import attack_twin
from twinseq.redteam.trial import Trial

from _common import machine, publish, table
from red_team import THIRDS, areas, continuous, transcriptome

NOISES = (0, 15)


def noise_on_means(quick: bool) -> list[list[str]]:
    """Faithful twins with noise on what the classes share: what each attack still finds."""
    cohort = continuous(transcriptome())
    rows = []
    shown = [("nearest_distance", "T0"), ("mean_tracing", "T0"), ("contrast_tracing", "T0")]
    shown += [("mean_tracing", "T1"), ("contrast_tracing", "T1"), ("gaussian_lrt", "T1")]
    for noise in NOISES:
        every = []
        for seed in range(1 if quick else 4):
            members, others, reference = cohort.split(THIRDS, seed=seed)
            twin = ts.generators.create("copula").fit(members, seed=seed, jobs=2).sample(seed=seed + 1, jobs=2)
            values, labels = members.dense(), members.labels()
            left = np.concatenate(
                [values[labels == name] - values[labels == name].mean(axis=0) for name in set(labels)]
            )
            error = left.std(axis=0) / np.sqrt(len(left))
            adata = twin.adata.copy()
            adata.X = twin.dense() + noise * error * np.random.default_rng(seed).standard_normal(cohort.n_genes)
            every.append(areas(Trial.of(twin.with_adata(adata), members, others, reference, seed=seed)))
        rows.append([f"{noise} SE", *(f"{np.mean([found[key][0] for found in every]):.3f}" for key in shown)])
    return rows


def one_false_alarm(seed: int) -> tuple[bool, dict[str, bool]]:
    """Audit a twin of other donors: whether it is called a leak, and whether each control came out as it must."""
    whole = ts.datasets.simulate_cohort(n_cases=160, n_controls=160, n_genes=200, seed=seed)
    others_twin, members, holdout, reference = whole.split((0.25, 0.25, 0.25, 0.25), seed=seed)
    twin = ts.generators.create("copula").fit(others_twin, seed=seed).sample(seed=seed + 1)
    found, _ = attack_twin(members, twin, holdout, reference, seed=seed)
    leaks = any(headline.leaks for headline in found.headlines)
    return leaks, {control.name: control.passed is True for control in found.controls}


def false_alarms(n: int) -> list[list[str]]:
    outcomes = run(one_false_alarm, range(n), jobs=2)
    leaks = np.mean([leak for leak, _ in outcomes])
    passed = {name: np.mean([controls[name] for _, controls in outcomes]) for name in ("null", "positive", "negative")}
    return [[str(n), f"{leaks:.1%}", *(f"{passed[name]:.1%}" for name in ("null", "positive", "negative"))]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one split, 20 audits")
    quick = parser.parse_args().quick
    noisy = noise_on_means(quick)
    alarms = false_alarms(20 if quick else 200)
    publish(
        "red_team_checks",
        [
            "# Whether the audit can be relied on",
            "",
            machine("twinseq", "numpy", "scipy", "scikit-learn"),
            "Written by `benchmarks/red_team_checks.py`.",
            "",
            "## Noise on the means that all classes share",
            "Faithful copula, breast (tumour and normal, 17,000 genes, 100 samples), log2 CPM, thirds, 4 splits;",
            "AUC by donor. Noise in standard errors of a gene's mean.",
            "",
            *table(
                [
                    "noise",
                    "nearest distance",
                    "mean tracing, T0",
                    "contrast tracing, T0",
                    "mean tracing, T1",
                    "contrast tracing, T1",
                    "likelihood ratio, T1",
                ],
                noisy,
                "l" + "r" * 6,
            ),
            "",
            "## False alarms",
            "Simulated cohorts (200 genes, 80 donors in each part); the twin is made of donors who are neither members",
            "nor non-members nor reference. *Leak*: a headline has p ≤ .025, and so have those of all higher levels;",
            "controls: passed.",
            "",
            *table(["audits", "called a leak", "null", "positive", "negative"], alarms, "rrrrr"),
        ],
    )


if __name__ == "__main__":
    main()
