"""`marginal_llr` and `marginal_peaks`: value by value, and margins that keep what they were made of."""

import numpy as np
import pytest
from planted_donors import calibrate, like, rows, world
from scipy.stats import nbinom

from twinseq.attacks import NotApplicableError, View, get
from twinseq.attacks._kernels import FLOOR, MOST_SAMPLES, kernel_ratios, of_class


def density(x, points, width):
    """The mean of parabolas of deviation ``width`` around points."""
    reach = np.sqrt(5) * width
    return np.mean([0.75 / reach * max(0.0, 1 - ((x - point) / reach) ** 2) for point in points])


def test_kernels_against_loops():
    rng = np.random.default_rng(0)
    own, other, targets = rng.normal(size=(3, 9)), rng.normal(size=(3, 14)), 1.5 * rng.normal(size=(3, 20))
    expected = np.zeros(20)
    for gene in range(3):
        for target in range(20):
            above = density(targets[gene, target], own[gene], 0.2)
            below = 0.3 * above + 0.7 * density(targets[gene, target], other[gene], 0.5)
            expected[target] += (np.log(above + FLOOR) - np.log(below + FLOOR)) / 3
    found = kernel_ratios(own, other, targets, np.array([0.2, 0.5]), 0.3)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_kernels_keep_their_digits_far_from_zero():
    rng = np.random.default_rng(0)
    own, other, targets = rng.normal(size=(3, 9)), rng.normal(size=(3, 14)), rng.normal(size=(3, 20))
    widths = np.array([0.2, 0.5])
    found = kernel_ratios(own + 1e6, other + 1e6, targets + 1e6, widths, 0.3)
    np.testing.assert_allclose(found, kernel_ratios(own, other, targets, widths, 0.3), atol=1e-7)


def of_classes(view, score):
    """``score(x, twin of the class, reference of the class)`` of every target, on the log scale."""
    return np.array(
        [
            score(x, view.twin.on_log[view.twin.labels == name], view.reference.on_log[view.reference.labels == name])
            for x, name in zip(view.targets.on_log, view.targets.labels, strict=True)
        ]
    )


@pytest.mark.parametrize("kind", ["wide", "counted"])
@pytest.mark.parametrize("width", [0.05, 0.2])
@pytest.mark.parametrize("level", ["T0", "T1"])
def test_marginal_peaks_against_loops(request, kind, width, level):
    view = request.getfixturevalue(kind)

    def score(x, twin, _):
        total = []
        for gene in range(len(x)):
            deviation = twin[:, gene].std(ddof=1)
            if deviation > 1e-9:
                at, points, shrink = x[gene] / deviation, twin[:, gene] / deviation, len(twin) ** -0.2
                narrow, wide = density(at, points, width * shrink), density(at, points, shrink)
                total.append(np.log(narrow + FLOOR) - np.log(wide + FLOOR))
        return np.mean(total)

    expected = of_classes(view, score)
    if level == "T1":
        people = View("T1", view.twin, view.reference, view.reference)
        expected = calibrate(expected, view, of_classes(people, score))
    scores = get("marginal_peaks").score(view.at(level), f"kernel {width:g}")
    np.testing.assert_allclose(scores, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("kind", ["wide", "counted"])
@pytest.mark.parametrize("width", [0.1, 0.3, 1.0])
def test_marginal_llr_against_loops(request, kind, width):
    view = request.getfixturevalue(kind)

    def score(x, twin, people):
        total, n, m = [], len(twin), len(people)
        for gene in range(len(x)):
            own, other = twin[:, gene], people[:, gene]
            squares = ((own - own.mean()) ** 2).sum() + ((other - other.mean()) ** 2).sum()
            deviation = np.sqrt(squares / (n + m - 2))
            if deviation > 1e-9:
                above = density(x[gene] / deviation, own / deviation, width * n**-0.2)
                below = density(x[gene] / deviation, other / deviation, width * m**-0.2)
                mixed = (n * above + m * below) / (n + m)
                total.append(np.log(above + FLOOR) - np.log(mixed + FLOOR))
        return np.mean(total)

    scores = get("marginal_llr").score(view, f"kernel {width:g}")
    np.testing.assert_allclose(scores, of_classes(view, score), rtol=1e-8, atol=1e-10)


def naive_negative_binomial(view):
    scores = []
    for x, name in zip(view.targets.values, view.targets.labels, strict=True):
        twin, people = (side.values[side.labels == name] for side in (view.twin, view.reference))
        both = np.vstack([twin, people])
        shares = [np.mean([row[gene] / row.sum() for row in twin]) for gene in range(len(x))]
        joint = [np.mean([row[gene] / row.sum() for row in both]) for gene in range(len(x))]
        dispersions = {}
        for gene in range(len(x)):
            if joint[gene] > 0:
                means = [row.sum() * joint[gene] for row in both]
                squares = sum((row[gene] - mean) ** 2 - mean for row, mean in zip(both, means, strict=True))
                dispersions[gene] = np.log(np.clip(squares / sum(mean**2 for mean in means), 1e-3, 10))
        middle = np.median(list(dispersions.values()))
        total = []
        for gene, dispersion in dispersions.items():
            size = np.exp(-(dispersion + middle) / 2)
            means = [x.sum() * max(share, 1e-3 * joint[gene]) for share in (shares[gene], joint[gene])]
            likelihoods = [nbinom.logpmf(x[gene], size, size / (size + mean)) for mean in means]
            total.append(likelihoods[0] - likelihoods[1])
        scores.append(np.mean(total))
    return np.array(scores)


def test_negative_binomials_against_scipy(counted):
    scores = get("marginal_llr").score(counted, "negative binomial")
    np.testing.assert_allclose(scores, naive_negative_binomial(counted), rtol=1e-8, atol=1e-10)


def test_genes_that_nobody_expresses_do_not_count(counted):
    """They used to pull the dispersion of all others down."""

    def silent(samples):
        return like(samples, np.hstack([samples.values, np.zeros((len(samples), 200), dtype=int)]))

    longer = View("T1", silent(counted.twin), silent(counted.targets), silent(counted.reference))
    scores = get("marginal_llr").score(counted, "negative binomial")
    np.testing.assert_allclose(get("marginal_llr").score(longer, "negative binomial"), scores, rtol=1e-10)


def test_samples_without_counts_are_borne(counted):
    """Among the few genes that an attacker knows of a target, some samples have none."""

    def emptied(samples):
        values = samples.values.copy()
        values[0] = 0
        return like(samples, values)

    view = View("T1", emptied(counted.twin), emptied(counted.targets), emptied(counted.reference))
    assert np.isfinite(get("marginal_llr").score(view, "negative binomial")).all()


def smoothed(donors, seed=0):
    """A twin from quantile functions through smoothed order statistics, genes drawn independently."""
    rng = np.random.default_rng(seed)
    values = donors.values.copy()
    for name in np.unique(donors.labels):
        mine = np.flatnonzero(donors.labels == name)
        ordered = np.sort(donors.values[mine], axis=0)
        ends = np.vstack([ordered[:1], ordered, ordered[-1:]])
        knots = 0.25 * ends[:-2] + 0.5 * ends[1:-1] + 0.25 * ends[2:]
        places = np.linspace(0, 1, len(mine))
        for gene in range(values.shape[1]):
            values[mine, gene] = np.interp(rng.random(len(mine)), places, knots[:, gene])
    return like(donors, values)


def test_smoothed_quantile_margins_leave_bulges():
    donors = world(per_class=25, n_genes=2500)
    twin = smoothed(donors.members)
    assert donors.auc(twin, "nearest_distance", level="T0") < 0.8
    with pytest.raises(NotApplicableError, match="repeats no value"):
        get("quantile_replay").score(donors.view(twin, "T0"))
    for level in ("T0", "T1"):
        assert max(donors.auc(twin, "marginal_peaks", f"kernel {width}", level) for width in (0.05, 0.1, 0.2)) > 0.8
    assert donors.auc(twin, "marginal_llr", "kernel 0.3") > 0.8


@pytest.mark.parametrize("kind", ["continuous", "counts"])
def test_margins_of_the_members_themselves_are_caught(kind):
    donors = world(kind, 25, 1000)
    for setting in ("kernel 0.3", "kernel 1"):
        assert donors.auc(donors.members, "marginal_llr", setting) > 0.9
    if kind == "counts":
        assert donors.auc(donors.members, "marginal_llr", "negative binomial") > 0.7


def test_of_many_samples_some_are_taken_evenly_whatever_the_order_and_the_units():
    donors = world(per_class=500, n_genes=12)
    side = donors.members
    rng = np.random.default_rng(0)
    taken = of_class(side, "a", "twin")
    assert len(taken) == MOST_SAMPLES
    np.testing.assert_allclose(taken.mean(axis=0), side.values[:500].mean(axis=0), atol=0.1)
    turned = of_class(rows(side, rng.permutation(1000)), "a", "twin")
    np.testing.assert_array_equal(turned, taken)
    scale, shift = np.exp(rng.normal(size=12)), 5 * rng.normal(size=12)
    scale[3], shift[3] = 1000.0, 0.0
    np.testing.assert_allclose(of_class(like(side, side.values * scale + shift), "a", "twin"), taken * scale + shift)
    assert len(of_class(rows(side, np.arange(400)), "a", "twin")) == 400


def test_what_margins_need(wide):
    with pytest.raises(NotApplicableError, match="raw counts"):
        get("marginal_llr").score(wide, "negative binomial")
    one = rows(wide.twin, np.r_[0:14, 14])
    with pytest.raises(NotApplicableError, match=r"the twin has 1 sample\(s\) of class 'b'"):
        get("marginal_peaks").score(View("T0", one, wide.targets), "kernel 0.1")
    flat = like(wide.twin, np.ones_like(wide.twin.values))
    with pytest.raises(NotApplicableError, match="no gene varies in class 'a'"):
        get("marginal_peaks").score(View("T0", flat, wide.targets), "kernel 0.1")
