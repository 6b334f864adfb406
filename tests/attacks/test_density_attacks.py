"""`domias_kde` and `gaussian_lrt`: explicit densities and dense covariances, and densities that members have raised."""

import numpy as np
import pytest
from planted_donors import like, naive_standard, together, world
from scipy.stats import multivariate_normal

from twinseq.attacks import NotApplicableError, View, get


def test_domias_against_scipy(held):
    """A mixture of normals around the samples, in the joint principal space with unit variances."""
    k = 20
    twin, targets, reference = naive_standard(held)
    joint = np.vstack([twin, reference])
    centre = joint.mean(axis=0)
    _, sizes, axes = np.linalg.svd(joint - centre, full_matrices=False)
    scale = sizes[:k] / np.sqrt(len(joint) - 1)
    twin, targets, reference = ((values - centre) @ axes[:k].T / scale for values in (twin, targets, reference))

    def density(x, points):
        bandwidth = len(points) ** (-1 / (k + 4))
        return np.mean([multivariate_normal.pdf(x, mean=point, cov=bandwidth**2 * np.eye(k)) for point in points])

    expected = [np.log(density(x, twin)) - np.log(density(x, reference)) for x in targets]
    np.testing.assert_allclose(get("domias_kde").score(held, f"{k} axes"), expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("rank", [0, 5, 20])
def test_gaussian_lrt_against_dense_covariances(held, rank):
    twin, targets, reference = naive_standard(held)
    sides = [(twin, held.twin.labels), (reference, held.reference.labels)]
    covariances, noises = [], []
    for values, labels in sides:
        left = np.concatenate([values[labels == name] - values[labels == name].mean(axis=0) for name in "ab"])
        covariances.append(left.T @ left / (len(left) - 2))
        noises.append(np.linalg.eigvalsh(covariances[-1])[::-1][rank:].sum() / (twin.shape[1] - rank))
    noise = np.mean(noises)
    precisions = []
    for covariance in covariances:
        values, axes = np.linalg.eigh(covariance)
        values[: len(values) - rank] = noise
        precisions.append(np.linalg.inv(axes @ np.diag(np.maximum(values, noise)) @ axes.T))
    expected = []
    for x, name in zip(targets, held.targets.labels, strict=True):
        means = [values[labels == name].mean(axis=0) for values, labels in sides]
        people = reference[held.reference.labels == name] - means[1]
        n, m = (held.twin.labels == name).sum(), len(people)
        lengths = []
        for mean, precision, size in zip(means, precisions, (n, m), strict=True):
            unbiased = np.mean([row @ precision @ row for row in people]) * m / (m - 1)
            lengths.append((x - mean) @ precision @ (x - mean) - unbiased / size)
        expected.append((lengths[1] - lengths[0]) / 2)
    np.testing.assert_allclose(get("gaussian_lrt").score(held, f"rank {rank}"), expected, rtol=1e-7, atol=1e-7)


def test_copies_raise_the_density_around_members():
    donors = world()
    for k in (20, 50, 150):
        assert donors.auc(donors.members, "domias_kde", f"{k} axes") == 1.0
    assert donors.auc(donors.members, "gaussian_lrt", "rank 50") > 0.99


def test_noisy_copies_are_caught_where_distances_are_blurred():
    donors = world()
    rng = np.random.default_rng(0)
    crowd = together(*[donors.members] * 3)
    twin = like(crowd, crowd.values + 0.5 * donors.members.values.std(axis=0) * rng.normal(size=crowd.values.shape))
    assert donors.auc(twin, "domias_kde", "50 axes") > 0.95
    assert donors.auc(twin, "gaussian_lrt", "rank 50") > 0.95


def test_ratios_stay_finite_where_densities_underflow():
    """A target 10 deviations off in every gene has density exp(−50 × 150) under either side."""
    donors = world()
    values = donors.targets.values.copy()
    values[0] += 1e4
    view = View("T1", donors.members, like(donors.targets, values), donors.reference)
    for k in (20, 150):
        assert np.isfinite(get("domias_kde").score(view, f"{k} axes")).all()


def test_what_densities_need():
    donors = world(per_class=10, n_genes=40)
    view = donors.view(donors.members)
    with pytest.raises(NotApplicableError, match="vary in 39 directions only"):
        get("domias_kde").score(view, "50 axes")
    with pytest.raises(NotApplicableError, match="no more than 20 directions"):
        get("gaussian_lrt").score(view, "rank 20")
    one = donors.reference.subset(np.r_[0:10, 10])
    with pytest.raises(NotApplicableError, match="single sample of class 'b'"):
        get("gaussian_lrt").score(View("T1", donors.members, donors.targets, one), "rank 0")
