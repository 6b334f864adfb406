r"""Mechanisms: an answer of the data, plus noise from OpenDP, charged to the ledger before anyone sees it.

Answers are rounded to a grid a billionth of the noise wide and get *discrete* Gaussian or Laplace noise, because the
digits of floating-point noise give answers away (Mironov 2012); what rounding adds to the sensitivity is added to the
noise. The noise comes from the operating system's entropy. **No seed has a say in it**: whoever knew the seed could
take it off.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .ledger import GAUSSIAN, LAPLACE, NOISY_MAX, Ledger, LedgerError, Query

Floats = NDArray[np.float64]
GRID = 2**30
"""Grid steps in one unit of noise."""
LARGEST = 2.0**53
"""Beyond this many steps, floating-point numbers are coarser than the grid, and rounding would move answers further."""


def gaussian(values: Floats, sensitivity: float, multiplier: float, ledger: Ledger, measured: str) -> Floats:
    """Return ``values`` with Gaussian noise.

    Parameters
    ----------
    values
        Answer of any shape.
    sensitivity
        By how much one donor can change it, in L2 norm over all its entries.
    multiplier
        Standard deviation of the noise in units of the sensitivity.
    ledger, measured
        Account that is charged, and what for.

    Raises
    ------
    LedgerError
        The noise is not a positive number, or the answer is not finite or too large for its noise.

    References
    ----------
    Canonne, Kamath & Steinke 2020, NeurIPS 33 (discrete Gaussian).
    """
    import opendp.prelude as dp

    # Rounding moves two neighbouring answers apart by at most one step in each entry.
    apart, noise = _with_rounding(sensitivity, multiplier, math.sqrt(np.size(values)))
    whole, step = _on_grid(values, noise)
    ledger.charge(Query(measured, GAUSSIAN, apart, noise))
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T=float)
    drawn = dp.m.make_gaussian(*space, float(GRID))(whole.ravel().tolist())
    return np.asarray(drawn, dtype=np.float64).reshape(whole.shape) * step


def symmetric(matrix: Floats, sensitivity: float, multiplier: float, ledger: Ledger, measured: str) -> Floats:
    """Return a symmetric ``k × k`` matrix with symmetric Gaussian noise.

    ``sensitivity`` is that of the Frobenius norm: at most ``C²`` for a sum of outer products of rows of length ``C``.
    Entries off the diagonal are asked for once, times √2, so that their noise is smaller by √2.
    """
    rows, columns = np.triu_indices(len(matrix))
    stretch = np.where(rows == columns, 1.0, math.sqrt(2.0))
    noisy = gaussian(matrix[rows, columns] * stretch, sensitivity, multiplier, ledger, measured) / stretch
    result = np.empty_like(matrix, dtype=np.float64)
    result[rows, columns] = noisy
    result[columns, rows] = noisy
    return result


def laplace(values: Floats, sensitivity: float, multiplier: float, ledger: Ledger, measured: str) -> Floats:
    """Return ``values`` with Laplace noise of scale ``multiplier × sensitivity``, the sensitivity in L1 norm.

    Raises
    ------
    LedgerError
        As for `gaussian`.
    """
    import opendp.prelude as dp

    apart, noise = _with_rounding(sensitivity, multiplier, np.size(values))
    whole, step = _on_grid(values, noise)
    ledger.charge(Query(measured, LAPLACE, apart, noise))
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64")
    drawn = dp.m.make_laplace(*space, float(GRID))(whole.ravel().tolist())
    return np.asarray(drawn, dtype=np.float64).reshape(whole.shape) * step


def noisy_max(scores: Floats, sensitivity: float, multiplier: float, ledger: Ledger, measured: str) -> int:
    """Return the place of about the largest of ``scores``.

    Parameters
    ----------
    scores
        One for each candidate.
    sensitivity
        By how much one donor can change any one score.
    multiplier
        Scale of the noise in units of the sensitivity: ε is ``2 / multiplier``.
    ledger, measured
        Account that is charged, and what for.

    References
    ----------
    McKenna & Sheldon 2020, NeurIPS 33 (permute-and-flip; OpenDP).
    """
    import opendp.prelude as dp

    apart, noise = _with_rounding(sensitivity, multiplier, 1.0)
    whole, _ = _on_grid(scores, noise)
    ledger.charge(Query(measured, NOISY_MAX, apart, noise))
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.linf_distance(T="i64")
    return int(dp.m.make_noisy_max(*space, dp.max_divergence(), float(GRID))(whole.tolist()))


def clipped(rows: Floats, longest: float) -> Floats:
    """Return ``rows`` (``n × d``), those longer than ``longest`` shortened to that length."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    shorter: Floats = rows * np.minimum(1.0, longest / np.maximum(lengths, 1e-300))
    return shorter


def donor_weights(donors: NDArray[np.str_]) -> Floats:
    """Return a weight for each sample, ``n``, such that those of each donor add up to 1.

    A sum of weighted rows, each at most ``C`` long, then changes by at most ``C`` with a donor, however many samples
    there are of one; and a weighted count of samples is one of donors.
    """
    codes = pd.factorize(donors)[0]
    weights: Floats = 1.0 / np.bincount(codes)[codes]
    return weights


def _with_rounding(sensitivity: float, multiplier: float, steps: float) -> tuple[float, float]:
    """Return sensitivity and noise, their ratio ``multiplier``, of an answer that rounding moves by ``steps``."""
    room = 1.0 - multiplier * steps / GRID
    if not (math.isfinite(sensitivity) and sensitivity > 0 and math.isfinite(multiplier) and multiplier > 0 < room):
        raise LedgerError(f"No noise can be found for a sensitivity of {sensitivity} and {multiplier} times that.")
    return sensitivity / room, sensitivity * multiplier / room


def _on_grid(values: Any, noise: float) -> tuple[NDArray[np.int64], float]:
    """Return ``values`` in whole steps of the grid, and the step."""
    step = noise / GRID
    scaled = np.rint(np.asarray(values, dtype=np.float64) / step)
    if not np.isfinite(scaled).all() or np.abs(scaled).max(initial=0.0) >= LARGEST:
        raise LedgerError("An answer of the data is not finite, or far too large for its noise.")
    return scaled.astype(np.int64), step
