"""What `twinseq plan` predicts beside what `dp-copula` then does.

    python benchmarks/plan_check.py [--cache DIR] [--only TITLE ...]

Each setting (cohort, genes, ε, with or without a basis) is fitted on five folds. Measured are the noise of the class
means before they are shrunk, the error of the locations, the noise of the counts, and how well the twin does: F1 of a
classifier trained on it (over that of the real data) and the differential genes found again, both as the community
benchmark computes them. Settings marked *calibration* are those the constants of `plan` were chosen on; nothing was
chosen on the others. Needs the real cohorts (``TWINSEQ_DATA``). Writes ``benchmarks/results/plan_check.md``.
"""

import argparse
import json
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from scipy.stats import t as student

import twinseq as ts
from twinseq.basis import build_basis
from twinseq.cohort import Cohort, from_anndata
from twinseq.dp.budget import Budget
from twinseq.forecast.noise import PANEL_LEVEL, WHOLE_LEVEL, Design, predicted
from twinseq.forecast.rehearsal import rehearse
from twinseq.forecast.stand_in import CONTRASTS
from twinseq.generators import _private_moments, dp_copula
from twinseq.generators.dp_copula import DpCopula
from twinseq.metrics.paper.classifiers import OneVsRest, scaled, weighted_f1
from twinseq.metrics.paper.rank_sum import false_positive_rate, rank_sum_calls, true_positive_rate

from _common import machine, publish, table
from red_team import continuous, tumours

FOLDS = 5
DELTA = 1e-5
QUARTILE = 0.6745
"""Median size of a standard normal variable."""
CLEAR = 4.0
WITHIN = 0.2
REHEARSALS = 4


@dataclass(frozen=True)
class Setting:
    """One cohort with so many genes, and the ε to try; ``axes``: a basis from another fold, cut to so many."""

    title: str
    cohort: str
    genes: int
    epsilons: tuple[float, ...]
    contrast: str = "subtypes"
    axes: int = 0
    calibration: tuple[float, ...] = ()


SETTINGS = (
    Setting("PAM50, all genes", "subtypes", 0, (0.5, 1, 2, 4, 8, 16), calibration=(1, 4, 16)),
    Setting("PAM50, 500 genes", "subtypes", 500, (1, 2, 4, 8)),
    Setting("PAM50, basis of 10 axes", "subtypes", 0, (0.5, 1, 4, 8), axes=10, calibration=(1, 4)),
    Setting("PAM50, basis of 40 axes", "subtypes", 0, (1, 2, 4, 8), axes=40, calibration=(1, 4)),
    Setting("breast, tumour and normal", "tissues", 0, (0.5, 1, 2, 4, 8), "tissues", calibration=(1, 4)),
    Setting("breast, 49 patients, 2,000 genes", "few tissues", 2000, (1, 4, 16), "tissues"),
    Setting("tuberculosis, blood, 2,000 genes", "blood", 2000, (1, 4, 16), "disease"),
    Setting("simulated, 2,000 genes", "simulated", 2000, (1, 4, 16), "tissues"),
)


def cohort_of(name: str) -> Cohort:
    """Return a cohort on the log scale."""
    if name == "subtypes":
        return continuous(tumours())
    if name == "tissues":
        adata = ts.datasets.load("brca-pam50-1172").adata
        kept = adata[adata.obs["sample_type"].isin(["tumour", "normal"])].copy()
    elif name == "few tissues":
        kept = ts.datasets.load("brca-tumour-normal-100").adata
    elif name == "blood":
        kept = ts.datasets.load("tb-blood-75").adata
    else:
        drawn = ts.datasets.simulate_cohort(n_cases=300, n_controls=300, n_genes=8000, seed=5)
        kept = drawn.adata
    kept = kept[:, np.asarray((kept.X >= 10).mean(axis=0)).ravel() > 0.1].copy()
    roles: dict[str, Any] = {"label": "sample_type", "donor": "patient", "paired": True}
    roles = {"blood": {"label": "group"}, "simulated": {"label": "condition"}}.get(name, roles)
    kept.uns.clear()
    return continuous(from_anndata(kept, source=name, **roles))


def of_genes(cohort: Cohort, genes: int, fold: int) -> Cohort:
    """Return the cohort with so many genes drawn at random; 0: all."""
    if not genes:
        return cohort
    chosen = np.random.default_rng(fold).choice(cohort.n_genes, genes, replace=False)
    return cohort.with_adata(cohort.adata[:, np.sort(chosen)].copy())


def fitted(train: Cohort, epsilon: float, basis: str | None, axes: int) -> tuple[DpCopula, dict[str, Any]]:
    """Fit, and look over the generator's shoulder: what noise did to its statistics."""
    seen: dict[str, Any] = {}
    spreads: list[Any] = []

    def offsets(rows: Any, codes: Any, weights: Any, counts: Any, *rest: Any, **more: Any) -> Any:
        sizes = np.bincount(codes, weights, minlength=len(counts))
        truth = np.stack([(weights * (codes == code)) @ rows for code in range(len(counts))]) / sizes[:, None]
        spread = np.sqrt(weights @ (rows - weights @ rows / weights.sum()) ** 2 / weights.sum())

        def shrunk(noisy: Any, noise: Any) -> Any:
            error = noisy - truth
            seen["class means"] = (np.median(np.abs(error / spread), axis=1) / QUARTILE).tolist()
            seen["class means, log2"] = (np.median(np.abs(error / spread * spreads[0]), axis=1) / QUARTILE).tolist()
            return original[0](noisy, noise)

        with mock.patch.object(_private_moments, "shrunk_offsets", shrunk):
            return original[1](rows, codes, weights, counts, *rest, **more)

    def scale(x: Any, weights: Any, *rest: Any) -> Any:
        found = original[2](x, weights, *rest)
        truth = weights @ x / weights.sum()
        seen["location"] = float(np.sqrt(((found.location - truth) ** 2).mean()))
        spreads.append(np.sqrt(weights @ (x - truth) ** 2 / weights.sum()))
        seen["spread"] = float(np.median(spreads[0]))
        return found

    def on_scale(scores: Any, codes: Any, weights: Any, counts: Any, *rest: Any) -> Any:
        found = original[3](scores, codes, weights, counts, *rest)
        truth = np.stack([np.average(scores[codes == code], 0, weights[codes == code]) for code in range(len(counts))])
        seen["along"] = np.sqrt(((found - truth) ** 2).mean(axis=1)).tolist()
        return found

    original = (
        _private_moments.shrunk_offsets, dp_copula.noisy_offsets, dp_copula.noisy_scale, dp_copula.means_on_scale,
    )  # fmt: skip
    patched = mock.patch.multiple(dp_copula, noisy_offsets=offsets, noisy_scale=scale, means_on_scale=on_scale)
    with warnings.catch_warnings(), patched:
        warnings.simplefilter("ignore")
        model = DpCopula(epsilon=epsilon, delta=DELTA, basis=basis, factors=axes or None).fit(train)
    labels = train.labels()
    names, donors = sorted(set(labels)), train.donors()
    sizes = [sum(1 / (donors == donor).sum() for donor in donors[labels == name]) for name in names]
    seen["counts"] = (model.counts_ - np.array(sizes)).tolist()
    seen["sizes"] = sizes
    return model, seen


def outcomes(setting: Setting, cache: Path) -> Iterator[dict[str, Any]]:
    """Return what was measured in each fold at each ε, from the cache where it is there."""
    cohort: Cohort | None = None
    for fold in range(FOLDS):
        path = cache / f"{setting.title.replace(' ', '-').replace(',', '')}-{fold}.json"
        if not path.exists():
            cohort = cohort or cohort_of(setting.cohort)
            path.write_text(json.dumps(measure(setting, cohort, fold, cache)))
        yield from json.loads(path.read_text())


def in_cache(setting: Setting, cache: Path) -> bool:
    """Whether all folds of a setting have been measured."""
    stem = setting.title.replace(" ", "-").replace(",", "")
    return all((cache / f"{stem}-{fold}.json").exists() for fold in range(FOLDS))


def measure(setting: Setting, cohort: Cohort, fold: int, cache: Path) -> list[dict[str, Any]]:
    """Fit and judge one fold at each ε."""
    part = of_genes(cohort, setting.genes, fold)
    folds = list(part.folds(FOLDS, seed=0))
    train, holdout = folds[fold]
    basis = None
    if setting.axes:
        public = set(folds[(fold + 1) % FOLDS][1].adata.obs_names)
        rows = np.array([name in public for name in train.adata.obs_names])
        basis = str(build_basis(train.subset(np.flatnonzero(rows))).save(cache / f"public{fold}.basis"))
        train = train.subset(np.flatnonzero(~rows))
    x, labels, unseen = train.dense(), train.labels(), holdout.dense()
    classes = sorted(set(labels))
    calls = rank_sum_calls(x, labels, classes, 1)["shift05"]
    real = weighted_f1(OneVsRest.fit(scaled(x, x), labels), scaled(x, unseen), holdout.labels())
    found = []
    for epsilon in setting.epsilons:
        model, seen = fitted(train, epsilon, basis, setting.axes)
        twin = model.sample(seed=fold)
        xs, ys = twin.dense(), twin.labels()
        f1 = weighted_f1(OneVsRest.fit(scaled(x, xs), ys), scaled(x, unseen), holdout.labels())
        twins = rank_sum_calls(xs, ys, classes, 1)["shift05"]
        found.append(
            {
                "epsilon": epsilon, "fold": fold, "genes": train.n_genes, "real": real,
                "f1": f1 / real, "tpr": true_positive_rate(calls, twins), "fpr": false_positive_rate(calls, twins),
                **seen,
            }
        )  # fmt: skip
    return found


def noise_rows(setting: Setting, found: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Return, for each ε, measured over predicted noise of what was asked."""
    for epsilon in setting.epsilons:
        part = [one for one in found if one["epsilon"] == epsilon]
        ratios: dict[str, list[float]] = {}
        for one in part:
            noise = predicted(design_of(setting, one), budget_of(epsilon), setting.axes or None)
            means, key = (noise.along, "along") if setting.axes else (noise.means, "class means")
            for name, size, measured in zip(means, one["sizes"], one[key], strict=True):
                if size > CLEAR * noise.count:
                    ratios.setdefault(name, []).append(measured / means[name])
            ratios.setdefault("location", []).append(one.get("location", math.nan) / noise.location)
        counts = np.concatenate([one["counts"] for one in part])
        medians = [float(np.median(values)) for name, values in ratios.items() if name != "location"]
        off = max((abs(value - 1.0) for value in medians), default=math.nan)
        location = float(np.median(ratios["location"]))
        yield [
            setting.title, f"{epsilon:g}", f"{len(medians)} of {len(part[0]['sizes'])}",
            ", ".join(f"{value:.2f}" for value in medians) or "–", "–" if setting.axes else f"{location:.2f}",
            f"{math.sqrt(float((counts**2).mean())) / noise.count:.2f}",
            "–" if not medians else "yes" if off <= WITHIN else "no",
        ]  # fmt: skip


def fidelity_rows(setting: Setting, found: list[dict[str, Any]], cache: Path) -> Iterator[list[str]]:
    """Return, for each ε, what was expected and what was measured."""
    expected = rehearsed(setting, found[0], cache)
    for epsilon, outcome in zip(setting.epsilons, expected, strict=True):
        part = [one for one in found if one["epsilon"] == epsilon]
        cells = []
        for measure in ("f1", "tpr", "fpr"):
            values = np.array([one[measure] for one in part])
            mean, half = values.mean(), student.ppf(0.975, len(values) - 1) * values.std(ddof=1)
            of_mean, of_run = half / math.sqrt(len(values)), half * math.sqrt(1 + 1 / len(values))
            apart = abs(outcome[measure] - mean)
            sign = "" if apart <= of_mean else " ·" if apart <= of_run else " ✗"
            cells += [f"{outcome[measure]:.2f}", f"{mean:.2f} ± {of_mean:.2f} ({of_run:.2f}){sign}"]
        yield [setting.title, f"{epsilon:g}", "calibration" if epsilon in setting.calibration else "held out", *cells]


def rehearsed(setting: Setting, one: dict[str, Any], cache: Path) -> list[dict[str, float]]:
    """Return what `plan` expects, from the design of one fold."""
    path = cache / f"expected-{setting.title.replace(' ', '-').replace(',', '')}.json"
    if not path.exists():
        rng = np.random.default_rng(0)
        asked = (setting.epsilons, DELTA, setting.axes or None, CONTRASTS[setting.contrast], rng, lambda: None)
        runs = [rehearse(design_of(setting, one), *asked) for _ in range(REHEARSALS)]
        values = np.array([[(found.f1, found.tpr, found.fpr) for found in run] for run in runs]).mean(axis=0)
        path.write_text(json.dumps([dict(zip(("f1", "tpr", "fpr"), map(float, row), strict=True)) for row in values]))
    expected: list[dict[str, float]] = json.loads(path.read_text())
    return expected


def design_of(setting: Setting, one: dict[str, Any]) -> Design:
    """Return what is public of the training part of one fold."""
    donors = {str(place): size for place, size in enumerate(one["sizes"])}
    level = PANEL_LEVEL if setting.cohort in ("subtypes", "tissues") else WHOLE_LEVEL
    return Design(donors, one["genes"], counts=False, level=level)


def budget_of(epsilon: float) -> Budget:
    """Return the budget of a fit."""
    return Budget(epsilon, DELTA)


ABOUT_NOISE = (
    "Measured over predicted noise, median of five folds: error of the mean of a typical gene in each class before",
    "it is shrunk (with a basis: of the class mean along an axis, after it), error of the genes' locations, and noise",
    f"of the number of donors. Classes with fewer donors than {CLEAR:g} times the noise of their number are left out:",
    f"what their sums are divided by is noise itself. *Within*: all classes are within {WITHIN:.0%}.",
)
ABOUT_FIDELITY = (
    f"Expected: the mean of {REHEARSALS} rehearsals. Measured: mean of five folds ± half the 95 % interval of that",
    "mean, and in brackets of a single fit (Student's t). No sign: the expectation lies in the interval of the mean;",
    "·: in that of a single fit; ✗: in neither. How much classes differ (`--contrast`) was chosen on the calibration",
    "settings for the subtypes and tissues. That of blood is how much the classes of this very cohort differ.",
)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path("benchmarks/.plan-cache"))
    parser.add_argument(
        "--only", nargs="+", metavar="TITLE", help="measure these; the page has all that is in the cache"
    )
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    noise, fidelity = [], []
    for setting in SETTINGS:
        if arguments.only and setting.title not in arguments.only and not in_cache(setting, arguments.cache):
            continue
        outcome = list(outcomes(setting, arguments.cache))
        noise += list(noise_rows(setting, outcome))
        fidelity += list(fidelity_rows(setting, outcome, arguments.cache))
    heads = ("setting", "ε", "classes", "class means", "locations", "donors", "within")
    columns = ("setting", "ε", "", "F1, expected", "measured", "TPR, expected", "measured", "FPR, expected", "measured")
    publish(
        "plan_check",
        [
            "# What `twinseq plan` predicts, and what happens", "", machine("twinseq", "numpy", "scipy", "opendp"),
            "Written by `benchmarks/plan_check.py`; `dp-copula`, δ = 1e-5, log2 CPM.", "",
            "## Noise", *ABOUT_NOISE, "", *table(heads, noise, "lrllrrl"), "",
            "## Fidelity", *ABOUT_FIDELITY, "", *table(columns, fidelity, "lrlrlrlrl"),
        ],
    )  # fmt: skip
