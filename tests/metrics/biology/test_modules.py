"""Modules: found, followed, lost."""

import numpy as np
import pytest

from twinseq import metrics
from twinseq.cohort import Cohort
from twinseq.datasets import simulate_cohort
from twinseq.generators import create
from twinseq.metrics import Comparison, NotComputableError, Profiles, Space, network_tables
from twinseq.metrics.biology.modules import (
    Preservation,
    density,
    eigengene_r,
    find_modules,
    module_density_ratio,
    module_zsummary,
    modules_preserved,
    zsummary,
)


def figure(comparison: Comparison, name: str) -> float:
    metric = metrics.get(name)
    return metric.function(*comparison.arguments(metric))


def blocks(sizes: list[int], within: float) -> np.ndarray:
    """Return a correlation matrix with blocks."""
    out = np.zeros((sum(sizes), sum(sizes)))
    for start, size in zip(np.cumsum([0, *sizes]), sizes, strict=False):
        out[start : start + size, start : start + size] = within
    np.fill_diagonal(out, 1.0)
    return out


def test_blocks_are_found_and_small_ones_left_out():
    correlation = blocks([12, 20, 8, *[1] * 30], 0.5)
    found = find_modules(correlation)
    assert [genes.tolist() for genes in found] == [list(range(12, 32)), list(range(12))]
    assert find_modules(blocks([12, 20], 0.2)) == []
    assert find_modules(np.eye(5)) == []


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    """Enough samples that planted modules stand out from chance."""
    return simulate_cohort(n_cases=30, n_controls=40, n_genes=1500, seed=0)


@pytest.fixture(scope="module")
def space(cohort: Cohort) -> Space:
    return Space(cohort)


def test_planted_modules_are_found(space: Space, cohort: Cohort):
    names = cohort.adata.var["module"].astype(str).to_numpy()
    module = names[space.panels["top2000"]]
    planted = [set(np.flatnonzero(module == name)) for name in np.unique(module) if name != "none"]
    found = [set(genes.tolist()) for genes in space.modules]
    overlap = [max(len(genes & other) / len(genes | other) for other in found) for genes in planted if len(genes) > 9]
    assert np.mean(np.array(overlap) > 0.5) > 0.9


def test_density_by_hand():
    block = np.array([[1.0, 0.2, 0.4], [0.2, 1.0, 0.6], [0.4, 0.6, 1.0]])
    assert density(block) == pytest.approx(0.4)


def test_zsummary_agrees_with_the_definition_written_out(rng):
    data = rng.normal(size=(40, 60))
    data[:, :15] += 1.2 * rng.normal(size=(40, 1))
    real = np.corrcoef(data, rowvar=False)
    twin = np.corrcoef(data + 0.5 * rng.normal(size=data.shape), rowvar=False)
    genes = np.arange(15)

    def statistics(chosen):
        pairs = [(i, j) for i in range(15) for j in range(i)]
        theirs = [twin[chosen[i], chosen[j]] for i, j in pairs]
        degree = [sum(twin[chosen[i], chosen[j]] for j in range(15)) for i in range(15)]
        ours = [real[i, j] for i, j in pairs]
        return np.mean(theirs), np.corrcoef(real[:15, :15].sum(0), degree)[0, 1], np.corrcoef(ours, theirs)[0, 1]

    same = np.random.default_rng(4)
    null = np.array([statistics(same.choice(60, 15, replace=False)) for _ in range(100)])
    z = (np.array(statistics(genes)) - null.mean(0)) / null.std(0, ddof=1)
    expected = (z[0] + (z[1] + z[2]) / 2) / 2
    assert zsummary(real, twin, genes, np.random.default_rng(4)) == pytest.approx(expected)
    assert zsummary(real, np.eye(60), genes, rng) == 0.0


def test_figures_by_hand():
    assert module_zsummary(np.array([1.0, 30.0, 12.0])) == 12.0
    assert modules_preserved(np.array([1.0, 30.0, 12.0, 10.0])) == 0.5
    assert module_density_ratio(np.array([0.4, 0.6]), np.array([0.3, 0.5])) == pytest.approx(0.8)
    pairs = np.array([0.1, -0.2, 0.5])
    assert eigengene_r(pairs, 0.5 * pairs) == pytest.approx(1.0)
    with pytest.raises(NotComputableError, match="three modules"):
        eigengene_r(pairs[:1], pairs[:1])


def test_null_modules_hold_together_in_a_second_draw(space: Space):
    other = simulate_cohort(n_cases=30, n_controls=40, n_genes=1500, seed=1)
    null = Comparison(space, space.train, Profiles.of(other, space))
    assert figure(null, "modules_preserved") > 0.9
    assert figure(null, "module_density_ratio") == pytest.approx(1.0, abs=0.1)
    assert figure(null, "eigengene_r") > 0.5


def test_failure_independent_genes_lose_every_module(space: Space, cohort: Cohort):
    twin = Profiles.of(create("independent").fit(cohort, seed=0).sample(seed=1), space)
    bad = Comparison(space, space.train, twin)
    assert figure(bad, "modules_preserved") == 0.0
    assert abs(figure(bad, "module_zsummary")) < 2
    assert abs(figure(bad, "module_density_ratio")) < 0.1
    assert abs(figure(bad, "eigengene_r")) < 0.3


def test_a_good_twin_keeps_the_modules(space: Space, cohort: Cohort):
    twin = Profiles.of(create("copula", preset="faithful").fit(cohort, seed=0).sample(seed=1), space)
    good = Comparison(space, space.train, twin)
    assert figure(good, "modules_preserved") > 0.9
    assert figure(good, "module_density_ratio") > 0.6


def test_without_modules_it_is_said(comparison: Comparison, rng):
    train, twin = comparison.train, comparison.twin
    with pytest.raises(NotComputableError, match="no module of 10 or more genes"):
        Preservation.of(find_modules(np.eye(50)), train, twin, rng)


def test_the_table_follows_each_module(comparison: Comparison):
    table = network_tables.modules(comparison)
    n_modules = len(comparison.space.modules)
    assert table.groupby("source").size().to_dict() == {"holdout": n_modules, "twin": n_modules}
    assert table["n_genes"].min() >= 10
