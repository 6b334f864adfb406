"""Attacks on twins of single cells: closed forms, members caught by donor, strangers left alone."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import multivariate_normal, nbinom

from twinseq import attacks, generators
from twinseq.attacks import NotApplicableError, Samples, View
from twinseq.attacks._copula import Normal, frequent, mid_distribution
from twinseq.attacks._count_ratio import log_ratio
from twinseq.attacks.composition import dirichlet_multinomial
from twinseq.attacks.pseudobulk_tracing import pseudobulks
from twinseq.attacks.roc import auc
from twinseq.datasets import simulate_cells
from twinseq.knowledge import KnownGenerator, KnownModel
from twinseq.redteam.trial import Trial, available, score

CELLS = [name for name in attacks.names() if attacks.get(name).cells]


@cache
def parts(seed: int = 0):
    """Few members, whose twin keeps much of each, non-members, a reference and strangers."""
    cohort = simulate_cells(24, 24, 200, seed=seed, cells_per_donor=60, n_cell_types=2, depth=2_000, donor_sd=0.4)
    return cohort.split((0.125, 0.375, 0.25, 0.125), seed=seed)


@cache
def trial(of: str, seed: int = 0) -> Trial:
    members, others, reference, strangers = parts(seed)
    source = strangers if of == "strangers" else members
    model = generators.create("bootstrap" if of == "copies" else "scdesign2").fit(source, seed=1)
    return Trial.of(model.sample(seed=2), members, others, reference, seed=3)


def areas(held: Trial, *names: str) -> dict:
    found = score(held, [key for key in available(held) if key[0] in names and key[1] <= "T1"])
    member = held.is_member
    return {key: auc(column[member], column[~member]) for key, column in zip(found.keys, found.values.T, strict=True)}


def test_the_view_knows_types_and_people():
    view = trial("members").view
    assert view.targets.cells
    assert view.twin.cells
    assert view.twin.people is None
    assert set(np.unique(view.targets.labels)) == set(parts()[0].classes())
    assert view.targets.people.tolist() == trial("members").donors.tolist()
    assert view.targets.subset(np.array([3, 5])).people.tolist() == view.targets.people[[3, 5]].tolist()
    assert view.targets.genes(np.arange(5)).people is view.targets.people


@pytest.mark.parametrize(
    ("name", "least"),
    [("copula_llr", 0.95), ("copula_mahalanobis", 0.9), ("marginal_llr", 0.85), ("pseudobulk_tracing", 0.85)],
)
@pytest.mark.parametrize("of", ["members", "copies"])
def test_members_of_a_small_twin_are_named(of, name, least):
    found = areas(trial(of), name)
    assert max(found.values()) >= least


@pytest.mark.parametrize("name", [*CELLS, "marginal_llr"])
def test_a_twin_of_strangers_names_nobody(name):
    """Means over several worlds, since donors are few: each setting by itself stays near one half."""
    every = [areas(trial("strangers", seed), name) for seed in range(4)]
    for key in every[0]:
        assert np.mean([found[key] for found in every]) == pytest.approx(0.5, abs=0.21), key


def test_mid_distribution_is_the_mean_of_both_sides_of_a_step():
    values = np.array([[0], [0], [2], [5]])
    at = np.array([[0], [1], [2], [9]])
    assert mid_distribution(values, at)[:, 0] == pytest.approx((np.array([1.0, 2.0, 2.5, 4.0]) + 0.5) / 5)


def test_mid_distribution_of_continuous_values_gives_normal_scores():
    values = np.random.default_rng(0).normal(3, 2, (20_000, 1))
    scores = ndtri(mid_distribution(values, values))[:, 0]
    assert scores == pytest.approx((values[:, 0] - 3) / 2, abs=0.35)
    assert np.corrcoef(scores, values[:, 0])[0, 1] > 0.999


@pytest.mark.parametrize("shrinkage", [0.0, 0.3])
def test_log_density_is_that_of_a_multivariate_normal(shrinkage):
    rng = np.random.default_rng(1)
    scores, at = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4)), rng.normal(size=(7, 4))
    fitted = Normal.of(scores, shrinkage, scores.var(axis=0))
    covariance = np.cov(scores.T, bias=True)
    covariance = (1 - shrinkage) * covariance + shrinkage * np.diag(np.diag(covariance))
    expected = multivariate_normal(scores.mean(axis=0), covariance).logpdf(at)
    assert fitted.log_density(at) == pytest.approx(expected + 2 * np.log(2 * np.pi))


def test_a_singular_correlation_and_a_constant_gene_are_no_trouble():
    scores = np.random.default_rng(2).normal(size=(3, 6))
    scores[:, 0] = 1.0
    fitted = Normal.of(scores, 0.1, np.ones(6))
    assert np.isfinite(fitted.log_density(np.zeros((2, 6)))).all()


def test_genes_are_taken_by_their_zeros():
    twin = np.array([[0, 1, 0], [1, 1, 0], [1, 1, 0], [1, 1, 1]])
    people = np.array([[1, 0, 1], [1, 1, 1]])
    assert frequent([twin, people], 0.6).tolist() == [0, 1]
    with pytest.raises(NotApplicableError, match="fewer than two"):
        frequent([twin, people], 0.3)


def test_sparse_ratio_is_that_of_two_negative_binomials():
    rng = np.random.default_rng(3)
    twin, people = rng.poisson(2.0, (400, 3)), rng.poisson(1.0, (500, 3))
    x = np.array([[0, 1, 2], [4, 0, 7]])
    rates = [(side.sum(axis=0) + 1) / len(side) for side in (twin, people)]
    joint = (twin.sum(axis=0) + people.sum(axis=0)) / 900
    rates = [joint * (side.sum(axis=0) + 1) / (joint * len(side) + 1) for side in (twin, people)]
    excess = sum(((side - rate) ** 2 - rate).sum(axis=0) for side, rate in zip((twin, people), rates, strict=True))
    squares = sum(len(side) * rate**2 for side, rate in zip((twin, people), rates, strict=True))
    size = np.clip(squares / np.maximum(excess, squares / 1e3), 0.1, 1e3)
    logs = [nbinom.logpmf(x, size, size / (size + rate)).sum(axis=1) for rate in rates]
    assert log_ratio(twin, people, x, depth=True) == pytest.approx(logs[0] - logs[1])


def test_dirichlet_multinomial_is_the_product_of_draws_one_by_one():
    alpha, counts = np.array([0.5, 2.0, 1.0]), np.array([[2, 0, 1], [0, 3, 0]])
    for row, found in zip(counts, dirichlet_multinomial(counts.astype(float), alpha), strict=True):
        urn, log = alpha.copy(), 0.0
        for kind, number in enumerate(row):
            for _ in range(number):
                log += np.log(urn[kind] / urn.sum())
                urn[kind] += 1
        assert found == pytest.approx(log)


def test_composition_tells_two_members_who_share_what_nobody_else_has():
    rng = np.random.default_rng(4)

    def cells(shares, prefix):
        labels = [rng.choice(["t1", "t2", "t3"], 40, p=share) for share in shares]
        people = np.repeat([f"{prefix}{number}" for number in range(len(shares))], 40)
        return Samples(rng.poisson(1, (len(people), 3)), np.concatenate(labels), "counts", people=people, cells=True)

    members = cells([[0.1, 0.1, 0.8]] * 2, "m")
    targets = members.joined(cells(rng.dirichlet([4, 4, 2], 8), "n"))
    view = View("T1", members, targets, cells(rng.dirichlet([4, 4, 2], 10), "r"))
    scores = attacks.get("composition").score(view)
    assert scores[:80].min() > scores[80:].max()
    assert len(np.unique(scores)) <= 10


def test_pseudobulks_are_means_of_people_and_types():
    view = trial("members").view
    found = pseudobulks(view.targets, view.targets.people)
    rows = (view.targets.people == found.people[3]) & (view.targets.labels == found.labels[3])
    assert found.cells[3] == rows.sum()
    assert found.values[3] == pytest.approx(view.targets.on_log[rows].mean(axis=0))
    assert found.cells.sum() == len(view.targets)


@pytest.mark.parametrize("name", CELLS)
def test_bulk_profiles_and_unknown_people_are_told(name):
    rng = np.random.default_rng(5)
    side = Samples(rng.poisson(5, (20, 10)), np.repeat(["a", "b"], 10), "counts")
    with pytest.raises(NotApplicableError):
        attacks.get(name).score(View("T1", side, side, side), next(iter(attacks.get(name).settings)))


@pytest.mark.parametrize("name", ["copula_llr", "copula_mahalanobis", "pseudobulk_tracing"])
def test_a_type_that_a_side_lacks_is_named(name):
    view = trial("members").view
    gone = view.twin.labels[0]
    lacking = View("T1", view.twin.subset(view.twin.labels != gone), view.targets, view.reference)
    with pytest.raises(NotApplicableError, match=str(gone).replace("/", ".")):
        attacks.get(name).score(lacking, list(attacks.get(name).settings)[-1])


class Blurring:
    """A generator that resamples cells and moves the mean of some genes at random, known to its attackers."""

    def __init__(self, blurred, factor):
        self.blurred, self.factor = blurred, factor

    def fit(self, samples, seed):
        rng = np.random.default_rng([seed, 5])
        values = samples.values.astype(float)
        values[:, self.blurred] *= np.exp(self.factor * rng.standard_normal(self.blurred.sum()))
        self.cells = Samples(rng.poisson(values), samples.labels, "counts", cells=True)
        return self

    def draw(self, labels, seed):
        rng = np.random.default_rng([seed, 6])
        rows = [rng.choice(np.flatnonzero(self.cells.labels == name)) for name in labels]
        return Samples(self.cells.values[rows], np.asarray(labels), "counts", cells=True)


def test_who_knows_which_genes_are_blurred_gives_them_no_say():
    """Three genes in four are drowned in noise: tracing all of them fails, and tracing the others does not."""
    members, others, reference, _ = parts()
    trial = Trial.of(members, members, others, reference)
    defence = Blurring(np.arange(200) % 4 > 0, 2.0)
    labels = trial.view.reference.labels
    blind, knowing = [], []
    for seed in range(3):
        twin = defence.fit(replace(trial.view.targets.subset(trial.member), log=None, reference=None), seed)
        drawn = twin.draw(labels, seed)
        view = View("T2", drawn, trial.view.targets, trial.view.reference, generator=defence, seed=seed)
        for name, level, found in (("pseudobulk_tracing", "T1", blind), ("denoised_tracing", "T2", knowing)):
            column = trial.by_donor(attacks.get(name).score(view.at(level), "ridge 1"))
            found.append(auc(column[trial.is_member], column[~trial.is_member]))
    assert np.mean(knowing) > 0.8
    assert np.mean(knowing) > np.mean(blind) + 0.05


@pytest.mark.parametrize("name", ["copula_llr", "copula_mahalanobis"])
def test_a_model_in_hand_names_members_too(name):
    members, others, reference, _ = parts()
    model = generators.create("scdesign2").fit(members, seed=1)
    known = KnownModel(model, None, members.genes)
    held = Trial.of(model.sample(seed=2), members, others, reference, KnownGenerator("scdesign2"), known, seed=3)
    found = score(held, [key for key in available(held) if key[0] == name and key[1] == "T3"])
    member = held.is_member
    assert max(auc(column[member], column[~member]) for column in found.values.T) > 0.9
