"""A small grid, and runs of it."""

from pathlib import Path

import pytest

from twinseq.benchmark.grid import Grid, read_grid

SMALL = """
cohorts:
  - {name: small, simulate: {n_cases: 16, n_controls: 16, n_genes: 40}}
generators:
  - mvn
  - smote
splits: {number: 2}
metrics: [mmd, gene_mean_ks]
attacks: none
"""


@pytest.fixture
def small(tmp_path: Path) -> Grid:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return read_grid(path)
