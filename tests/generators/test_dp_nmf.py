"""dp-nmf: what it spends, that its parts are not negative, what it recovers, and what small budgets lose."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from twinseq import generators
from twinseq.errors import ConfigError
from twinseq.generators.dp_nmf import _metagenes, _weights

from .planted import cohort_of, same_draws

pytestmark = pytest.mark.filterwarnings("ignore::twinseq.dp.PrivacyWarning")
DELTA = 1e-4


def planted(n: int = 500, n_genes: int = 60, seed: int = 0):
    """Two classes on two non-negative programmes with random weights; the second also varies within classes."""
    rng = np.random.default_rng(seed)
    label = np.repeat(["a", "b"], [n // 3, n - n // 3])
    programmes = np.zeros((2, n_genes))
    programmes[0] = rng.uniform(4, 9, n_genes)
    programmes[1, : n_genes // 3] = rng.uniform(1, 3, n_genes // 3)
    weights = np.column_stack([np.ones(n), rng.gamma(6, 1 / 6, n) + (label == "b")])
    x = weights @ programmes + rng.normal(0, 0.7, (n, n_genes))
    return cohort_of({"group": label}, x=x, label="group", kind="continuous"), programmes


def model(epsilon: float, **params):
    return generators.create("dp-nmf", epsilon=epsilon, delta=DELTA, **params)


@pytest.fixture(scope="module")
def rich():
    """A fit with so much budget that noise plays no part."""
    cohort, programmes = planted()
    return cohort, programmes, model(5e4).fit(cohort, seed=0)


@pytest.mark.parametrize("epsilon", [0.5, 4.0, 40.0])
def test_the_whole_budget_is_spent_and_no_more(epsilon):
    spent = model(epsilon).fit(planted(200, 20)[0], seed=0).ledger_.epsilon(DELTA)
    assert spent <= epsilon * (1 + 1e-9)
    assert spent == pytest.approx(epsilon, rel=0.01)


def test_metagenes_and_weights_are_not_negative(rich):
    fitted = rich[2]
    for part in (fitted.metagenes_, fitted.weights_):
        assert (part >= 0).all()
    assert fitted.metagenes_.shape == (3, 60)
    assert fitted.weights_.shape == (2, 3)


def test_class_means_and_spreads_come_back(rich):
    cohort, _, fitted = rich
    twin = fitted.sample(design={"a": 3000, "b": 3000}, seed=1)
    real, drawn = cohort.dense(), twin.dense()
    for name in "ab":
        mine, yours = (cohort.obs["group"] == name).to_numpy(), (twin.obs["group"] == name).to_numpy()
        away = drawn[yours].mean(axis=0) - real[mine].mean(axis=0)
        assert np.sqrt((away**2).mean()) < 0.15
    pooled = [
        np.sqrt(np.mean([some.dense()[(some.obs["group"] == name).to_numpy()].var(axis=0) for name in "ab"], axis=0))
        for some in (cohort, twin)
    ]
    assert np.abs(np.log(pooled[1] / pooled[0])).mean() < 0.25


def _correlation(some, genes):
    rows = (some.obs["group"] == "b").to_numpy()
    matrix = np.corrcoef(some.dense()[rows][:, genes].T)
    return matrix[np.triu_indices(len(matrix), 1)].mean()


@pytest.mark.parametrize("balanced", [True, False])
def test_what_a_programme_ties_together_stays_together(rich, balanced):
    cohort = rich[0]
    twin = model(5e4, balanced=balanced).fit(cohort, seed=0).sample(n=3000, seed=1)
    inside, outside = slice(0, 20), slice(20, 60)
    assert _correlation(twin, inside) == pytest.approx(_correlation(cohort, inside), abs=0.15)
    assert _correlation(twin, inside) > 0.3
    # Cutting the weights of draws at 0 would bring these to .38.
    assert abs(_correlation(twin, outside)) < 0.1


def test_small_budgets_leave_genes_independent_within_classes():
    """The weakness that the documentation states."""
    cohort = planted()[0]
    fitted = model(0.3).fit(cohort, seed=0)
    assert not fitted.normals_.loadings.any()
    assert abs(_correlation(fitted.sample(n=2000, seed=1), slice(0, 20))) < 0.05
    assert "covariance of the axes" not in [query.measured for query in fitted.ledger_.queries]


def test_values_stay_between_the_bounds(rich):
    tight = model(30.0, bounds="5:9").fit(rich[0], seed=0).sample(n=500, seed=0).dense()
    assert tight.min() >= 5
    assert tight.max() <= 9


def test_other_bounds_are_stretched():
    """Values a tenth as large, with bounds a tenth as wide, give the same twin but for the noise."""
    cohort, _ = planted()
    small = cohort_of({"group": cohort.labels()}, x=cohort.dense() / 10, label="group", kind="continuous")
    one, other = model(5e4).fit(cohort, seed=0), model(5e4, bounds="0:2").fit(small, seed=0)
    np.testing.assert_allclose(
        other.sample(n=2000, seed=0).dense().mean(axis=0) * 10,
        one.sample(n=2000, seed=0).dense().mean(axis=0),
        atol=0.15,
    )


def test_neighbours_take_the_same_path():
    cohort = planted(150, 12)[0]
    one, other = (model(3.0).fit(some, seed=0) for some in (cohort, cohort.subset(np.arange(150) > 0)))
    assert [query.measured for query in one.ledger_.queries] == [query.measured for query in other.ledger_.queries]


def test_a_model_file_draws_the_same(rich, tmp_path):
    cohort, _, fitted = rich
    again = generators.load(fitted.save(tmp_path / "model.npz"))
    assert same_draws(fitted.sample(seed=4), again.sample(seed=4))
    np.testing.assert_array_equal(fitted.losses(cohort), again.losses(cohort))


def test_the_likelihood_is_that_of_the_draws():
    cohort = planted(200, 12)[0]
    fitted = model(200.0, bounds="-4:36").fit(cohort, seed=0)
    normals, likelihood = fitted.normals_, fitted.log_likelihood(cohort)
    covariance = normals.loadings.T @ normals.loadings + np.diag(normals.noise)
    for code, name in enumerate("ab"):
        rows = (cohort.obs["group"] == name).to_numpy()
        expected = multivariate_normal(normals.means[code], covariance).logpdf(cohort.dense()[rows])
        np.testing.assert_allclose(likelihood[rows], expected, rtol=1e-6)


def test_noise_has_no_seed():
    cohort = planted(100, 8)[0]
    one, other = (model(2.0).fit(cohort, seed=0) for _ in range(2))
    assert not np.array_equal(one.normals_.means, other.normals_.means)


def test_weights_are_the_nearest_non_negative_ones():
    rng = np.random.default_rng(0)
    metagenes = rng.random((3, 30))
    true = rng.random((5, 3))
    true[:, 0] = 0
    np.testing.assert_allclose(_weights(true @ metagenes, metagenes), true, atol=1e-9)
    assert (_weights(rng.normal(size=(20, 30)), metagenes) >= 0).all()


def test_metagenes_span_the_profiles():
    rng = np.random.default_rng(0)
    profiles = rng.random((6, 2)) @ rng.random((2, 40))
    found = _metagenes(profiles, 2, rng)
    assert found.shape == (2, 40)
    axes = np.linalg.qr(found.T)[0]
    assert np.linalg.norm(profiles - profiles @ axes @ axes.T) < 0.05 * np.linalg.norm(profiles)
    assert len(_metagenes(profiles, 50, rng)) <= 6


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="State epsilon"):
        generators.create("dp-nmf", delta=1e-5)
    with pytest.raises(ConfigError, match="rank must be at least 1"):
        model(1.0, rank=0)
