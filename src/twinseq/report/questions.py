"""What a metric is called and which question it answers, from the metric registry."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ConfigError
from ..metrics import get
from .text import shown

ACRONYMS = {
    "ari": "ARI", "auc": "AUC", "lisi": "LISI",
    "c2st": "C2ST", "cox": "Cox", "cv": "CV", "dcr": "DCR", "de": "DE", "f1": "F1", "fpr": "FPR",
    "hr": "HR", "jaccard": "Jaccard", "km": "Kaplan–Meier", "ks": "KS", "lfc": "LFC", "mad": "MAD", "mc": "Monte Carlo",
    "mmd": "MMD", "nes": "NES", "nndr": "NNDR", "ora": "ORA", "p5": "5th percentile", "padj": "adjusted p",
    "pca": "PCA", "pearson": "Pearson", "pr": "PR", "prdc": "PRDC", "r": "r", "r0": "at r > 0", "r03": "at r > 0.3",
    "r05": "at r > 0.5", "spearman": "Spearman", "top100": "top 100", "top500": "top 500", "topk": "top-k",
    "d1": "D1", "domias": "DOMIAS", "gan": "GAN", "kde": "KDE", "llr": "LLR", "logan": "LOGAN", "lrt": "LRT",
    "tpr": "TPR", "trtr": "TRTR", "trts": "TRTS", "tstr": "TSTR", "tv": "TV", "w1": "Wasserstein distance", "z": "z",
    "zsummary": "Zsummary",
}  # fmt: skip


@dataclass(frozen=True)
class About:
    """A metric in words: title, the question it answers, how to read it, its formula and source.

    ``against`` says what the twin is held against: ``"train"``, ``"holdout"``, ``"real"``, ``"both"``.
    """

    title: str
    question: str = ""
    reading: str = ""
    formula: str = ""
    reference: str = ""
    against: str = ""


def about(name: str) -> About:
    """Return what the metric registry says of ``name``.

    A report may hold figures of a metric that this version does not know, from a plug-in or a later version;
    they are shown under a readable form of their name.
    """
    title = readable(name)
    try:
        metric = get(name)
    except ConfigError:
        return About(title)
    return About(title, metric.question, metric.reading, metric.formula, metric.reference, metric.against)


def readable(name: str) -> str:
    """Return a registry name as words: ``de_recall`` becomes ``DE recall``."""
    text = spoken(name)
    return text[:1].upper() + text[1:]


def spoken(name: str) -> str:
    """Return a registry name as words within a sentence: ``mean_tracing`` becomes ``mean tracing``."""
    return shown(" ".join(ACRONYMS.get(word, word) for word in name.split("_")))
