"""`mean_tracing`, `contrast_tracing`, `subspace_tracing`: dense gene × gene inverses, defences, and a closed form."""

import numpy as np
import pytest
from planted_donors import continuous, like, naive_standard, together, world

from twinseq.attacks import NotApplicableError, Samples, View, get
from twinseq.attacks._tracing import expected_auc
from twinseq.attacks._whitening import RIDGES, WHITENINGS
from twinseq.attacks.roc import auc


def centred(values, labels):
    out = []
    for x, name in zip(values, labels, strict=True):
        out.append(x - values[labels == name].mean(axis=0))
    return np.array(out)


class Metric:
    """Inner products by a dense matrix, and the same matrix learnt without one of the rows."""

    def __init__(self, residuals, freedom, ridge=None, without=0):
        self.covariance, self.freedom, self.without = residuals.T @ residuals / freedom, freedom, without
        n_genes = len(self.covariance)
        self.ridge = None if ridge is None else ridge * np.trace(self.covariance) / n_genes * np.eye(n_genes)
        self.matrix = self.of(self.covariance)

    def of(self, covariance):
        if self.ridge is not None:
            return np.linalg.inv(covariance + self.ridge)
        _, axes = np.linalg.eigh(covariance)
        leading = axes[:, len(axes) - self.without :]
        return np.eye(len(axes)) - leading @ leading.T

    def unseen(self, row):
        """The squared length of a row that took part, without its part."""
        matrix = self.matrix
        if self.ridge is not None:
            matrix = self.of(self.covariance - np.outer(row, row) / self.freedom)
        return row @ matrix @ row


def naive_trace(twin, targets, reference, view, metric, contrast):
    names = ["a", "b"]
    twin_means = {name: twin[view.twin.labels == name].mean(axis=0) for name in names}
    means = {name: reference[view.reference.labels == name].mean(axis=0) for name in names}
    scores = []
    for x, name in zip(targets, view.targets.labels, strict=True):
        people = reference[view.reference.labels == name]
        m = len(people)
        shift = twin_means[name] - means[name]
        if contrast:
            (other,) = set(names) - {name}
            shift = shift - (twin_means[other] - means[other])
        away = x - means[name]
        spread = np.mean([metric.unseen(row - means[name]) for row in people]) * m / (m - 1)
        along = away @ metric.matrix @ shift / np.sqrt(away @ metric.matrix @ away)
        unit = spread if contrast else shift @ metric.matrix @ shift
        # For a non-member, E⟨x−μ_R, Δ⟩ = τ/m, and E‖x−μ_R‖² = τ(1 + 1/m).
        scores.append((along - spread / m / np.sqrt(spread * (1 + 1 / m))) / np.sqrt(unit))
    return np.array(scores)


def pooled(view, twin, reference, setting):
    left, n_means = centred(twin, view.twin.labels), 2
    if reference is not None:
        left, n_means = np.concatenate([left, centred(reference, view.reference.labels)]), 4
    return Metric(left, len(left) - n_means, **WHITENINGS[setting])


@pytest.mark.parametrize("setting", WHITENINGS)
@pytest.mark.parametrize("name", ["mean_tracing", "contrast_tracing"])
def test_tracing_against_dense_matrices(held, name, setting):
    twin, targets, reference = naive_standard(held)
    metric = pooled(held, twin, reference, setting)
    expected = naive_trace(twin, targets, reference, held, metric, name == "contrast_tracing")
    np.testing.assert_allclose(get(name).score(held, setting), expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("setting", WHITENINGS)
def test_mean_tracing_without_a_reference_uses_the_other_targets(held, setting):
    twin, targets, _ = naive_standard(held, "T0")
    metric = pooled(held, twin, None, setting).matrix
    labels, expected = held.targets.labels, []
    for row, x in enumerate(targets):
        others = np.delete(targets, row, axis=0)[np.delete(labels, row) == labels[row]].mean(axis=0)
        away, shift = x - others, twin[held.twin.labels == labels[row]].mean(axis=0) - others
        expected.append(away @ metric @ shift / np.sqrt((away @ metric @ away) * (shift @ metric @ shift)))
    np.testing.assert_allclose(get("mean_tracing").score(held.at("T0"), setting), expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("k", [5, 10, 20])
@pytest.mark.parametrize("contrast", [False, True])
def test_subspace_tracing_against_dense_matrices(held, k, contrast):
    twin, targets, reference = naive_standard(held)
    _, _, axes = np.linalg.svd(centred(twin, held.twin.labels), full_matrices=False)
    inside = [values @ axes[:k].T for values in (twin, targets, reference)]
    left = centred(inside[2], held.reference.labels)
    metric = Metric(left, len(left) - 2, ridge=0.01)
    setting = f"{'contrasts' if contrast else 'means'}, {k} axes"
    expected = naive_trace(*inside, held, metric, contrast)
    np.testing.assert_allclose(get("subspace_tracing").score(held, setting), expected, rtol=1e-7, atol=1e-9)


def independent(seed=0, per_class=20, n_genes=1500):
    """Members, non-members, reference and others of two classes of independent genes."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(["a", "b"], per_class)
    offset = np.where(labels == "a", 0.0, 1.0)[:, None] * (rng.random(n_genes) < 0.2)
    return [continuous(offset + rng.normal(size=(2 * per_class, n_genes)), labels) for _ in range(4)]


def with_means_of(twin, donors, noise=0.0):
    """The twin moved so that each class has exactly the mean of the donors', plus noise common to all classes."""
    values = twin.values + noise
    for name in np.unique(twin.labels):
        mine = twin.labels == name
        values[mine] += donors.values[donors.labels == name].mean(axis=0) - twin.values[mine].mean(axis=0)
    return like(twin, values)


def found(twin, members, nonmembers, reference, name, setting, level="T1"):
    scores = get(name).score(View("T1", twin, together(members, nonmembers), reference).at(level), setting)
    return auc(scores[: len(members)], scores[len(members) :])


def test_class_means_kept_exactly_name_members():
    members, nonmembers, reference, others = independent()
    twin = with_means_of(others, members)
    for setting in WHITENINGS:
        assert found(twin, members, nonmembers, reference, "mean_tracing", setting) > 0.95
        assert found(twin, members, nonmembers, reference, "mean_tracing", setting, "T0") > 0.95
        assert found(twin, members, nonmembers, reference, "contrast_tracing", setting) > 0.9


def test_noise_common_to_all_classes_hides_means_and_not_contrasts():
    members, nonmembers, reference, others = independent()
    noise = 5.0 * np.random.default_rng(1).normal(size=members.values.shape[1])
    twin = with_means_of(others, members, noise)
    for setting in ("plain", *(f"ridge {ridge:g}" for ridge in RIDGES)):
        means = found(twin, members, nonmembers, reference, "mean_tracing", setting)
        contrasts = found(twin, members, nonmembers, reference, "contrast_tracing", setting)
        assert means < 0.75
        assert contrasts > 0.9


def test_whitening_finds_a_shift_that_correlated_genes_hide():
    """A common factor of all genes makes means noisy in one direction; cut out or damped, the rest tells."""
    rng = np.random.default_rng(2)
    parts = [like(part, part.values + 3 * rng.normal(size=(len(part), 1))) for part in independent()]
    members, nonmembers, reference, others = parts
    twin = with_means_of(others, members)
    assert found(twin, members, nonmembers, reference, "mean_tracing", "plain") < 0.8
    for setting in ("10 factors out", "ridge 1"):
        assert found(twin, members, nonmembers, reference, "mean_tracing", setting) > 0.95


def test_offsets_kept_in_few_directions_are_traced_there():
    """A generator that keeps class means within its leading axes only, and noise elsewhere."""
    rng = np.random.default_rng(3)
    n_genes, n_axes = 400, 20
    basis = np.linalg.qr(rng.normal(size=(n_genes, n_axes)))[0]

    def draw(per_class):
        labels = np.repeat(["a", "b"], per_class)
        factors = 4 * rng.normal(size=(len(labels), n_axes))
        return continuous(factors @ basis.T + rng.normal(size=(len(labels), n_genes)), labels)

    members, nonmembers, reference, others = draw(10), draw(50), draw(100), draw(40)
    kept = with_means_of(others, members).values - others.values
    noise = {name: rng.normal(size=n_genes) for name in "ab"}
    elsewhere = np.array([noise[name] - noise[name] @ basis @ basis.T for name in others.labels])
    twin = like(others, others.values + kept @ basis @ basis.T + elsewhere)
    inside = found(twin, members, nonmembers, reference, "subspace_tracing", "means, 20 axes")
    outside = found(twin, members, nonmembers, reference, "mean_tracing", "ridge 0.1")
    assert inside > 0.75
    assert inside > outside + 0.1


@pytest.mark.parametrize(
    ("n_genes", "n", "m", "n_twin"),
    [
        (500, 50, 50, None),
        (1000, 200, 100, None),
        (1000, 200, 100, 200),
        (300, 20, 400, 30),
        pytest.param(2000, 1000, 300, None, marks=pytest.mark.slow),
        pytest.param(2000, 1000, 500, 300, marks=pytest.mark.slow),
    ],
)
def test_the_area_is_the_one_that_theory_expects(n_genes, n, m, n_twin):
    r"""Mean tracing on a twin of independent standard normal genes around the mean of its members.

    Write a = x − μ_R and b = μ_S − μ_R, with μ_S the members' mean (for N twin samples: plus noise of variance 1/N),
    and keep b fixed, since the attacker judges all targets by one twin and one reference.

    - A non-member is x ~ N(0, I): ⟨a, b⟩ has mean −⟨μ_R, b⟩ and variance ‖b‖².
    - A member is μ_S + r, r ~ N(0, (1 − 1/n) I): ⟨a, b⟩ has mean ⟨μ_S − μ_R, b⟩ and variance (1 − 1/n)‖b‖².

    The means differ by ⟨μ_S, b⟩ = ‖μ_S‖² − ⟨μ_S, μ_R⟩, which is G/n on average, and ‖b‖² is G(1/n + 1/m + 1/N). The
    length ‖a‖ is √(G(1 + 1/m)) on average for both and varies by a share of 1/√(2G) only, so that dividing by it
    changes nothing to this order. Hence AUC = Φ((G/n) / √((2 − 1/n) G (1/n + 1/m + 1/N))).
    """
    areas = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        members, nonmembers, reference = (continuous(rng.normal(size=(size, n_genes))) for size in (n, min(n, 400), m))
        twin = continuous(rng.normal(size=(n_twin or 40, n_genes)))
        twin = continuous(
            twin.values - (twin.values.mean(axis=0) if n_twin is None else 0) + members.values.mean(axis=0)
        )
        areas.append(found(twin, members, nonmembers, reference, "mean_tracing", "plain"))
    error = np.std(areas, ddof=1) / np.sqrt(len(areas))
    assert abs(np.mean(areas) - expected_auc(n_genes, n, m, n_twin or np.inf)) < 3 * error


def test_the_expected_area_by_hand():
    """G = n = m and no noise of a twin: (G/n)/√((2 − 1/n)·2) with n = 1 is 1/√2."""
    assert expected_auc(1, 1, 1) == pytest.approx(0.7602499)
    assert expected_auc(1e-9, 100, 100) == pytest.approx(0.5, abs=1e-5)
    assert expected_auc(20_000, 100, 1000) > 0.999
    assert expected_auc(1000, 100, 100, 100) < expected_auc(1000, 100, 100, 1000) < expected_auc(1000, 100, 100)


def test_what_tracing_needs():
    donors = world(per_class=10, n_genes=60)
    only = donors.targets.subset(donors.targets.labels == "a")
    with pytest.raises(NotApplicableError, match="two classes"):
        get("contrast_tracing").score(View("T1", donors.members, only, donors.reference), "plain")
    one = donors.reference.subset(np.r_[0:10, 10])
    with pytest.raises(NotApplicableError, match="single sample of class 'b'"):
        get("mean_tracing").score(View("T1", donors.members, donors.targets, one), "plain")
    with pytest.raises(NotApplicableError, match="18 directions only"):
        get("subspace_tracing").score(donors.view(donors.members), "means, 20 axes")


def test_factors_are_left_out_of_what_has_more_directions_only():
    """Nothing but rounding would be left of ten genes without ten factors."""
    donors = world(per_class=10, n_genes=10)
    for name, level in (("mean_tracing", "T0"), ("mean_tracing", "T1"), ("contrast_tracing", "T1")):
        with pytest.raises(NotApplicableError, match="no more than 10 directions"):
            get(name).score(donors.view(donors.members, level), "10 factors out")


def test_the_only_target_of_a_class_has_no_others_to_be_held_against():
    donors = world(per_class=10, n_genes=60)
    view = View("T0", donors.members, donors.targets.subset([0, 1, 2, 10]))
    scores = get("mean_tracing").score(view, "plain")
    assert scores[3] == 0
    assert (scores[:3] != 0).all()


def test_three_classes_are_contrasted_with_the_mean_of_the_others():
    rng = np.random.default_rng(4)
    labels = np.repeat(["a", "b", "c"], 6)
    twin, reference, targets = (rng.normal(size=(18, 40)) for _ in range(3))
    view = View("T1", *(continuous(values, labels) for values in (twin, targets, reference)))
    twin, targets, reference = naive_standard(view)
    shifts = {name: (twin[labels == name].mean(axis=0) - reference[labels == name].mean(axis=0)) for name in "abc"}
    expected = []
    for x, name in zip(targets, labels, strict=True):
        people = reference[labels == name]
        shift = np.mean([shifts[name] - shifts[other] for other in "abc" if other != name], axis=0)
        away = x - people.mean(axis=0)
        spread = ((people - people.mean(axis=0)) ** 2).sum(axis=1).mean() * 6 / 5
        by_chance = spread / 6 / np.sqrt(spread * 7 / 6)
        expected.append((away @ shift / np.linalg.norm(away) - by_chance) / np.sqrt(spread))
    np.testing.assert_allclose(get("contrast_tracing").score(view, "plain"), expected, rtol=1e-9, atol=1e-12)


def test_counts_are_traced_on_the_log_scale(counted):
    logs = (
        Samples(side.on_log, side.labels, "continuous") for side in (counted.twin, counted.targets, counted.reference)
    )
    expected = get("mean_tracing").score(View("T1", *logs), "ridge 1")
    np.testing.assert_allclose(get("mean_tracing").score(counted, "ridge 1"), expected, rtol=1e-12)


class OnBasis:
    """A generator that is known to use these axes."""

    def __init__(self, axes):
        self.axes = axes

    def public_axes(self):
        return self.axes


def test_basis_tracing_sees_what_lies_along_the_axes():
    rng = np.random.default_rng(5)
    n, n_genes, k = 150, 400, 5
    axes = np.linalg.qr(rng.standard_normal((n_genes, k)))[0]
    members, others, reference, drawn = (rng.standard_normal((n, n_genes)) for _ in range(4))
    # Of the members the twin has the mean along the axes, and nothing else.
    twin = drawn + (members.mean(axis=0) - drawn.mean(axis=0)) @ axes @ axes.T
    held = [Samples(values, np.full(len(values), "all"), "continuous") for values in (twin, reference)]
    targets = Samples(np.vstack([members, others]), np.full(2 * n, "all"), "continuous")

    def area(known):
        view = View("T2", held[0], targets, held[1], OnBasis(known))
        scores = get("basis_tracing").score(view, "means, 5 axes")
        return auc(scores[:n], scores[n:])

    # Closed form of tracing k independent means of n members with a reference as large.
    assert area(axes) == pytest.approx(expected_auc(k, n, n), abs=0.05)
    elsewhere = np.linalg.qr(np.hstack([axes, rng.standard_normal((n_genes, k))]))[0][:, k:]
    assert abs(area(elsewhere) - 0.5) < 0.08


def test_basis_tracing_needs_a_basis():
    samples = Samples(np.random.default_rng(0).standard_normal((20, 30)), np.full(20, "all"), "continuous")
    for axes, why in ((None, "no public basis"), (np.eye(30)[:, :3], "3 axes of 30 genes")):
        view = View("T2", samples, samples, samples, OnBasis(axes))
        with pytest.raises(NotApplicableError, match=why):
            get("basis_tracing").score(view, "means, 5 axes")
