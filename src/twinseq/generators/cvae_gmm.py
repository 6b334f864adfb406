r"""`cvae-gmm`: conditional variational autoencoder whose latent space has a mixture prior.

As `cvae`, but :math:`z \sim \sum_k \pi_k N(m_k, \operatorname{diag} s_k^2)`, with :math:`\pi, m, s` learnt along. The
divergence of a posterior from a mixture has no closed form: :math:`\log q(z | x, c) - \log p(z)` at one draw stands in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ._base import GeneratorInfo
from ._deep import check_training
from ._registry import register
from ._variational import VariationalGenerator


@register
class MixtureAutoencoder(VariationalGenerator):
    """Conditional variational autoencoder with a mixture prior.

    Counts go through size factors and a log scale. Covariates are drawn beside the genes. The ``paper`` setting's
    steps are 100 epochs of 832 samples in batches of 64.

    Parameters
    ----------
    latent
        Dimensions of the latent space.
    hidden
        Widths of the encoder's layers, with a dash between them; the decoder has them the other way round.
    embedding
        Numbers by which a class is told to encoder and decoder.
    components
        Components of the mixture; with one, the prior is the fixed normal of `cvae`.
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
        name="cvae-gmm",
        title="Conditional variational autoencoder with a mixture prior",
        family="deep",
        kinds=("counts", "continuous"),
        guarantee="none",
        reference="Öztürk et al. 2026, bioRxiv 10.64898/2026.03.02.707794; mixture prior: Jiang et al. 2017, IJCAI",
        extra="deep",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {
            "latent": 128,
            "hidden": "1000-512-256",
            "embedding": 20,
            "direct": False,
            "dropout": 0.0,
            "components": 3,
            "beta": 0.001,
            "residual": None,
            "steps": 1_300,
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
        components: int = 3,
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
        self.components = components
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
        check_training(self.info.name, components=components)

    @property
    def n_components(self) -> int:
        """Components of the prior."""
        return self.components
