"""All genes as a binned density: what a cloud of 27,000 points looks like, without the points."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 80


def density(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    x_limits: tuple[float, float],
    y_limits: tuple[float, float],
    source: str,
    most: int,
) -> dict[str, Any]:
    """Return genes per cell of a ``BINS`` × ``BINS`` grid, coloured by the log of their number.

    Parameters
    ----------
    x, y
        One value per gene; what lies outside the limits is drawn at the border.
    x_limits, y_limits
        The grid.
    source
        Whose colours are used.
    most
        Genes in the fullest cell of all panels that are to be compared.
    """
    cells = grid(x, y, x_limits, y_limits)
    step_x = (x_limits[1] - x_limits[0]) / BINS
    step_y = (y_limits[1] - y_limits[0]) / BINS
    rows = cells.astype(int).tolist()
    return {
        "type": "heatmap",
        "x0": x_limits[0] + step_x / 2,
        "dx": step_x,
        "y0": y_limits[0] + step_y / 2,
        "dy": step_y,
        "z": [[round(float(np.log10(n)), 2) if n else None for n in row] for row in rows],
        "customdata": [[n or None for n in row] for row in rows],
        "zmin": 0,
        "zmax": max(0.3, float(np.log10(max(most, 1)))),
        "zsmooth": False,
        "hoverongaps": False,
        "showscale": False,
        "colorscale": [[0, f"var(--{source}-low)"], [1, f"var(--{source}-high)"]],
        "hovertemplate": "%{customdata} genes near (%{x:.1f}, %{y:.1f})<extra></extra>",
    }


def grid(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    x_limits: tuple[float, float],
    y_limits: tuple[float, float],
) -> NDArray[np.float64]:
    """Return the number of genes per cell, ``BINS × BINS``, rows along y."""
    cells, _, _ = np.histogram2d(
        np.clip(y, *y_limits), np.clip(x, *x_limits), bins=BINS, range=[list(y_limits), list(x_limits)]
    )
    counts: NDArray[np.float64] = cells
    return counts


def fullest(*cells: NDArray[np.float64]) -> int:
    """Return the largest number of genes in one cell of several grids."""
    return max((int(cell.max()) for cell in cells if cell.size), default=0)
