"""A small grid, and runs of it."""

from pathlib import Path

import pytest
import yaml

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


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """`grids/quick.yaml` with its generators, metrics, attacks and policies, on one cohort of few people and genes."""
    content = yaml.safe_load((Path(__file__).parents[2] / "grids" / "quick.yaml").read_text(encoding="utf-8"))
    cohort = content["cohorts"][0]
    cohort["simulate"] |= {"n_cases": 24, "n_controls": 24, "n_genes": 60}
    path = tmp_path / "quick.yaml"
    path.write_text(yaml.safe_dump({**content, "cohorts": [cohort], "splits": {**content["splits"], "number": 1}}))
    return path
