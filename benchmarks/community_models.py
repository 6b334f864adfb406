"""The rows of the community benchmark: models, what is published of them, and the tasks that they make."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import twinseq as ts

SEED = 0
FOLDS = 5
MEASURES = {
    "F1 ratio": "paper_f1_ratio",
    "MMD": "paper_mmd",
    "discr. F1": "paper_discriminative_f1",
    "DE TPR": "paper_de_tpr",
    "DE FPR": "paper_de_fpr",
    "co-expr. recall": "paper_coexpression_recall_0.3",
    "precision": "paper_coexpression_precision_0.3",
}
WORST = "worst attack"
GENE_SETS = {"all": "All 1,354 genes", "landmarks": "The 96 of them that are among the 978 landmark genes"}
MANY_FITS = ("shadow_loss", "meta")


def published(*figures: float | None) -> dict[str, float]:
    """Name the figures of one row of the benchmark's tables: measures but DE FPR, then the worst attack's AUC."""
    names = [name for name in MEASURES if name != "DE FPR"] + [WORST]
    return {name: figure for name, figure in zip(names, figures, strict=False) if figure is not None}


@dataclass(frozen=True)
class Model:
    """One row of the table: a generator with its settings, and what was published of the like.

    Parameters
    ----------
    title
        Name in the table and for ``--only``.
    name, preset, params
        As for `twinseq.generators.create`.
    published
        Figures of the benchmark's authors, by the table's columns.
    folds
        Most folds; fewer for models that take hours.
    """

    title: str
    name: str
    preset: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    published: dict[str, float] = field(default_factory=dict)
    folds: int = FOLDS


MVN = published(1.001, 0.019, 0.528, 0.742, 0.81, 0.88, 0.567)
CVAE = published(0.982, 0.024, 0.788, 0.842, 0.64, 0.64, 0.700)
CVAE_GMM = published(0.976, 0.054, 0.694, 0.968, 0.995, 0.33, 0.610)
DIFFUSION = published(0.949, 0.014, 0.633, 0.968, 0.99, 0.36, 0.544)
WGAN_GP = published(0.938, 0.033, 0.705, 0.766, 0.995, 0.38, 0.523)
NMF = published(0.830, 0.003, 0.683, 0.253, 0.08, 0.97, 0.504)
P_NMF = published(0.289, 0.291, 1.0, 0.105, 0.12, 0.08, 0.508)
CTGAN = published(0.328, 0.094, 0.996, 0.0, 0.87, 0.20, 0.505)
DP_CVAE = published(0.474, 0.266, 1.0, 0.157, 0.0, 0.08, 0.502)
DP_CTGAN = published(0.310, 1.12, 1.0, 0.0, 0.33, 0.08, 0.511)
DP_PGM = {
    1.0: published(0.818, None, None, 0.384),
    4.0: published(0.852, 0.013, 0.961, 0.480, 0.06, 0.36, 0.503),
    10.0: published(0.921, None, None, 0.592),
}
EPSILONS = (1.0, 4.0, 10.0)
PUBLISHED_PRIVATE = {"dp-pgm": DP_PGM, "dp-cvae": {4.0: DP_CVAE}}

MODELS = (
    Model("mvn", "mvn", published=MVN),
    Model("mvn, noise = 0", "mvn", None, {"noise": 0.0}, MVN),
    Model("copula (faithful)", "copula", "faithful"),
    Model("nmf", "nmf", published=NMF),
    Model("nmf, paper", "nmf", "paper", published=NMF),
    Model("nmf, paper_noise=4 (no guarantee)", "nmf", "paper", {"paper_noise": 4.0}, P_NMF),
    Model("cvae", "cvae", published=CVAE),
    Model("cvae, paper", "cvae", "paper", published=CVAE, folds=1),
    Model("cvae-gmm", "cvae-gmm", published=CVAE_GMM),
    Model("cvae-gmm, paper", "cvae-gmm", "paper", published=CVAE_GMM, folds=1),
    Model("diffusion", "diffusion", published=DIFFUSION),
    Model("diffusion, paper_quantile", "diffusion", None, {"paper_quantile": True}, DIFFUSION, folds=2),
    Model("diffusion, paper", "diffusion", "paper", published=DIFFUSION, folds=1),
    Model("wgan-gp", "wgan-gp", published=WGAN_GP),
    Model("wgan-gp, paper", "wgan-gp", "paper", published=WGAN_GP, folds=1),
    Model("ctgan", "ctgan", published=CTGAN),
    Model("ctgan, paper", "ctgan", "paper", published=CTGAN, folds=1),
    Model("pca-ctgan", "pca-ctgan"),
    Model("pca-ctgan, paper", "pca-ctgan", "paper", folds=1),
    Model("lowrank-mvn", "lowrank-mvn"),
    Model("independent", "independent"),
    Model("smote", "smote"),
    Model("bootstrap", "bootstrap"),
    *(
        Model(f"{name}, ε = {epsilon:g}", name, None, {"epsilon": epsilon, "delta": 1e-5}, rows.get(epsilon, {}))
        for name in ("dp-copula", "dp-pgm", "dp-cvae", "dp-ctgan", "dp-nmf")
        for rows in (PUBLISHED_PRIVATE.get(name, {}),)
        for epsilon in EPSILONS
    ),
    Model("dp-cvae, paper, ε = 4", "dp-cvae", "paper", {"epsilon": 4.0, "delta": 1e-5}, DP_CVAE, folds=1),
    Model("dp-ctgan, paper, ε = 50", "dp-ctgan", "paper", {"epsilon": 50.0, "delta": 1e-5}, DP_CTGAN, folds=1),
)
SHADOWED = ("cvae", "diffusion")


@dataclass(frozen=True)
class Task:
    """One process: a model, a gene set, and a part of the protocol (``fold 0`` …, ``thirds``, ``shadow``)."""

    model: Model
    genes: str
    part: str

    def file(self, cache: Path) -> Path:
        """Where the outcome is kept; the name hangs on all settings, defaults included, and on the version."""
        settings = ts.generators.create(self.model.name, self.model.preset, **self.model.params).params()
        key = json.dumps([self.model.name, settings, self.genes, self.part, SEED, ts.__version__], sort_keys=True)
        digest = hashlib.sha256(key.encode()).hexdigest()[:12]
        words = f"{self.model.title} {self.genes} {self.part}"
        return cache / f"{''.join(sign if sign.isalnum() else '-' for sign in words)}-{digest}.json"


def done(task: Task, cache: Path, again: str | None) -> dict[str, Any] | None:
    """Return the outcome of a task that need not be done."""
    file = task.file(cache)
    if again == "all" or not file.exists():
        return None
    outcome: dict[str, Any] = json.loads(file.read_text())
    return None if again == "failed" and "failed" in outcome else outcome
