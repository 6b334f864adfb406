r"""Log-gamma, digamma and trigamma for positive arguments, callable from compiled code.

Each shifts its argument to at least 16 with the recurrence

.. math:: \Gamma(x + 1) = x\,\Gamma(x)

and then sums the asymptotic series of Abramowitz & Stegun (1964), 6.1.41, 6.3.18 and 6.4.12, whose
first neglected term is below 1e-16 there.
"""

import math

from ..kernels import kernel

SERIES_FROM = 16.0
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


@kernel
def digamma_minus_log_series(x: float) -> float:
    r"""Return :math:`\psi(x) - \log x` for ``x >= 16``, without cancellation for large ``x``."""
    z = 1.0 / (x * x)
    tail = z * (1 / 12 - z * (1 / 120 - z * (1 / 252 - z * (1 / 240 - z * (1 / 132)))))
    return -0.5 / x - tail


@kernel
def trigamma_series(x: float) -> float:
    r"""Return :math:`\psi'(x)` for ``x >= 16``."""
    z = 1.0 / (x * x)
    tail = z * (1 / 6 - z * (1 / 30 - z * (1 / 42 - z * (1 / 30 - z * (5 / 66)))))
    return (1.0 + 0.5 / x + tail) / x


@kernel
def log_gamma(x: float) -> float:
    r"""Return :math:`\log\Gamma(x)` for ``x > 0``."""
    product = 1.0
    while x < SERIES_FROM:
        product *= x
        x += 1.0
    z = 1.0 / (x * x)
    tail = (1 / 12 - z * (1 / 360 - z * (1 / 1260 - z * (1 / 1680 - z * (1 / 1188))))) / x
    value = (x - 0.5) * math.log(x) - x + HALF_LOG_2PI + tail
    return value if product == 1.0 else value - math.log(product)


@kernel
def digamma(x: float) -> float:
    r"""Return :math:`\psi(x)`, the derivative of :math:`\log\Gamma(x)`, for ``x > 0``."""
    shift = 0.0
    while x < SERIES_FROM:
        shift += 1.0 / x
        x += 1.0
    return math.log(x) + digamma_minus_log_series(x) - shift


@kernel
def trigamma(x: float) -> float:
    r"""Return :math:`\psi'(x)`, the second derivative of :math:`\log\Gamma(x)`, for ``x > 0``."""
    shift = 0.0
    while x < SERIES_FROM:
        shift += 1.0 / (x * x)
        x += 1.0
    return trigamma_series(x) + shift
