"""Random numbers that nobody can foresee: each is drawn from the entropy of the operating system.

A stream that hangs on a seed, even on a secret one of 32 or 64 bits, is found by trying all seeds; whoever has it can
take the noise off. Generators of PyTorch and NumPy are such streams. These draws are for DP-SGD, of which OpenDP has
none; they are floating-point numbers, with what that entails (Mironov 2012).
"""

from __future__ import annotations

import math
import os

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]


def uniforms(*shape: int) -> Floats:
    """Return draws from (0, 1), each one of 2⁵³ equidistant numbers."""
    bits = np.frombuffer(os.urandom(8 * math.prod(shape)), dtype=np.uint64) >> np.uint64(11)
    drawn: Floats = (bits.astype(np.float64) + 0.5) * 2.0**-53
    return drawn.reshape(shape)


def normals(*shape: int) -> Floats:
    """Return draws from the standard normal distribution, by its quantile function."""
    drawn: Floats = ndtri(uniforms(*shape))
    return drawn
