"""`share-copula`: what its noise moves and what it leaves, and what few directions carry."""

import dataclasses

import numpy as np
import pytest

from twinseq import generators
from twinseq.errors import ConfigError
from twinseq.generators._limited import Limits, _shared, blurred, limited_normals

PLAIN = Limits(3, 2, 0, 1.0, 0.0, 0.0, 0.0, 0.0)
N_GENES = 80


def planted(sizes: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return samples, their classes and the true class means: each class but the first is moved in genes of its own."""
    truth = np.random.default_rng(3)
    means = 8 + truth.standard_normal(N_GENES) + np.zeros((len(sizes), 1))
    for code in range(1, len(sizes)):
        means[code, 10 * code : 10 * code + 10] += 2.0
    factor = truth.standard_normal((2, N_GENES))
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    x = means[codes] + rng.standard_normal((len(codes), 2)) @ factor + 0.5 * rng.standard_normal((len(codes), N_GENES))
    return x, codes, means


def contrast_r(found: np.ndarray, truth: np.ndarray, code: int) -> float:
    return float(np.corrcoef(found[code] - found[0], truth[code] - truth[0])[0, 1])


def test_planted_contrasts_and_spreads_come_back():
    x, codes, truth = planted((200, 200, 200))
    model = limited_normals(x, codes, dataclasses.replace(PLAIN, factors=5, within=5), np.random.default_rng(0))
    assert min(contrast_r(model.means, truth, code) for code in (1, 2)) > 0.97
    spread = np.sqrt((model.loadings**2).sum(axis=0) + model.noise)
    assert np.abs(spread / (x - truth[codes]).std(axis=0) - 1).max() < 0.1


def test_noise_on_the_mean_moves_all_classes_alike():
    x, codes, _ = planted((60, 60))
    still, moved = (
        limited_normals(x, codes, dataclasses.replace(PLAIN, mean_noise=noise), np.random.default_rng(1)).means
        for noise in (0.0, 9.0)
    )
    assert np.abs(moved - still).mean() > 0.3
    np.testing.assert_allclose(moved[1] - moved[0], still[1] - still[0], atol=1e-9)


def test_even_weights_find_what_sets_a_rare_class_apart():
    x, codes, truth = planted((300, 300, 15))
    found = [
        limited_normals(x, codes, dataclasses.replace(PLAIN, evenness=evenness), np.random.default_rng(0)).means
        for evenness in (0.0, 1.0)
    ]
    by_size, alike = (contrast_r(means, truth, 2) for means in found)
    assert alike > by_size + 0.2


def test_one_step_carries_all_that_varies_with_the_directions():
    rng = np.random.default_rng(0)
    inside = rng.standard_normal((200, 12)) @ rng.standard_normal((12, N_GENES)) + rng.standard_normal((200, N_GENES))
    axes = np.linalg.qr(rng.standard_normal((N_GENES, 3)))[0].T
    exact = axes @ inside.T @ inside / 200
    found = []
    for reach in (0, 1):
        loadings = _shared(inside, axes, 200, dataclasses.replace(PLAIN, within=6, reach=reach))
        found.append(axes @ loadings.T @ loadings)
        np.testing.assert_allclose(found[-1] @ axes.T, exact @ axes.T)
    assert np.abs(found[0] - exact).mean() > 0.3 * np.abs(exact).mean()
    np.testing.assert_allclose(found[1], exact)


def test_noise_on_offsets_has_the_stated_size_and_shape():
    variances, sizes = np.array([9.0, 1.0]), np.array([4.0, 16.0])
    rng = np.random.default_rng(0)
    drawn = np.stack([blurred(variances, sizes, 2.0, rng) for _ in range(4000)])
    size = (drawn**2).mean(axis=0)
    np.testing.assert_allclose(size.sum(axis=1), 4.0 * variances.sum() / sizes, rtol=0.06)
    np.testing.assert_allclose(size[:, 0] / size[:, 1], 3.0, rtol=0.12)  # as the roots of the variances


@pytest.mark.parametrize(
    "wrong",
    [{"factors": 0}, {"within": -1}, {"reach": -1}, {"evenness": 2.0}, {"mean_noise": -1.0}, {"offset_noise": -0.1}],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match=f"share-copula: {next(iter(wrong))} must"):
        generators.create("share-copula", **wrong)
