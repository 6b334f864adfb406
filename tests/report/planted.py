"""A report made from small simulated data, as an audit would make it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import gaussian_kde, norm

from twinseq.results import AuditReport, MetricResult, Omitted

SOURCES = ("real", "holdout", "twin")


def gene_table(rng: np.random.Generator, n_genes: int, contrast: str = "tumour vs normal") -> pd.DataFrame:
    truth = np.where(rng.random(n_genes) < 0.2, rng.normal(0, 2.0, n_genes), 0)
    table = {
        "contrast": contrast,
        "gene": [f"GENE{index}" for index in range(n_genes)],
        "base_mean": np.exp(rng.normal(5, 2, n_genes)),
    }
    for source, noise in (("real", 0.15), ("twin", 0.15), ("holdout", 0.35)):
        lfc = truth + rng.normal(0, noise, n_genes)
        table[f"lfc_{source}"] = lfc
        table[f"padj_{source}"] = np.minimum(1, 8 * norm.sf(np.abs(lfc) / 0.3))
    table["padj_holdout"][: n_genes // 20] = np.nan
    return pd.DataFrame(table)


def curve(values: np.ndarray, source: str, label: str) -> pd.DataFrame:
    x = np.linspace(values.min() - 0.3 * np.ptp(values), values.max() + 0.3 * np.ptp(values), 100)
    return pd.DataFrame({"source": source, "label": label, "x": x, "density": gaussian_kde(values)(x)})


def roc_curve(scores: np.ndarray, truth: np.ndarray, **keys: str) -> pd.DataFrame:
    order = np.argsort(-scores)
    hits = truth[order]
    tpr = np.concatenate([[0], np.cumsum(hits) / hits.sum()])
    fpr = np.concatenate([[0], np.cumsum(~hits) / (~hits).sum()])
    return pd.DataFrame({**keys, "fpr": fpr, "tpr": tpr})


HOSTILE = (
    "</script><script>window.pwned=1</script>",
    "<!--<script>",
    "<img src=x onerror=window.pwned=1>",
    "\"'><b onmouseover=window.pwned=1>bold</b>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:window.pwned=1",
    "var(--twin)",
    "<a href='https://evil.example/'>gene</a>",
    "%{x} $x^2$ &lt;b&gt; &amp;",
    "line\u2028break\u2029\u0000\u202egnp.exe",
    "lone \ud800 surrogate",
    "Ünïcödé 基因 🧬",
    "x" * 10_000,
    "",
)


def hostile(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Put a hostile name wherever a table holds a name from the data."""
    tables = {name: table.reset_index(drop=True) for name, table in tables.items()}
    for name, columns in {
        "de_genes": ["contrast", "gene"],
        "library_size": ["label"],
        "detected_genes": ["label"],
        "pca_twin": ["label"],
        "pca_groups": ["label"],
        "roc": ["panel", "model"],
        "covariates": ["covariate", "level_or_bin"],
        "survival": ["label"],
        "pathways": ["contrast", "gene_set", "direction"],
    }.items():
        for column in columns:
            codes = pd.factorize(tables[name][column])[0]
            tables[name][column] = [HOSTILE[code % len(HOSTILE)] for code in codes]
    return tables


def pair_table() -> pd.DataFrame:
    middles = (np.arange(40) + 0.5) / 20 - 1
    real, other = (grid.ravel() for grid in np.meshgrid(middles, middles))
    parts = [
        pd.DataFrame({"source": source, "r_real": real, "r_other": other})
        .assign(n_pairs=(1e5 * np.exp(-(((real - other) / width) ** 2) - 8 * real**2)).astype(int))
        .query("n_pairs > 0")
        for source, width in (("twin", 0.15), ("holdout", 0.2))
    ]
    return pd.concat(parts)


def module_table(rng: np.random.Generator) -> pd.DataFrame:
    density = rng.uniform(0.3, 0.6, 12)
    parts = [
        pd.DataFrame({"source": source, "module": range(1, 13), "n_genes": range(70, 10, -5)}).assign(
            density_real=density, density=share * density, zsummary=np.linspace(30, lowest, 12)
        )
        for source, share, lowest in (("twin", 0.9, 5), ("holdout", 0.97, 12))
    ]
    return pd.concat(parts)


def pathway_table(rng: np.random.Generator, contrast: str = "tumour vs normal") -> pd.DataFrame:
    nes = rng.normal(0, 1.5, 200)
    table = {"contrast": contrast, "gene_set": [f"SET {index}" for index in range(200)], "size": range(10, 210)}
    for source, noise in (("real", 0.0), ("twin", 0.1), ("holdout", 0.4)):
        scores = nes + rng.normal(0, noise, 200)
        table[f"nes_{source}"] = scores
        table[f"fdr_{source}"] = np.minimum(1, 20 * norm.sf(np.abs(scores) * 1.6))
    table["direction"] = np.where(nes > 0, "up", "down")
    return pd.DataFrame(table)


def survival_table() -> pd.DataFrame:
    time = np.arange(0, 61, 5.0)
    parts = [
        pd.DataFrame({"source": source, "label": label, "time": time, "survival": np.exp(-time / scale)})
        for label, slower in (("normal", 2.0), ("tumour", 1.0))
        for source, scale in (("real", 30 * slower), ("holdout", 33 * slower), ("twin", 28 * slower))
    ]
    return pd.concat(parts)


def make_tables(seed: int = 0, n_genes: int = 2000) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    labels = ("normal", "tumour")
    libraries, detected, groups, points = [], [], [], []
    for index, label in enumerate(labels):
        for source, n in (("real", 60), ("holdout", 30), ("twin", 60)):
            libraries.append(curve(rng.normal(7 + 0.05 * index, 0.12, n), source, label))
            detected.append(curve(rng.normal(18000 + 900 * index, 600, n), source, label))
            where = rng.multivariate_normal([60 * index - 30, 5 * index], [[180, 60], [60, 120]], n)
            if source == "twin":
                points.append(pd.DataFrame({"label": label, "pc1": where[:, 0], "pc2": where[:, 1]}))
            else:
                covariance = np.cov(where.T)
                groups.append([source, label, n, *where.mean(0), covariance[0, 0], covariance[0, 1], covariance[1, 1]])
    mean = np.linspace(-0.5, 5, 40)
    trend = [
        pd.DataFrame(
            {
                "source": source,
                "log10_mean": mean,
                "log10_variance": np.log10(10**mean + 0.2 * 10 ** (2 * mean)) + rng.normal(0, 0.03, 40),
                "n_genes": np.maximum(1, (900 * norm.pdf(mean, 2.2, 1)).astype(int)),
            }
        )
        for source in SOURCES
    ]
    truth = rng.random(60) < 0.6
    curves = [
        roc_curve(truth + rng.normal(0, 0.35, 60), truth, train_on=source, panel=panel, model=model)
        for panel in ("top100", "top500", "mad")
        for model in ("logistic", "boosted trees")
        for source in ("real", "twin")
    ]
    share = 0.3 / np.arange(1, 31) ** 1.1
    return {
        "de_genes": gene_table(rng, n_genes),
        "mean_variance": pd.concat(trend),
        "library_size": pd.concat(libraries),
        "detected_genes": pd.concat(detected),
        "pca_axes": pd.DataFrame({"component": range(1, 31), "explained": share}),
        "pca_twin": pd.concat(points),
        "pca_groups": pd.DataFrame(
            groups, columns=["source", "label", "n", "mean1", "mean2", "cov11", "cov12", "cov22"]
        ),
        "roc": pd.concat(curves),
        "eigenvalues": pd.concat(
            [
                pd.DataFrame({"source": source, "component": range(1, 31), "share": share * factor})
                for source, factor in (("real", 1), ("holdout", 1.03), ("twin", 0.97))
            ]
        ),
        "covariates": pd.DataFrame(
            [
                ["sex", "female", 0.52, 0.5],
                ["sex", "male", 0.48, 0.5],
                *[["age", f"{age} to {age + 10}", 0.2, 0.18 + 0.01 * (age // 20)] for age in range(30, 80, 10)],
            ],
            columns=["covariate", "level_or_bin", "real_share", "twin_share"],
        ),
        "edge_correlations": pair_table(),
        "modules": module_table(rng),
        "survival": survival_table(),
        "pathways": pathway_table(rng),
    }


METRICS = (
    MetricResult(
        "pathway_recall", "biology", 0.93, "higher", 1, (0.9, 0.95), "gene sets", 0.8, "hold-out", 0.1, "shuffled"
    ),
    MetricResult(
        "library_size_ks", "fidelity", 0.11, "lower", 0, (0.07, 0.2), "", 0.13, "hold-out", 0.9, "independent"
    ),
    MetricResult("c2st_auc", "fidelity", 0.57, "target", 0.5, (0.47, 0.66), "", 0.53, "hold-out", 0.98, "independent"),
    MetricResult("de_recall", "biology", 0.97, "higher", 1, (0.96, 0.98), "genes", 0.78, "hold-out", 0.01, "shuffled"),
    MetricResult("de_precision", "biology", 0.975, "higher", 1, None, "", 0.99, "hold-out", 0.02, "shuffled labels"),
    MetricResult("lfc_pearson", "biology", 0.991, "higher", 1, (0.99, 0.992), "", 0.93, "hold-out", 0.0, "shuffled"),
    MetricResult("lfc_slope", "biology", 0.98, "target", 1, (0.97, 0.99), "", 0.96, "hold-out", 0.0, "shuffled"),
    MetricResult(
        "tstr_auc_top500_logistic", "utility", 0.96, "higher", 1, (0.93, 0.98), "", 0.97, "real", 0.5, "shuffled"
    ),
    *(
        MetricResult(name, "biology", value, "higher", 1, None, "", ceiling, "hold-out", floor, "independent")
        for name, value, ceiling, floor in (
            ("edge_recall_r03", 0.72, 0.75, 0.02),
            ("edge_recall_r05", 0.61, 0.7, 0.0),
            ("edge_precision_r03", 0.8, 0.74, 0.06),
            ("edge_precision_r05", 0.78, 0.71, None),
        )
    ),
    MetricResult("covariate_tv", "covariates", 0.02, "lower", 0, None, "", 0.06, "hold-out", 0.5, "uniform"),
    MetricResult("dcr_median", "privacy", 101.2, "higher", float("inf"), (99, 104), "", 95, "hold-out", 0, "bootstrap"),
    MetricResult("paper_mmd", "fidelity", float("nan"), "lower", 0),
)


def hostile_report() -> AuditReport:
    """Return a report with hostile text in every field that can hold text from outside."""
    text = HOSTILE[0]
    metric = MetricResult(text, text, 1.0, "higher", 1.0, (0.9, 1.0), text, 0.5, text, 0.0, text, 3, text)
    return make_report(
        provenance={
            "cohorts": {"train": {"file": text, "samples": 3}, "twin": {"file": HOSTILE[12]}},
            "roles": {"label": text},
            text: list(HOSTILE),
        },
        verdict={"policy": text, "outcome": text, "reasons": list(HOSTILE)},
        metrics=(*METRICS, metric),
        omitted=tuple(Omitted(name, name, name) for name in HOSTILE),
        tables=hostile(make_tables(n_genes=300)),
    )


def make_report(**changes: object) -> AuditReport:
    parts: dict[str, object] = {
        "provenance": {
            "versions": {"twinseq": "0.1.0", "numpy": "2.0"},
            "created": "2026-01-31",
            "roles": {"label": "condition", "kind": "counts"},
            "cohorts": {
                "train": {"file": "cohort.h5ad", "samples": 120, "donors": 118, "genes": 27000},
                "holdout": {"samples": 60, "genes": 27000},
                "twin": {"file": "twin.h5ad", "samples": 120, "genes": 27000},
            },
            "seed": 0,
            "settings": {"design": "~ condition", "panels": ["top100", "top500"]},
        },
        "verdict": {"policy": None, "outcome": "not judged", "reasons": ["no attacks run"]},
        "metrics": METRICS,
        "omitted": (Omitted("pathway_nes_r", "biology", "no gene sets were given"),),
        "tables": make_tables(),
    }
    return AuditReport(**{**parts, **changes})  # type: ignore[arg-type]
