"""Library quality: who gets the zeros, and how sparse genes go with depth."""

import numpy as np
import pytest

from twinseq.generators._margins import LatentProfiles
from twinseq.generators._quality import depth_association, detection_shifts, order_with_depth, zero_mask


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def test_depth_association_is_the_correlation_over_detecting_samples(rng):
    strata = np.repeat([0, 1], [30, 20])
    depth = np.exp2(rng.normal(0, 0.8, 50))
    x = rng.poisson(depth[:, None] * np.r_[[0.3] * 20, [400] * 20] * rng.gamma(5, 0.2, (50, 40)))
    profiles = LatentProfiles(x, depth)
    found = depth_association(profiles, strata, np.log2(depth), jobs=2)
    y, along = profiles.block(slice(None)), np.log2(depth)
    for gene in range(40):
        left, right = [], []
        for stratum in (0, 1):
            live = (strata == stratum) & (x[:, gene] > 0)
            if live.any():
                left.append(y[live, gene] - y[live, gene].mean())
                right.append(along[live] - along[live].mean())
        one, other = np.concatenate(left), np.concatenate(right)
        expected = one @ other / np.sqrt((one @ one) * (other @ other)) if one @ one > 1e-9 else 0.0
        assert found[gene] == pytest.approx(expected, abs=1e-5)
    assert np.median(found[:20]) < -0.7
    assert abs(np.median(found[20:])) < 0.15


def test_detecting_samples_are_put_in_the_asked_order(rng):
    latent, depth = rng.normal(size=(200, 5)), rng.normal(size=200)
    live = rng.random((200, 5)) < [1.0, 0.5, 0.1, 0.01, 0.0]
    asked = np.array([-1.0, -0.6, 0.0, 0.5, 0.5])
    ordered = order_with_depth(latent, live, depth, asked)
    assert np.isfinite(ordered).all()
    for gene in range(3):
        rows = live[:, gene]
        assert np.corrcoef(ordered[rows, gene], depth[rows])[0, 1] == pytest.approx(asked[gene], abs=1e-9)
    rest = [
        x[live[:, 2], 2] - np.polyval(np.polyfit(depth[live[:, 2]], x[live[:, 2], 2], 1), depth[live[:, 2]])
        for x in (latent, ordered)
    ]
    assert np.corrcoef(rest)[0, 1] == pytest.approx(1.0)


def test_zeros_go_where_few_genes_should_be_detected(rng):
    latent = rng.normal(size=(60, 1500))
    zeros = rng.integers(1, 60, 1500)
    strata = np.repeat([0, 1], 30)
    n_zero = np.stack([zeros // 2, zeros - zeros // 2]).clip(0, 29)
    share = rng.uniform(0.3, 0.9, 60)
    detected = np.empty(60)
    for stratum in (0, 1):
        rows = strata == stratum
        total = 1500 * 30 - n_zero[stratum].sum()
        detected[rows] = share[rows] / share[rows].sum() * total
    shifts = detection_shifts(latent, n_zero, detected, 1500, strata)
    for stratum in (0, 1):
        rows = strata == stratum
        mask = zero_mask(latent[rows] + shifts[rows, None], n_zero[stratum])
        np.testing.assert_array_equal(mask.sum(axis=0), n_zero[stratum])
        assert np.corrcoef((~mask).sum(axis=1), detected[rows])[0, 1] > 0.98
