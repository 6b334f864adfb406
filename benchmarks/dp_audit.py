"""Whether promises of differential privacy are kept, and seen to be broken where they are.

    python benchmarks/dp_audit.py [GENERATOR ...]

Mechanisms and generators are audited by their transcripts (`twinseq.redteam.promises`): an attacker who knows all
donors but one and sees every noisy answer. Beside each stands what the same audit says where the promise is broken on
purpose. Then the strongest attack on twins of real tumours, against the most that any attack could reach. Writes
``benchmarks/results/dp_audit.md``.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import numpy as np
import opendp.measurements as measurements
import pandas as pd
from anndata import AnnData
from scipy.stats import norm

import twinseq as ts
from twinseq.attacks.epsilon import epsilon_lower, gdp_mu_lower
from twinseq.cohort import Cohort
from twinseq.dp import Budget, Ledger, PrivacyWarning
from twinseq.dp.mechanisms import gaussian, laplace, symmetric
from twinseq.generators import _private
from twinseq.redteam.promises import PromiseAudit, audit_promise, gaussian_epsilon
from twinseq.redteam.trial import Trial

from _common import RESULTS, machine, publish, table
from red_team import THIRDS, areas, continuous, tumours

DELTA = 1e-3
SMALL = {"dp-cvae": {"latent": 2, "steps": 4, "rate": 1.0}, "dp-ctgan": {"steps": 4, "rate": 1.0}}
STORE = RESULTS / "dp_audit.json"
CELLS = "dp-scdesign"
BUILT = ("dp-copula", "dp-nmf", CELLS, "dp-cvae", "dp-pgm", "dp-ctgan")
N, N_GENES, FEW = 40, 6, 4


def worlds() -> tuple[Cohort, Cohort]:
    """Return a small cohort, and the same with a canary: all genes at the upper bound, in the smaller class."""
    rng = np.random.default_rng(0)
    values = np.vstack([np.clip(rng.normal(8, 1.5, (N, N_GENES)), 0, 20), np.full(N_GENES, 20.0)])
    obs = pd.DataFrame(
        {
            "group": pd.Categorical(np.repeat(["large", "small"], [N - FEW, FEW + 1])),
            "who": np.arange(N + 1).astype(str),
        },
        index=[f"sample {row}" for row in range(N + 1)],
    )
    genes = pd.DataFrame(index=[f"gene {gene}" for gene in range(N_GENES)])
    cohort = Cohort(AnnData(values, obs=obs, var=genes), label="group", donor="who", kind="continuous")
    return cohort.subset(np.arange(N + 1) < N), cohort


def worlds_of_cells() -> tuple[Cohort, Cohort]:
    """Return donors of four cells, and the same with a canary: one cell of a rare type, all its counts in one gene."""
    rng = np.random.default_rng(0)
    values = np.vstack([rng.poisson(20 * rng.gamma(2, 0.5, (4 * N, N_GENES))) + 1, np.eye(1, N_GENES) * 10**5])
    who = np.minimum(np.arange(len(values)) // 4, N)
    types = np.where(np.arange(len(values)) % 4 > 0, "common", "rare")
    obs = pd.DataFrame(
        {"type": pd.Categorical(types), "who": who.astype(str)}, index=[f"cell {row}" for row in range(len(values))]
    )
    genes = pd.DataFrame(index=[f"gene {gene}" for gene in range(N_GENES)])
    cohort = Cohort(AnnData(values.astype(np.int64), obs=obs, var=genes), donor="who", cell_type="type")
    return cohort.subset(who < N), cohort


@contextmanager
def half_the_noise() -> Iterator[None]:
    """All mechanisms and the training have half the noise that they charge."""
    from twinseq.generators import _private_training as training

    make_gaussian, make_laplace, normals = measurements.make_gaussian, measurements.make_laplace, training.normals
    with ExitStack() as stack:
        for name, whole in (("make_gaussian", make_gaussian), ("make_laplace", make_laplace)):
            halved = lambda domain, metric, scale, whole=whole: whole(domain, metric, scale / 2)  # noqa: E731
            stack.enter_context(patch.object(measurements, name, halved))
        stack.enter_context(patch.object(training, "normals", lambda *shape: normals(*shape) / 2))
        yield


@contextmanager
def bare_counts() -> Iterator[None]:
    """Class counts are charged and not noised."""
    noised = _private.gaussian

    def bare(values, sensitivity, multiplier, ledger, measured):
        noisy = noised(values, sensitivity, multiplier, ledger, measured)
        return values if measured.startswith("number of donors in each class") else noisy

    with patch.object(_private, "gaussian", bare):
        yield


@contextmanager
def calibrated_variances(name: str) -> Iterator[None]:
    """Draws are stretched to the standard deviations of the data, after everything else was noised."""
    kind = ts.generators.get(name)
    fit, sample = kind._fit, kind._sample

    def calibrated(self, cohort, *rest):
        fit(self, cohort, *rest)
        self.spread_of_the_data = cohort.dense().std(axis=0)

    def stretched(self, *asked):
        drawn, known = sample(self, *asked)
        mean, spread = drawn.mean(axis=0), np.maximum(drawn.std(axis=0), 1e-9)
        return mean + (drawn - mean) * self.spread_of_the_data / spread, known

    with patch.object(kind, "_fit", calibrated), patch.object(kind, "_sample", stretched):
        yield


def row(name: str, how: str, found: PromiseAudit) -> list[str]:
    return [
        name, how, f"{found.claimed:g}", str(found.runs), f"{found.epsilon_lower:.2f}",
        f"{found.reached:.3f} / {found.mu:.3f}", f"{found.noise:.3f}", f"{found.auc:.3f}",
        ", ".join(found.leaks) or "none", "broken" if found.refutes else "kept",
    ]  # fmt: skip


def of_generator(name: str, share: float) -> list[list[str]]:
    """Audit a generator as it is and broken on purpose, with runs enough for what there is to see."""
    pair, rows = worlds_of_cells() if name == CELLS else worlds(), []
    trials: list[tuple[str, float, int, Callable]] = [
        ("as it is", 1.0, 100, ExitStack),
        ("as it is", 4.0, 100, ExitStack),
        ("noise halved", 6.0, 160, half_the_noise),
        ("class counts not noised", 1.0, 24, bare_counts),
        ("variances calibrated afterwards", 1.0, 24, lambda: calibrated_variances(name)),
    ]
    for how, epsilon, runs, breaking in trials:

        def make(epsilon: float = epsilon):
            return ts.generators.create(name, epsilon=epsilon, delta=DELTA, **SMALL.get(name, {}))

        with breaking():
            rows.append(row(name, how, audit_promise(make, *pair, max(int(share * runs), 24))))
        print(rows[-1], f"{time.process_time():.0f} s", file=sys.stderr, flush=True)
    return rows


def of_mechanisms(runs: int) -> list[list[str]]:
    """One answer with and without the worst donor, read along the direction in which that donor stands."""
    rng, rows = np.random.default_rng(0), []
    direction = np.full(9, 1 / 3.0)
    outer = np.outer(direction, direction)
    for epsilon in (1.0, 4.0):
        multiplier = Budget(epsilon, DELTA).multiplier(1.0)
        asked: dict[str, Callable] = {
            "Gaussian": lambda w, m=multiplier: gaussian(w * direction, 1.0, m, Ledger(), "q") @ direction,
            "Gaussian, symmetric matrix": lambda w, m=multiplier: (
                symmetric(w * outer, 1.0, m, Ledger(), "q") * outer
            ).sum(),
            "Laplace": lambda w, e=epsilon: laplace(np.array([float(w)]), 1.0, 1 / e, Ledger(), "q")[0],
        }
        for name, ask in asked.items():
            for how, breaking in (("as it is", ExitStack), ("noise halved", half_the_noise)):
                with breaking():
                    with_donor, without = (np.array([ask(w) for _ in range(runs)]) for w in (1, 0))
                if name == "Laplace":
                    lower = epsilon_lower(with_donor, without, rng)
                else:
                    lower = gaussian_epsilon(gdp_mu_lower(with_donor, without, rng), DELTA)
                rows.append(
                    [
                        name,
                        how,
                        f"{epsilon:g}",
                        f"{2 * runs:,}",
                        f"{lower:.2f}",
                        "broken" if lower > epsilon else "kept",
                    ]
                )
    return rows


def of_twins(name: str) -> list[list[str]]:
    """Hold the strongest T1 attack on twins of real tumours against the ceiling of every attack."""
    if name == CELLS:
        return []
    members, others, reference = continuous(tumours()).split(THIRDS, seed=0)
    rows = []
    for epsilon in (1.0, 4.0, 10.0):
        model = ts.generators.create(name, epsilon=epsilon, delta=1e-5).fit(members, seed=0)
        trial = Trial.of(model.sample(seed=1), members, others, reference, seed=0)
        found = areas(trial, jobs=1)
        area, (attack, _) = max((figures[0], key) for key, figures in found.items() if key[1] == "T1")
        ceiling = norm.cdf(Budget(epsilon, 1e-5).mu / np.sqrt(2))
        rows.append([name, f"{epsilon:g}", attack, f"{area:.3f}", f"{ceiling:.3f}"])
        print(rows[-1], f"{time.process_time():.0f} s", file=sys.stderr, flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("generators", nargs="*", help="those to audit anew; otherwise all that are not known yet")
    parser.add_argument("--share", type=float, default=1.0, help="of the runs")
    options = parser.parse_args()
    warnings.simplefilter("ignore", PrivacyWarning)  # small cohorts on small budgets are what an audit is about
    known = json.loads(STORE.read_text()) if STORE.exists() else {"mechanisms": {}, "generators": {}, "twins": {}}
    known["mechanisms"] = known["mechanisms"] or {"all": of_mechanisms(int(1000 * options.share))}
    for part, measure in (("generators", lambda name: of_generator(name, options.share)), ("twins", of_twins)):
        for name in options.generators or [name for name in BUILT if name not in known[part]]:
            known[part][name] = measure(name)
            STORE.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
            page({key: [row for name in sorted(rows) for row in rows[name]] for key, rows in known.items()})


def page(rows: dict[str, list[list[str]]]) -> None:
    """Write what is known so far."""
    publish(
        "dp_audit",
        [
            "# Promises of differential privacy, tried",
            "",
            machine("twinseq", "opendp", "dp-accounting", "numpy"),
            "Written by `benchmarks/dp_audit.py`. ε lower: what the audit proves, at 95 % confidence, that a mechanism",
            f"or generator does not keep below; δ = {DELTA:g} unless stated.",
            "",
            "## Mechanisms",
            "Runs with the worst donor, and as many without; threshold chosen on one half, read on the other.",
            "Gaussian: the ε at δ of a Gaussian mechanism as strong as the error rates show. Laplace: δ = 0.",
            "",
            *table(["mechanism", "", "ε claimed", "runs", "ε lower", "promise"], rows["mechanisms"], "llrrrl"),
            "",
            "## Generators, by their transcripts",
            f"Fits to {N} donors × {N_GENES} genes, with a canary by the toss of a coin: all genes at the upper bound,",
            f"in a class of {FEW}. The attacker knows all other donors, and sees all noisy answers and the model.",
            "Strength: what the canary changes of all true answers, in units of their noise, over what the budget",
            "allows. Noise: its standard deviation in units of what was charged. Leaks: what hangs on the canary but",
            "through no noisy answer. dp-cvae, dp-ctgan: four steps of training that all donors take part in.",
            "dp-scdesign: donors of four cells; the canary is one cell of a rare type, all its counts in one gene.",
            "",
            *table(
                ["generator", "", "ε claimed", "runs", "ε lower", "strength", "noise", "AUC", "leaks", "promise"],
                rows["generators"], "llrrrrrrll",
            ),
            "",
            "## Twins of real tumours",
            "PAM50, 1,040 donors × 1,354 genes in log2 CPM, dealt into thirds once; δ = 1e-5. Strongest T1 attack by",
            "AUC, which is chosen with hindsight and has a half-width of .04 by chance alone, and the highest AUC that",
            "any attack can reach on a Gaussian mechanism of that budget, Φ(μ / √2).",
            "",
            *table(["generator", "ε", "attack", "AUC", "ceiling"], rows["twins"], "lrlrr"),
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
