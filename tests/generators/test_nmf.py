"""`nmf`: what it finds of a planted factorisation, what the benchmark's model does, and where both fall short."""

import numpy as np
import pytest
from scipy.optimize import lsq_linear
from scipy.stats import multivariate_normal, norm

from twinseq.cohort import Cohort
from twinseq.datasets import simulate_cohort
from twinseq.errors import ConfigError
from twinseq.generators import create, info, load
from twinseq.generators._metagenes import shrunk_means

from .planted import as_continuous, cohort_of, same_draws

PAPER = {"preset": "paper"}
NOISY = {"preset": "paper", "paper_noise": 4.0}
WAYS = [{}, PAPER, NOISY]


@pytest.fixture(scope="module")
def halves() -> tuple[Cohort, ...]:
    return simulate_cohort(40, 40, 600, seed=1).split((0.5, 0.5), seed=0)


def planted(n: int = 600, n_genes: int = 120, noise: float = 0.3, seed: int = 0) -> tuple[Cohort, np.ndarray]:
    """Two classes that differ in two of four metagenes; continuous and never negative."""
    rng = np.random.default_rng(seed)
    basis = rng.gamma(0.5, 1.0, (4, n_genes)) * (rng.random((4, n_genes)) < 0.5)
    means = np.array([[8.0, 6.0, 5.0, 7.0], [5.0, 9.0, 5.0, 7.0]])
    label = np.repeat([0, 1], n // 2)
    mixing = np.array([[1.0, 0, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, -0.5, 0.9]])
    x = (means[label] + rng.standard_normal((n, 4)) @ mixing) @ basis + 3.0 + noise * rng.standard_normal((n, n_genes))
    assert x.min() >= 0
    return cohort_of({"group": np.array(["a", "b"])[label]}, x=x, label="group", kind="continuous"), basis


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Cosines of the principal angles between two row spaces."""
    bases = [np.linalg.qr(rows.T)[0] for rows in (one, other)]
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)


def test_planted_metagenes_and_moments_come_back():
    cohort, basis = planted()
    model = create("nmf", rank=5).fit(cohort, seed=0)
    span = np.vstack([basis, np.ones(basis.shape[1])])  # the constant 3 is a fifth
    found = cosines(model.model_.basis, span)
    assert found[3] > 0.99
    assert found[4] > 0.9
    twin = model.sample(n=40_000, seed=1)
    for name in "ab":
        real, drawn = (one.dense()[one.obs["group"] == name] for one in (cohort, twin))
        spread = real.std(axis=0)
        assert np.abs((drawn.mean(axis=0) - real.mean(axis=0)) / spread).max() < 0.15
        assert np.median(drawn.std(axis=0) / spread) == pytest.approx(1.0, abs=0.03)
        gap = np.corrcoef(drawn, rowvar=False) - np.corrcoef(real, rowvar=False)
        assert np.abs(gap).mean() < 0.05
    np.testing.assert_allclose(np.sqrt(np.median(model.model_.residual)), 0.3, rtol=0.1)


def test_no_draw_lies_in_the_span_of_training_samples():
    cohort, _ = planted(n=40, n_genes=300)
    twin = create("nmf").fit(cohort).sample(seed=1)
    basis = np.linalg.svd(cohort.dense(), full_matrices=False)[2]
    rest = twin.dense() - twin.dense() @ basis.T @ basis
    apart = twin.dense() - twin.dense().mean(axis=0)
    assert (np.linalg.norm(rest, axis=1) > 0.1 * np.linalg.norm(apart, axis=1).mean()).all()


def test_few_samples_leave_a_residual():
    cohort, _ = planted(n=16, n_genes=50)
    model = create("nmf").fit(cohort).model_
    assert len(model.basis) == 4
    assert (model.residual > 0).all()


def test_shrinkage_of_offsets_by_hand():
    """One gene moves in class 0 by 2 standard deviations; another cohort has nothing but noise."""
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1], 50)
    noise = rng.standard_normal((100, 400))
    assert np.abs(shrunk_means(noise, codes) - noise.mean(axis=0)).max() < 0.15
    left = noise + 2.0 * (codes == 0)[:, None]
    means = np.stack([left[codes == code].mean(axis=0) for code in (0, 1)])
    variance = ((left - means[codes]) ** 2).sum(axis=0) / 98
    found = ((means - left.mean(axis=0)) ** 2 / variance).mean(axis=1)
    expected = left.mean(axis=0) + (1 - 0.01 / found)[:, None] * (means - left.mean(axis=0))
    np.testing.assert_allclose(shrunk_means(left, codes), expected, rtol=1e-6)


def test_metagenes_alone_lose_what_sets_few_genes_apart():
    """The documented weakness: one gene that tells the classes apart is no metagene, and is shrunk with the rest."""
    cohort, _ = planted()
    x = cohort.dense()
    case = (cohort.obs["group"] == "a").to_numpy()
    spread = x[:, 0].std()
    x[case, 0] += 4 * spread
    marked = cohort.with_adata(cohort.adata.copy())
    marked.adata.X = x
    kept = []
    for ways in ({"rank": 5}, {"preset": "paper"}):
        twin = create("nmf", **ways).fit(marked).sample(n=4000, seed=1)
        values, drawn = twin.dense()[:, 0], (twin.obs["group"] == "a").to_numpy()
        kept.append((values[drawn].mean() - values[~drawn].mean()) / (x[case, 0].mean() - x[~case, 0].mean()))
    assert 0.3 < kept[0] < 0.98
    assert kept[1] < 0.98


def test_paper_clusters_and_their_single_spread():
    rng = np.random.default_rng(0)
    centres = rng.uniform(2, 20, (4, 60))
    x = centres[np.repeat(range(4), 50)] + 0.2 * rng.standard_normal((200, 60))
    cohort = cohort_of({"group": np.repeat(["a", "b"], 100)}, x=x, label="group", kind="continuous")
    model = create("nmf", preset="paper", clusters=4).fit(cohort)
    gaps = np.linalg.norm(model.model_.means[:, None] - centres, axis=2)
    assert gaps.min(axis=0).max() < 0.5
    assert model.model_.spread == pytest.approx(0.2, rel=0.03)
    twin = model.sample(seed=1).dense()
    near = np.linalg.norm(twin[:, None] - centres, axis=2).argmin(axis=1)
    assert np.isin(near[:100], [0, 1]).mean() > 0.9
    assert np.isin(near[100:], [2, 3]).mean() > 0.9


def test_paper_loses_correlation_and_variance_of_genes():
    """Its documented weakness: one spread for all genes, independent within a cluster."""
    cohort, _ = planted()
    errors = []
    for ways in ({}, PAPER):
        twin = create("nmf", **ways).fit(cohort).sample(n=4000, seed=1)
        moments = []
        for one in (cohort, twin):
            rows = one.dense()[one.obs["group"] == "a"]
            moments.append((np.log(rows.std(axis=0)), np.corrcoef(rows, rowvar=False)))
        errors.append([np.abs(real - drawn).mean() for real, drawn in zip(*moments, strict=True)])
    assert errors[1][0] > 5 * errors[0][0]
    assert errors[1][1] > 2 * errors[0][1]


def test_paper_noise_is_that_of_the_published_formula():
    cohort, _ = planted(n=200)
    plain, noisy = (create("nmf", **ways).fit(cohort, seed=5).model_ for ways in (PAPER, NOISY))
    np.testing.assert_array_equal(plain.shares, noisy.shares)
    sizes = plain.shares * 200
    expected = np.linalg.norm(cohort.dense(), axis=1).max() / sizes * np.sqrt(2 * np.log(1.25e5)) / 4.0
    # Such noise drowns the means: what falls below zero is cut there.
    below = norm.cdf(-plain.means / expected[:, None])
    assert below.mean() > 0.2
    assert (noisy.means == 0).mean() == pytest.approx(below.mean(), abs=0.02)
    over = (noisy.means - plain.means)[noisy.means > plain.means] ** 2
    assert over.mean() == pytest.approx((expected**2).mean(), rel=0.1)


def test_it_says_everywhere_that_the_noise_guarantees_nothing():
    assert "no guarantee" in info("nmf").guarantee
    assert "no guarantee" in info("nmf").title
    assert "no guarantee" in " ".join(type(create("nmf")).__doc__.replace("*", "").split())


def test_paper_never_hands_out_copies():
    cohort, _ = planted(n=12, n_genes=30)
    model = create("nmf", preset="paper").fit(cohort)
    assert len(model.model_.means) <= 6
    assert model.model_.spread > 0.01


def test_a_class_that_the_forest_never_names_gets_its_nearest_draws():
    rng = np.random.default_rng(0)
    x = rng.gamma(5, 1, (82, 20))
    cohort = cohort_of({"group": np.repeat(["a", "b"], [80, 2])}, x=x, label="group", kind="continuous")
    twin = create("nmf", preset="paper").fit(cohort).sample(design={"b": 90, "a": 3}, seed=1)
    assert twin.obs["group"].value_counts().to_dict() == {"b": 90, "a": 3}


@pytest.mark.parametrize("ways", WAYS)
def test_every_way_in_counts_and_continuous_values(ways, halves):
    for cohort in (halves[0], as_continuous(halves[0])):
        model = create("nmf", **ways).fit(cohort, seed=2)
        twin = model.sample(seed=1)
        assert np.isfinite(twin.dense()).all()
        assert twin.dense().min() >= 0
        assert twin.obs["condition"].value_counts().to_dict() == cohort.obs["condition"].value_counts().to_dict()
        again = create("nmf", **ways).fit(cohort, seed=2, jobs=2)
        assert same_draws(twin, again.sample(seed=1))


@pytest.mark.parametrize("ways", WAYS)
def test_a_model_file_draws_the_same(ways, halves, tmp_path):
    model = create("nmf", **ways).fit(halves[0])
    again = load(model.save(tmp_path / "model.npz"))
    assert same_draws(model.sample(seed=4), again.sample(seed=4))
    np.testing.assert_allclose(again.losses(halves[1]), model.losses(halves[1]), rtol=1e-9)


@pytest.mark.parametrize("ways", [{}, PAPER])
def test_values_below_zero_are_shifted_and_shifted_back(ways):
    cohort, _ = planted()
    low = cohort.with_adata(cohort.adata.copy())
    low.adata.X = (cohort.dense() - cohort.dense().mean(axis=0)) / cohort.dense().std(axis=0)
    twin = create("nmf", **ways).fit(low).sample(n=2000, seed=1).dense()
    assert twin.min() < -1
    assert np.abs(twin.mean(axis=0)).max() < 0.25
    assert np.median(twin.std(axis=0)) == pytest.approx(1.0, abs=0.1)


def test_constant_values():
    cohort = cohort_of({"group": ["a", "b"] * 6}, x=np.zeros((12, 5)), label="group", kind="continuous")
    twin = create("nmf").fit(cohort).sample(seed=1).dense()
    np.testing.assert_allclose(twin, 0.0, atol=1e-6)


def test_likelihood_against_scipy():
    cohort, _ = planted(n=100, n_genes=12)
    model = create("nmf", rank=3).fit(cohort)
    parts = model.model_
    for code, name in enumerate("ab"):
        rows = cohort.dense()[cohort.obs["group"] == name]
        covariance = parts.loadings[code].T @ parts.loadings[code] + np.diag(parts.residual)
        trusted = multivariate_normal(parts.centres[code], covariance).logpdf(rows)
        np.testing.assert_allclose(model.log_likelihood(cohort)[cohort.obs["group"] == name], trusted, rtol=1e-6)
    model = create("nmf", preset="paper", clusters=3).fit(cohort)
    parts = model.model_
    trusted = sum(
        share * np.exp(norm(mean, parts.spread).logpdf(cohort.dense()).sum(axis=1))
        for share, mean in zip(parts.shares, parts.means, strict=True)
    )
    np.testing.assert_allclose(model.log_likelihood(cohort), np.log(trusted), rtol=1e-6)


def test_reconstruction_error_by_an_independent_solver():
    cohort, _ = planted(n=40, n_genes=60)
    model = create("nmf", rank=4).fit(cohort).model_
    x = cohort.dense()
    trusted = [2 * lsq_linear(model.basis.T, one, bounds=(0, np.inf), tol=1e-12).cost / 60 for one in x]
    np.testing.assert_allclose(model.reconstruction_error(x), trusted, rtol=1e-4)


@pytest.mark.parametrize("ways", [{}, PAPER])
def test_members_fit_better_and_neither_company_nor_order_matters(ways, halves):
    members, others = halves
    model = create("nmf", **ways).fit(members, seed=0)
    here, there = model.losses(members), model.losses(others)
    assert np.isfinite(here).all()
    assert max((column[:, None] < other).mean() for column, other in zip(here.T, there.T, strict=True)) > 0.75
    some = np.array([17, 3, 39])
    np.testing.assert_allclose(model.losses(others.subset(some)), there[some], rtol=1e-8)
    shuffled = others.with_adata(others.adata[:, np.random.default_rng(0).permutation(600)].copy())
    np.testing.assert_allclose(model.losses(shuffled), there, rtol=1e-8)


@pytest.mark.parametrize(
    ("ways", "words"),
    [
        ({"rank": 0}, "rank must be 1 or more"),
        ({"clusters": 0}, "clusters must be 1 or more"),
        ({"sampling": "classes"}, "sampling must be one of class, cluster, not 'classes'"),
        ({"paper_noise": 4.0}, "paper_noise belongs to the benchmark's model"),
        ({"preset": "paper", "paper_noise": 0.0}, "paper_noise must be above 0"),
    ],
)
def test_wrong_settings(ways, words):
    with pytest.raises(ConfigError, match=words):
        create("nmf", **ways)
