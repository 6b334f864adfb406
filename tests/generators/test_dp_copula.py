"""`dp-copula` and `basis-copula`: what comes back at large and small budgets, with and without a public basis."""

import warnings

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from twinseq import generators
from twinseq.basis import build_basis
from twinseq.cohort import Cohort
from twinseq.dp import PrivacyWarning
from twinseq.errors import ConfigError
from twinseq.generators._offsets import shrunk_offsets
from twinseq.generators._private_axes import leading_axes

N_GENES = 60


def planted(n: int = 1200, seed: int = 0, n_genes: int = N_GENES, shift: float | np.ndarray = 0.0) -> Cohort:
    """Three classes that differ in every third gene, one strong factor within classes, spread of about 1."""
    truth = np.random.default_rng(7)
    location, offsets = 8 + 2 * truth.standard_normal(n_genes), np.zeros((3, n_genes))
    offsets[1, ::3], offsets[2, 1::3] = 2.0, -2.0
    loadings = truth.normal(0, 0.8, n_genes)
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.repeat([0, 1, 2], [n // 2, n // 4, n - n // 2 - n // 4]))
    x = location + shift + offsets[codes] + rng.standard_normal((n, 1)) * loadings
    x = np.clip(x + 0.7 * rng.standard_normal(x.shape), 0, 20)
    obs = pd.DataFrame(
        {"group": pd.Categorical(np.array(["a", "b", "c"])[codes]), "person": [f"p{seed}_{row}" for row in range(n)]},
        index=[f"s{seed}_{row}" for row in range(n)],
    )
    names = pd.DataFrame(index=[f"g{gene}" for gene in range(n_genes)])
    return Cohort(AnnData(x, obs=obs, var=names), label="group", donor="person", kind="continuous")


def of(cohort: Cohort, epsilon: float, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrivacyWarning)
        return generators.create("dp-copula", epsilon=epsilon, delta=1e-5, **params).fit(cohort)


def class_means(cohort: Cohort) -> np.ndarray:
    x, labels = cohort.dense(), cohort.labels()
    return np.stack([x[labels == name].mean(axis=0) for name in "abc"])


def test_planted_structure_comes_back_at_a_large_budget():
    cohort = planted()
    twin = of(cohort, 40.0).sample(seed=1)
    real, made = class_means(cohort), class_means(twin)
    contrasts = [(real[first] - real[0], made[first] - made[0]) for first in (1, 2)]
    for truth, found in contrasts:
        assert np.corrcoef(truth, found)[0, 1] > 0.98
        assert np.polyfit(truth, found, 1)[0] == pytest.approx(1, abs=0.12)
    assert np.abs(real - made).mean() < 0.15
    within = [side.dense() - class_means(side)[np.searchsorted(list("abc"), side.labels())] for side in (cohort, twin)]
    spreads = [part.std(axis=0) for part in within]
    assert np.abs(np.log(spreads[1] / spreads[0])).mean() < 0.15
    upper = np.triu_indices(N_GENES, 1)
    correlations = [np.corrcoef(part.T)[upper] for part in within]
    assert np.corrcoef(*correlations)[0, 1] > 0.8


def test_error_falls_with_the_budget():
    cohort = planted(n=400)
    real = class_means(cohort)
    errors = [
        np.mean([np.abs(class_means(of(cohort, epsilon).sample(seed=fit)) - real).mean() for fit in range(3)])
        for epsilon in (0.3, 3.0, 30.0)
    ]
    assert errors[0] > 1.3 * errors[1] > 1.3 * 1.3 * errors[2]


def test_a_basis_makes_a_small_budget_useful():
    public, private = planted(n=300, seed=1), planted(n=400, seed=2)
    real = class_means(private)

    def error(basis) -> float:
        fits = [class_means(of(private, 0.5, basis=basis).sample(seed=fit)) for fit in range(8)]
        return float(np.median([np.abs(made - real).mean() for made in fits]))

    assert error(_saved(public)) < 0.8 * error(None)


def test_a_basis_that_does_not_fit_is_told():
    other = planted(n=300, seed=3)
    rng = np.random.default_rng(0)
    scrambled = other.with_adata(AnnData(rng.permuted(other.dense(), axis=0), obs=other.obs, var=other.adata.var))
    with pytest.warns(PrivacyWarning, match="the basis explains .* of the variance of this cohort"):
        generators.create("dp-copula", epsilon=20.0, delta=1e-5, factors=3, basis=_saved(planted(n=300, seed=4))).fit(
            scrambled
        )


def test_other_bounds_are_another_scale():
    cohort = planted(n=600)
    small = cohort.with_adata(AnnData(cohort.dense() / 20, obs=cohort.obs, var=cohort.adata.var))
    twin = of(small, 30.0, bounds="0:1").sample(seed=0)
    assert np.abs(class_means(twin) - class_means(small)).mean() < 0.02
    assert twin.dense().min() >= 0
    assert twin.dense().max() <= 1


def test_a_panel_holds_the_genes_that_vary():
    cohort = planted(n=1000, n_genes=200)
    adata = cohort.adata.copy()
    centre = adata.X.mean(axis=0)
    adata.X[:, 50:] = centre[50:] + 0.1 * (adata.X[:, 50:] - centre[50:])
    twin = of(cohort.with_adata(adata), 10.0, panel=50).sample(seed=0)
    assert twin.n_genes == 50
    assert np.mean([int(gene[1:]) < 50 for gene in twin.genes]) > 0.9
    assert list(twin.genes) == [gene for gene in cohort.genes if gene in set(twin.genes)]


def test_settings():
    with pytest.raises(ConfigError, match="State epsilon"):
        generators.create("dp-copula", delta=1e-5)
    with pytest.raises(ConfigError, match="Leave panel out"):
        generators.create("dp-copula", epsilon=1.0, delta=1e-5, panel=10, basis="x.basis")
    with pytest.raises(ConfigError, match="panel must be at least 2"):
        generators.create("dp-copula", epsilon=1.0, delta=1e-5, panel=1)
    with pytest.raises(ConfigError, match="needs a public basis"):
        generators.create("basis-copula").fit(planted(n=60))


def test_basis_copula_learns_class_means_along_the_axes_only():
    elsewhere = np.tile([1.0, -1.0], N_GENES // 2)
    public, private = planted(n=300, seed=1), planted(n=300, seed=2, shift=elsewhere)
    twin = generators.create("basis-copula", basis=_saved(public), factors=5).fit(private).sample(seed=0)
    real, made = class_means(private), class_means(twin)
    for first in (1, 2):
        assert np.corrcoef(real[first] - real[0], made[first] - made[0])[0, 1] > 0.97
    # A shift across the axes is not learnt: there, the twin keeps the location of the public cohort.
    shifts = [(means - class_means(public)).mean(axis=0) @ elsewhere / N_GENES for means in (real, made)]
    assert shifts[0] == pytest.approx(1.0, abs=0.1)
    assert abs(shifts[1]) < 0.3


def test_model_files_need_no_basis(tmp_path):
    cohort = planted(n=200)
    path = _saved(planted(n=100, seed=5))
    model = of(cohort, 5.0, basis=path)
    back = generators.load(model.save(tmp_path / "m.npz"))
    assert np.array_equal(back.sample(seed=3).dense(), model.sample(seed=3).dense())
    assert back.ledger_ == model.ledger_
    assert any("the basis" in text for text in back.ledger_.public)


@pytest.mark.parametrize("noise", [0.2, 1.0, 3.0])
def test_shrunk_offsets_beat_raw_and_nothing(noise):
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((3, 3000)) * (rng.random(3000) < 0.3) * [[2.0], [1.0], [0.5]]
    raw = truth + noise * rng.standard_normal(truth.shape)
    found = shrunk_offsets(raw, np.full(3, noise))
    error = ((found.mean - truth) ** 2).mean()
    assert error < 0.95 * min(((raw - truth) ** 2).mean(), (truth**2).mean())
    assert found.error.mean() == pytest.approx(error, rel=0.25)
    assert found.size == pytest.approx((truth**2).mean(axis=1), rel=0.3, abs=0.1 * noise**2)


def test_offsets_of_pure_noise_are_nothing():
    raw = np.random.default_rng(1).standard_normal((4, 2000))
    assert np.abs(shrunk_offsets(raw, np.ones(4)).mean).max() < 0.5


def test_leading_axes_of_two_classes():
    offsets = np.zeros((2, 5))
    offsets[1, 2] = 3.0
    axes = leading_axes(offsets, np.array([10.0, 20.0]), 4)
    assert np.abs(axes) == pytest.approx(np.array([[0, 0, 1, 0, 0]]), abs=1e-12)


@pytest.fixture(autouse=True)
def _folder(tmp_path_factory):
    global FOLDER
    FOLDER = tmp_path_factory.mktemp("bases")


def _saved(public: Cohort) -> str:
    path = FOLDER / f"{public.adata.obs_names[0]}.basis"
    return str(build_basis(public).save(path))
