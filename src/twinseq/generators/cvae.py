r"""`cvae`: conditional variational autoencoder.

An encoder finds a normal distribution :math:`q(z | x, c)` of latent places for a sample of class c, a decoder the
genes :math:`\mu(z, c)` expected at a place. Both are trained to raise the evidence bound (`_evidence`). A draw is
decoded from :math:`z \sim N(0, I)`, and is given back what the decoder leaves (`_residual`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ._base import GeneratorInfo
from ._registry import register
from ._variational import VariationalGenerator


@register
class ConditionalAutoencoder(VariationalGenerator):
    """Conditional variational autoencoder with direct links and a residual; ``paper`` has neither.

    Counts go through size factors and a log scale. Covariates are drawn beside the genes.

    Parameters
    ----------
    latent
        Dimensions of the latent space.
    hidden
        Widths of the encoder's layers, with a dash between them; the decoder has them the other way round.
    embedding
        Numbers by which a class is told to encoder and decoder.
    direct
        Add linear maps past the hidden layers, from genes to latent means and from latent places to genes.
    dropout
        Share of the genes that the encoder does not see, others in each step.
    beta
        Weight of the divergence against the mean squared error over genes, as published. ``None``: the variance that
        the decoder leaves of each gene is learnt and sets the balance, whatever the number of genes.
    residual
        Most factors of what the decoder leaves, which is given back to the draws; 0: each gene on its own; ``None``:
        draws are expected values, as published.
    steps, batch
        Most updates of the network, and samples in each.
    patience
        Looks at an inner split, one an epoch, without gain before training stops; ``None``: train on all samples
        for all steps.
    learning_rate
        Of Adam.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``: a GPU where there is one.
    """

    info = GeneratorInfo(
        name="cvae",
        title="Conditional variational autoencoder",
        family="deep",
        kinds=("counts", "continuous"),
        guarantee="none",
        reference="Sohn et al. 2015, NeurIPS 28; Öztürk et al. 2026, bioRxiv 10.64898/2026.03.02.707794",
        extra="deep",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {
            "latent": 128,
            "hidden": "1000-512-256",
            "embedding": 20,
            "direct": False,
            "dropout": 0.0,
            "beta": 0.001,
            "residual": None,
            "steps": 10_000,
            "batch": 64,
            "patience": None,
            "learning_rate": 1e-3,
        }
    }

    def __init__(
        self,
        latent: int = 64,
        hidden: str = "256",
        embedding: int = 20,
        direct: bool = True,
        dropout: float = 0.5,
        beta: float | None = None,
        residual: int | None = 20,
        steps: int = 5_000,
        batch: int = 64,
        patience: int | None = 10,
        learning_rate: float = 5e-4,
        device: str = "auto",
    ) -> None:
        self.latent = latent
        self.hidden = hidden
        self.embedding = embedding
        self.direct = direct
        self.dropout = dropout
        self.beta = beta
        self.residual = residual
        self.steps = steps
        self.batch = batch
        self.patience = patience
        self.learning_rate = learning_rate
        self.device = device
        self._check()

    @property
    def n_components(self) -> int:
        """Components of the prior: the one fixed normal."""
        return 1
