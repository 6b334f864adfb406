import numpy as np
import pytest
from scipy import special as scipy_special

from twinseq.de import special

POINTS = np.concatenate([np.logspace(-4, 9, 400), np.arange(1, 40) / 2.0, [15.999999, 16.0, 16.000001]])


@pytest.mark.parametrize(
    ("ours", "trusted"),
    [
        (special.log_gamma, scipy_special.gammaln),
        (special.digamma, scipy_special.digamma),
        (special.trigamma, lambda x: scipy_special.polygamma(1, x)),
    ],
)
def test_matches_scipy(ours, trusted):
    np.testing.assert_allclose([ours(x) for x in POINTS], trusted(POINTS), rtol=2e-13, atol=2e-13)


def test_digamma_minus_log_keeps_its_digits_where_the_difference_is_tiny():
    # psi(x) - log(x) = -1/(2x) - 1/(12 x^2) + O(x^-4)
    x = 1e8
    assert special.digamma_minus_log_series(x) == pytest.approx(-0.5 / x - 1 / (12 * x * x), rel=1e-15)
