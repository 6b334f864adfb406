"""dp-pgm: what it spends, what it measures, what it recovers with much budget, and what it loses by construction."""

import warnings

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from twinseq import generators
from twinseq.dp import Ledger, PrivacyWarning
from twinseq.errors import ConfigError
from twinseq.generators._extras import MissingExtraError, missing
from twinseq.generators._marginals import (
    CODE,
    CODE_WEIGHTS,
    bins_of,
    blend,
    estimate_tables,
    log_densities,
    measure_tables,
    normal_shares,
    values_at,
)
from twinseq.generators._star import class_means, difference_variance, metagene_means, within_spread
from twinseq.generators._waves import PERIODS, measure_places
from twinseq.generators._waves import WEIGHTS as PERIOD_WEIGHTS

from .planted import cohort_of, same_draws

pytestmark = pytest.mark.skipif(bool(missing("pgm")), reason="mbi is not installed")
BOUNDS = (0.0, 20.0)
EDGE = float(ndtri(0.75))


def planted(n: int = 600, n_genes: int = 40, seed: int = 0):
    """Two classes of normal genes with known locations, spreads and differences; a shared factor that is no class."""
    rng = np.random.default_rng(seed)
    label = np.repeat(["a", "b"], [n // 3, n - n // 3])
    location, spread = rng.uniform(4, 14, n_genes), rng.uniform(0.4, 1.2, n_genes)
    shift = rng.normal(0, 1.0, n_genes)
    factor = rng.normal(size=(n, 1))
    noise = (factor + rng.normal(size=(n, n_genes))) / np.sqrt(2)
    x = location + spread * (np.outer(label == "b", shift) + noise)
    cohort = cohort_of({"group": label}, x=x, label="group", kind="continuous")
    return cohort, location, spread, shift


def model(epsilon: float, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrivacyWarning)
        return generators.create("dp-pgm", epsilon=epsilon, delta=1e-4, **params)


@pytest.fixture(scope="module")
def rich():
    """A fit with so much budget that noise plays no part."""
    cohort, *truth = planted()
    return cohort, truth, model(5e4).fit(cohort, seed=0)


@pytest.mark.parametrize(("epsilon", "metagenes"), [(1.0, None), (4.0, 0), (4.0, 1), (30.0, None)])
def test_the_ledger_adds_up_to_the_stated_epsilon(epsilon, metagenes):
    cohort = planted(200, 12)[0]
    fitted = model(epsilon, metagenes=metagenes).fit(cohort, seed=0)
    spent = fitted.ledger_.epsilon(1e-4)
    assert spent <= epsilon * (1 + 1e-9)
    assert spent == pytest.approx(epsilon, rel=0.01)
    assert fitted.ledger_.epsilon_renyi(1e-4) >= spent * (1 - 1e-6)


@pytest.mark.parametrize("query", ["waves", "tables"])
def test_noise_is_what_the_ledger_says(query):
    n_genes, multiplier = 500, 3.0
    rng = np.random.default_rng(0)
    bins, codes, weights = rng.integers(0, 4, (30, n_genes)), np.repeat([0, 1], 15), np.ones(30)
    ledger = Ledger()
    if query == "tables":
        noisy, noise = measure_tables(bins, codes, 2, weights, multiplier, ledger)
        true = np.stack([[code[bins[codes == one]].sum(axis=0) for one in (0, 1)] for code in CODE])
        residuals = (noisy - true) * CODE_WEIGHTS[:, None, None]
        np.testing.assert_allclose(noise * CODE_WEIGHTS, ledger.queries[0].noise, rtol=1e-3)
    else:
        values = [_sine_sum(multiplier, n_genes, ledger) for _ in range(4)]
        residuals = np.array(values)
    assert ledger.queries[0].sensitivity == pytest.approx(np.sqrt(n_genes), rel=1e-3)
    assert ledger.queries[0].multiplier == pytest.approx(multiplier)
    n = residuals.size
    assert residuals.std() == pytest.approx(ledger.queries[0].noise, rel=4 / np.sqrt(2 * n))
    assert abs(residuals.mean()) < 4 * ledger.queries[0].noise / np.sqrt(n)


def _sine_sum(multiplier, n_genes, ledger):
    """Return the noise of the query for waves: answers of a cohort without weight."""
    found = []

    def keep(values, *arguments):
        noisy = gaussian(values, *arguments)
        found.append(noisy - values)
        return noisy

    import twinseq.generators._waves as waves

    gaussian = waves.gaussian
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waves, "gaussian", keep)
        measure_places(np.full((3, n_genes), 5.0), np.ones(3), BOUNDS, 3.0, multiplier, ledger)
    return found[0]


def test_one_donor_moves_no_query_further_than_its_sensitivity():
    """Every vector query of a fit, asked of a cohort and of the same with one donor less, noise taken away."""
    import twinseq.generators.dp_pgm as pgm

    cohort = planted(60, 9)[0]
    fitted = model(5e4, metagenes=1).fit(cohort, seed=0)
    x, codes = fitted.scale_.apply(cohort), (cohort.obs["group"] == "b").to_numpy().astype(int)
    asked: list[list[tuple[np.ndarray, float]]] = [[], []]

    def recorder(store):
        def record(values, sensitivity, multiplier, ledger, measured):
            store.append((np.array(values, dtype=float), sensitivity))
            return fixed[len(store) - 1] if len(store) <= len(fixed) else np.array(values, dtype=float)

        return record

    fixed: list[np.ndarray] = []
    for number, donors in enumerate((np.ones(60), np.r_[0.0, np.ones(59)])):
        with pytest.MonkeyPatch.context() as patch:
            record = recorder(asked[number])
            for module in ("_waves", "_marginals", "dp_pgm"):
                patch.setattr(f"twinseq.generators.{module}.gaussian", record)
            spending = pgm.Spending(model(4.0)._check_privacy(), Ledger())
            # What is asked hangs on earlier answers, which are the same on both sides.
            spending.ledger.queries.append(fitted.ledger_.queries[0])
            fitted._fit_profiles(x, codes, donors, spending, np.random.default_rng(0))
        if number == 0:
            fixed = [values for values, _ in asked[0]]
    assert len(asked[0]) == len(asked[1]) == 4
    for (one, sensitivity), (other, _) in zip(*asked, strict=True):
        apart = np.linalg.norm(one - other)
        assert 0 < apart <= sensitivity * (1 + 1e-9)
        assert apart > 0.99 * sensitivity


def test_places_of_normal_genes_are_found():
    cohort, location, spread, _ = planted(2000, 30)
    a = cohort.dense()[(cohort.obs["group"] == "a").to_numpy()]
    places = measure_places(a, np.ones(len(a)), BOUNDS, len(a), 1e-3, Ledger())
    np.testing.assert_allclose(places.location, location, atol=0.2)
    np.testing.assert_allclose(places.spread, spread, rtol=0.25)


def test_no_two_places_look_alike_to_the_waves():
    """Answers of two genes of the usual spread that lie an eighth of the range apart, or more, for one donor."""
    shifts, spread = np.linspace(0.125, 0.95, 300), 0.055
    turns = 2 * np.pi / PERIODS[:, None]
    heights = PERIOD_WEIGHTS[:, None] * np.exp(-((turns * spread) ** 2) / 2)
    apart = np.linalg.norm(heights * 2 * np.sin(turns * shifts / 2), axis=0)
    assert apart.min() > 0.9
    assert np.sum(PERIOD_WEIGHTS**2) == pytest.approx(1.0)


def test_balanced_draws_have_the_shares_of_the_tables(rich):
    fitted = rich[2]

    def misfit(balanced):
        other = model(5e4, balanced=balanced)
        other.__dict__ |= {name: value for name, value in vars(fitted).items() if name.endswith("_")}
        drawn = (other.sample(design={"a": 40, "b": 25}, seed=3).dense() - fitted.location_) / fitted.spread_
        found = np.stack([(bins_of(drawn[:40]) == number).mean(axis=0) for number in range(4)], axis=-1)
        single = other.sample(design={"b": 1}, seed=1).dense()
        assert not np.allclose(single, other.sample(design={"b": 1}, seed=2).dense())
        return np.abs(found - fitted.tables_[0]).max()

    assert misfit(True) < 1 / 40
    assert misfit(False) > 0.1


def test_much_noise_leaves_the_error_that_is_claimed():
    rng = np.random.default_rng(1)
    location = rng.normal(8, 2, 800)
    x = location + rng.normal(size=(400, 800))
    places = measure_places(x, np.ones(400), BOUNDS, 400.0, 3.0, Ledger())
    error = np.sqrt(np.mean((places.location - location) ** 2))
    claimed = np.sqrt(np.mean(places.location_error**2))
    assert error == pytest.approx(claimed, rel=0.3)
    assert error < 0.6 * location.std()


def test_planted_distributions_come_back_with_much_budget(rich):
    cohort, _, fitted = rich
    twin = fitted.sample(design={"a": 3000, "b": 3000}, seed=1)
    real, drawn = cohort.dense(), twin.dense()
    for name in ("a", "b"):
        mine, yours = (cohort.obs["group"] == name).to_numpy(), (twin.obs["group"] == name).to_numpy()
        spread = real[mine].std(axis=0)
        difference = (drawn[yours].mean(axis=0) - real[mine].mean(axis=0)) / spread
        assert np.abs(difference).max() < 0.25
        assert np.sqrt(np.mean(difference**2)) < 0.08
        assert np.abs(np.log(drawn[yours].std(axis=0) / spread)).mean() < 0.08


def test_two_peaks_of_a_gene_come_back_as_far_as_four_bins_can():
    rng = np.random.default_rng(0)
    x = rng.normal(8, 0.8, (800, 30))
    x[:, :15] = np.where(rng.random((800, 15)) < 0.5, 6, 10) + rng.normal(0, 0.3, (800, 15))
    cohort = cohort_of({"group": ["a", "b"] * 400}, x=x, label="group", kind="continuous")
    fitted = model(5e4).fit(cohort, seed=0)
    bins = bins_of((x - fitted.location_) / fitted.spread_)
    real = np.stack([(bins == number).mean(axis=0) for number in range(4)], axis=-1)
    np.testing.assert_allclose(fitted.tables_[:, :15].mean(axis=0), real[:15], atol=0.06)
    drawn = fitted.sample(n=2000, seed=1).dense()[:, :15]
    middle = np.abs(drawn - 8) < 0.7
    # A normal distribution of this spread would have 27 %; four bins cannot give the real 2 %.
    assert 0.02 < middle.mean() < 0.22


def test_small_budgets_make_classes_alike_and_large_ones_do_not(rich):
    cohort, (_, spread, shift), large = rich
    true = spread * shift
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrivacyWarning)  # noise takes a class away now and then
        small = model(0.2, metagenes=0).fit(cohort, seed=0)
    for fitted, least, most in ((large, 0.9, 1.1), (small, -0.5, 0.6)):
        found = (fitted.means_[1] - fitted.means_[0]) * fitted.spread_
        assert least < found @ true / (true @ true) < most


def test_values_stay_between_the_bounds(rich):
    cohort = rich[0]
    tight = model(2.0, bounds="5:9").fit(cohort, seed=0).sample(n=500, seed=0).dense()
    assert tight.min() >= 5
    assert tight.max() <= 9
    assert (np.ptp(tight, axis=0) > 0).all()


def test_neighbours_take_the_same_path():
    cohort = planted(120, 10)[0]
    fewer = cohort.subset(np.arange(120) > 0)
    one, other = model(3.0).fit(cohort, seed=0), model(3.0).fit(fewer, seed=0)
    assert [query.measured for query in one.ledger_.queries] == [query.measured for query in other.ledger_.queries]
    assert {name: value.shape for name, value in one._state().items() if name != "ledger"} == {
        name: value.shape for name, value in other._state().items() if name != "ledger"
    }


def test_genes_are_independent_given_class_and_metagenes(rich):
    """The weakness that the documentation states: a factor that has no part in the classes is lost."""
    cohort = rich[0]
    twin = model(5e4, metagenes=0).fit(cohort, seed=0).sample(n=3000, seed=1)

    def correlation(some):
        rows = (some.obs["group"] == "b").to_numpy()
        matrix = np.corrcoef(some.dense()[rows].T)
        return matrix[np.triu_indices(len(matrix), 1)].mean()

    assert correlation(cohort) > 0.4
    assert abs(correlation(twin)) < 0.03


def test_metagenes_bring_back_the_correlation_along_the_classes():
    rng = np.random.default_rng(0)
    shift, label = rng.normal(0, 0.6, 40), np.repeat(["a", "b"], 300)
    along = (label == "b") + rng.normal(0, 0.8, 600)
    x = 8 + np.outer(along, shift) + rng.normal(0, 0.8, (600, 40))
    cohort = cohort_of({"group": label}, x=x, label="group", kind="continuous")

    def spread(some):
        rows = (some.obs["group"] == "b").to_numpy()
        return (some.dense()[rows] @ shift / (shift @ shift)).std()

    with_them, without = (
        spread(model(5e4, metagenes=number).fit(cohort, seed=0).sample(n=1500, seed=2)) for number in (1, 0)
    )
    assert without < 0.5 * spread(cohort)
    assert with_them == pytest.approx(spread(cohort), rel=0.3)


def test_same_model_and_seed_give_the_same_bytes(rich, tmp_path):
    fitted = rich[2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrivacyWarning)
        again = generators.load(fitted.save(tmp_path / "model.npz"))
    assert same_draws(fitted.sample(seed=4), again.sample(seed=4))
    np.testing.assert_array_equal(fitted.losses(rich[0]), again.losses(rich[0]))


def test_noise_has_no_seed():
    cohort = planted(100, 6)[0]
    one, other = model(2.0).fit(cohort, seed=0), model(2.0).fit(cohort, seed=0)
    assert not np.array_equal(one.location_, other.location_)


def test_likelihood_and_losses_tell_fitting_samples_from_others(rich):
    cohort, _, fitted = rich
    likelihood, losses = fitted.log_likelihood(cohort), fitted.losses(cohort)
    assert likelihood.shape == (600,)
    assert losses.shape == (600, 2)
    other = cohort.adata.copy()
    other.obs["group"] = other.obs["group"].map({"a": "b", "b": "a"})
    swapped = cohort.with_adata(other)
    assert fitted.log_likelihood(swapped).mean() < likelihood.mean() - 1
    assert (fitted.losses(swapped).mean(axis=0) > losses.mean(axis=0)).all()


def test_pgm_leaves_sound_tables_and_mends_others():
    counts = np.array([40.0, 90.0])
    shares = normal_shares(np.random.default_rng(0).normal(0, 0.4, (2, 11)), np.ones(11))
    cells = counts[:, None, None] * shares
    found = estimate_tables(cells, np.ones(2), counts, 1.0, "dp-pgm")
    np.testing.assert_allclose(found, shares, atol=0.01)
    cells[0, 0] = [-30, 20, 30, 20]
    mended = estimate_tables(cells, np.ones(2), counts, 1.0, "dp-pgm")
    assert (mended > 0).all()
    np.testing.assert_allclose(mended.sum(axis=-1), 1.0)
    assert mended[0, 0, 0] < 0.02
    np.testing.assert_allclose(mended[0, 0, 1:], [2 / 7, 3 / 7, 2 / 7], atol=0.1)


def test_values_within_bins_have_the_shares_and_the_density():
    shares, means, spreads = np.array([[[0.1, 0.5, 0.3, 0.1]]]), np.array([[0.2]]), np.array([0.9])
    levels = (np.arange(4000) + 0.5)[:, None] / 4000
    codes = np.zeros(4000, dtype=int)
    values = values_at(levels, codes, shares, means, spreads)
    assert (np.diff(values[:, 0]) > 0).all()
    np.testing.assert_allclose(np.bincount(bins_of(values)[:, 0]) / 4000, shares[0, 0], atol=1e-3)
    grid = np.linspace(-12, 12, 48001)[:, None]
    density = np.exp(log_densities(grid, np.zeros(len(grid), dtype=int), shares, means, spreads))[:, 0]
    assert np.trapezoid(density, grid[:, 0]) == pytest.approx(1.0, abs=1e-3)


def test_blend_keeps_normal_tables_and_takes_over_what_noise_cannot_explain():
    rng = np.random.default_rng(0)
    shares, counts = normal_shares(np.zeros((1, 400)), np.ones(400)), np.array([1000.0])
    coded = np.einsum("ab,cgb->acg", CODE, counts[:, None, None] * shares)
    noise = np.full(3, 20.0)
    noisy, _ = blend(coded + rng.normal(0, 20, coded.shape), noise, counts, shares)
    assert np.abs(noisy / 1000 - shares).max() < 0.02
    other = coded + rng.normal(0, 300, coded.shape)
    found, _ = blend(other, noise, counts, shares)
    kept = np.einsum("ab,cgb->acg", CODE, found)
    np.testing.assert_allclose(kept, other, atol=25)


def test_shrinkage_is_as_strong_as_the_noise():
    """Posterior means neither over- nor understate: the truth regressed on them has slope 1."""
    rng = np.random.default_rng(0)
    true = rng.normal(0, 0.5, (3, 1500))
    noise = np.array([0.1, 0.3, 1.0]) ** 2
    above = 2 * ndtr(true) - 1 + np.sqrt(noise)[:, None] * rng.normal(size=true.shape)
    found = class_means(above, noise, np.full(3, 1 / 3), np.full(1500, 0.01), None).means
    for one, real in zip(found, true, strict=True):
        assert one @ real / (one @ one) == pytest.approx(1.0, abs=0.25)
    assert difference_variance(above, noise) == pytest.approx(0.25, rel=0.4)


def test_means_of_metagenes_and_spread_within_classes():
    shares = np.array([0.25, 0.75])
    means = metagene_means(np.array([[0.9], [-0.3]]), np.full(2, 1e-6), shares)
    assert shares @ means[:, 0] == pytest.approx(0, abs=1e-9)
    assert 1.0 < means[0, 0] < 1.7
    spread = np.array([0.6, 1.0])
    middle = np.zeros((1, 2))
    inner = 500 * (2 * (normal_shares(middle, spread)[0][:, 1:3].sum(axis=1)) - 1)
    found = within_spread(inner, 25.0, middle, np.array([500.0]), np.full(2, 1.0), EDGE)
    np.testing.assert_allclose(found, spread, rtol=0.1)


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="State epsilon"):
        generators.create("dp-pgm", delta=1e-5)
    with pytest.raises(ConfigError, match="metagenes must be 0"):
        model(1.0, metagenes=-1)
    with pytest.raises(ConfigError, match="metagene_share"):
        model(1.0, metagene_share=1.0)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr("twinseq.generators._extras.importlib.import_module", _no_module)
    with pytest.raises(MissingExtraError, match=r"pip install 'twinseq\[pgm\]'"):
        model(30.0).fit(planted(120, 3)[0], seed=0)


def _no_module(name):
    raise ImportError(name)
