"""The simpler generators do what their formulas say, and show the weaknesses they are kept for."""

import numpy as np
import pytest

from twinseq.cohort import Cohort
from twinseq.datasets import simulate_cohort
from twinseq.generators import create
from twinseq.transforms import size_factors

from .planted import as_continuous, cohort_of, log_values


@pytest.fixture(scope="module")
def small() -> Cohort:
    """Continuous, 15 + 25 samples × 30 genes that move together, of any sign."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 30)) + rng.normal(0, 0.5, (40, 30)) + rng.normal(size=30)
    x[:15] *= 1.5
    return cohort_of({"group": np.repeat(["a", "b"], [15, 25])}, x=x, label="group", kind="continuous")


@pytest.fixture(scope="module")
def bulk_small() -> Cohort:
    return simulate_cohort(16, 24, 1200, seed=0)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_mvn_has_the_moments_of_its_normal(small, noise):
    twin = create("mvn", noise=noise).fit(small).sample(n=80_000, seed=1)
    for name in "ab":
        real, drawn = (one.dense()[one.obs["group"] == name] for one in (small, twin))
        covariance = (1 + noise) * np.cov(real, rowvar=False)
        scale = np.sqrt(np.diag(covariance))
        np.testing.assert_allclose(drawn.mean(axis=0), real.mean(axis=0), atol=0.05 * scale.max())
        gap = (np.cov(drawn, rowvar=False) - covariance) / np.outer(scale, scale)
        assert np.abs(gap).max() < 0.04


def test_mvn_lies_in_the_span_of_each_class(bulk_small):
    cohort = as_continuous(bulk_small)
    rng = np.random.default_rng(0)
    shifted = cohort.with_adata(cohort.adata.copy())
    shifted.adata.X = cohort.dense() + rng.normal(0, 1, cohort.n_genes) - 5  # negative values: nothing is clipped
    twin = create("mvn").fit(shifted).sample(seed=1)
    real = shifted.dense()
    for name in ("case", "control"):
        rows = (shifted.obs["condition"] == name).to_numpy()
        centre = real[rows].mean(axis=0)
        basis = np.linalg.svd(real[rows] - centre, full_matrices=False)[2][: rows.sum() - 1]
        rest = twin.dense()[(twin.obs["condition"] == name).to_numpy()] - centre
        outside = rest - rest @ basis.T @ basis
        assert (np.linalg.norm(outside, axis=1) < 1e-8 * np.linalg.norm(rest, axis=1)).all()


@pytest.mark.parametrize(
    ("sizes", "share", "rank"),
    [((15, 25), 0.6, 14), ((20, 20), 0.3, 12), ((2, 30), 0.6, 1), ((40, 60), 1.0, 39), ((3, 2), 0.6, 1)],
)
def test_lowrank_mvn_takes_the_largest_rank_that_every_class_supports(sizes, share, rank):
    cohort = cohort_of({"group": np.repeat(["a", "b"], sizes)}, n_genes=300, label="group")
    model = create("lowrank-mvn", share=share).fit(cohort)
    assert model.axes_.shape == (rank, 300)
    latent = np.log1p(cohort.dense())
    exact = np.linalg.svd(latent - latent.mean(axis=0), full_matrices=False)[2][: max(rank // 2, 1)]
    overlap = np.linalg.norm(exact @ model.axes_.T, axis=1)
    assert (overlap > 0.98).all()


def test_lowrank_mvn_has_the_class_moments_of_its_space():
    """On genes so well expressed that neither rounding nor the bound at zero matters."""
    rng = np.random.default_rng(0)
    x = rng.poisson(2000 * rng.gamma(15, 1 / 15, (40, 200)))
    cohort = cohort_of({"group": np.repeat(["a", "b"], [16, 24])}, x=x, label="group")
    model = create("lowrank-mvn", preset="paper").fit(cohort)
    twin = model.sample(n=8000, seed=1)
    real, drawn = ((np.log1p(one.dense()) - model.centre_) @ model.axes_.T for one in (cohort, twin))
    for name in "ab":
        theirs, mine = real[cohort.obs["group"] == name], drawn[twin.obs["group"] == name]
        scale = theirs.std(axis=0).max()
        np.testing.assert_allclose(mine.mean(axis=0), theirs.mean(axis=0), atol=0.1 * scale)
        np.testing.assert_allclose(np.cov(mine, rowvar=False), 1.5 * np.cov(theirs, rowvar=False), atol=0.15 * scale**2)


def test_smote_points_lie_between_two_real_neighbours(small):
    twin = create("smote", neighbours=4).fit(small).sample(n=120, seed=1)
    real, groups = small.dense(), small.obs["group"].to_numpy()
    for point, group in zip(twin.dense(), twin.obs["group"], strict=True):
        members = real[groups == group]
        distance = np.linalg.norm(members[:, None] - members, axis=2)
        np.fill_diagonal(distance, np.inf)
        near = np.argsort(distance, axis=1)[:, :4]
        start = np.repeat(np.arange(len(members)), 4)
        step = members[near.ravel()] - members[start]
        share = np.clip(((point - members[start]) * step).sum(axis=1) / (step**2).sum(axis=1), 0, 1)
        gap = np.linalg.norm(members[start] + share[:, None] * step - point, axis=1)
        assert gap.min() < 1e-9


def test_bootstrap_copies_whole_samples_of_the_class(bulk_small):
    twin = create("bootstrap").fit(bulk_small).sample(n=200, seed=1)
    columns = ["condition", "sex", "age", "crp"]
    known = {
        row.tobytes(): tuple(values)
        for row, values in zip(bulk_small.dense(), bulk_small.obs[columns].astype(str).to_numpy(), strict=True)
    }
    drawn = [row.tobytes() for row in twin.dense()]
    assert {known[row] for row in drawn} <= set(known.values())
    for row, values in zip(drawn, twin.obs[columns].astype(str).to_numpy(), strict=True):
        assert known[row] == tuple(values)
    assert len(set(drawn)) == bulk_small.n_samples  # with 200 draws hardly anyone is left out


def class_correlation(cohort: Cohort, genes: np.ndarray) -> np.ndarray:
    case = (cohort.obs["condition"] == "case").to_numpy()
    values = log_values(cohort)[:, genes]
    for rows in (case, ~case):
        values[rows] -= values[rows].mean(axis=0)
    return np.corrcoef(values, rowvar=False)[np.triu_indices(len(genes), 1)]


def test_independent_genes_keep_their_margins_and_lose_their_correlation(bulk_small):
    twin = create("independent").fit(bulk_small).sample(n=2000, seed=1)
    genes = np.flatnonzero((bulk_small.adata.var["module"] != "none").to_numpy())
    assert np.abs(class_correlation(bulk_small, genes)).mean() > 0.15
    assert np.abs(class_correlation(twin, genes)).mean() < 0.05
    for name in ("case", "control"):
        real, drawn = (
            (one.dense() / size_factors(one.dense())[:, None])[(one.obs["condition"] == name).to_numpy()]
            for one in (bulk_small, twin)
        )
        expressed = real.mean(axis=0) > 20
        ratio = drawn[:, expressed].mean(axis=0) / real[:, expressed].mean(axis=0)
        assert np.median(ratio) == pytest.approx(1.0, abs=0.02)
        assert np.quantile(np.abs(ratio - 1), 0.9) < 0.08
        spread = np.log(drawn[:, expressed].std(axis=0) / real[:, expressed].std(axis=0))
        assert np.median(spread) == pytest.approx(0.0, abs=0.06)
        gap = (drawn == 0).mean(axis=0) - (real == 0).mean(axis=0)
        assert abs(gap.mean()) < 0.01
