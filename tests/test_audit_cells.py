"""The audit of single cells."""

import dataclasses

import numpy as np
import pytest
from anndata import AnnData

from twinseq import metrics
from twinseq.audit import audit
from twinseq.cohort import Cohort
from twinseq.datasets import simulate_cells
from twinseq.errors import CohortError
from twinseq.measurement_cells import INSTEAD, thinned
from twinseq.metrics._inputs import in_order
from twinseq.results import AuditReport

SIZE = {"n_cases": 4, "n_controls": 4, "n_genes": 300, "cells_per_donor": 60, "n_cell_types": 3}
OF_CELLS = [name for name in metrics.names() if "cells" in metrics.get(name).needs]


@pytest.fixture(scope="module")
def train() -> Cohort:
    return simulate_cells(**SIZE, seed=0)


@pytest.fixture(scope="module")
def holdout() -> Cohort:
    return simulate_cells(**SIZE, seed=1)


@pytest.fixture(scope="module")
def twin() -> Cohort:
    """Yet other donors of the population: the perfect twin."""
    return simulate_cells(**SIZE, seed=2)


@pytest.fixture(scope="module")
def report(train: Cohort, twin: Cohort, holdout: Cohort) -> AuditReport:
    return audit(train, twin, holdout=holdout, attacks=False)


def test_every_metric_of_cells_is_given_with_ceiling_and_floor(report: AuditReport):
    for name in OF_CELLS:
        metric = metrics.get(name)
        result = report[name]
        assert metric.bounds[0] <= result.value <= metric.bounds[1]
        assert result.ceiling is not None, name
        assert result.floor is not None, name
    assert report["lisi"].n == report.provenance["cohorts"]["twin"]["cells"]


def test_a_perfect_twin_is_near_the_ceiling_and_far_from_the_floor(report: AuditReport):
    for name in OF_CELLS:
        result = report[name]
        if name in ("copied_cells", "donor_composition_distance"):
            continue
        assert abs(result.value - result.ceiling) < 0.5 * abs(result.floor - result.ceiling), name


def test_copies_are_caught(train: Cohort, holdout: Cohort):
    copied = audit(train, train, holdout=holdout, metrics=["copied_cells"])["copied_cells"]
    assert copied.value == 1
    assert copied.ceiling == 0
    assert copied.floor == 1


def test_metrics_made_for_samples_are_left_out_with_a_reason(report: AuditReport):
    reasons = {item.name: item.reason for item in report.omitted}
    assert reasons["de_recall"] == INSTEAD["biology"]
    assert reasons["dcr_median"] == INSTEAD["privacy"]
    assert not any("unexpected" in reason for reason in reasons.values())
    assert {"library_size_ks", "c2st_auc_logistic", "covariate_tv_mean"} <= {item.name for item in report.metrics}
    assert {"cell_map", "cell_composition", "cell_markers", "cell_moments", "library_size"} <= set(report.tables)
    assert "de_genes" not in report.tables


def test_sizes_are_of_cells_and_donors(report: AuditReport, train: Cohort):
    described = report.provenance["cohorts"]["train"]
    assert described == {"cells": train.n_samples, "donors": 8, "genes": 300}


def test_the_order_of_cells_and_genes_changes_nothing(train: Cohort, twin: Cohort, holdout: Cohort):
    rng = np.random.default_rng(5)

    def mixed(cohort: Cohort) -> Cohort:
        rows, columns = rng.permutation(cohort.n_samples), rng.permutation(cohort.n_genes)
        return cohort.with_adata(cohort.adata[rows][:, columns].copy())

    chosen = [*OF_CELLS, "library_size_ks", "c2st_auc_logistic"]
    straight = audit(train, twin, holdout=holdout, metrics=chosen)
    turned = audit(mixed(train), mixed(twin), holdout=mixed(holdout), metrics=chosen)
    assert len(straight.metrics) == len(chosen)
    for a, b in zip(straight.metrics, turned.metrics, strict=True):
        assert (a.name, a.value, a.ceiling) == (b.name, b.value, b.ceiling)


def test_without_a_holdout_two_halves_are_the_ceiling(train: Cohort, twin: Cohort):
    alone = audit(train, twin, metrics=["lisi", "cell_type_tstr"])
    assert "two halves" in alone["lisi"].ceiling_source
    assert alone["lisi"].ceiling is not None
    assert [item.name for item in alone.omitted] == ["cell_type_tstr"]


def test_one_cell_type_is_no_obstacle(train: Cohort, twin: Cohort, holdout: Cohort):
    def lone(cohort: Cohort) -> Cohort:
        return cohort.subset(np.flatnonzero(cohort.obs["cell_type"] == "type1"))

    found = audit(lone(train), lone(twin), holdout=lone(holdout), attacks=False)
    reasons = {item.name: item.reason for item in found.omitted if item.group in ("cells", "tables")}
    assert "one cell type" in reasons["cluster_ari"]
    assert "single type" in reasons["marker_overlap"]
    assert not any("unexpected" in reason for reason in reasons.values())
    assert found["lisi"].value > 0.5
    assert found["cell_gene_mean"].value > 0.9


def test_a_twin_without_a_type_is_measured(train: Cohort, twin: Cohort, holdout: Cohort):
    types = twin.obs["cell_type"].astype(str).to_numpy()
    found = audit(train, twin.subset(np.flatnonzero(types != "type3")), holdout=holdout, metrics=OF_CELLS)
    assert len(found.metrics) == len(OF_CELLS)
    assert found["cell_gene_mean"].value < 0.7
    assert found["composition_distance"].value > 0.1


def test_continuous_cells_have_no_zeros_to_compare(train: Cohort, twin: Cohort, holdout: Cohort):
    from twinseq.metrics.cells import log_normalised

    def continuous(cohort: Cohort) -> Cohort:
        adata = AnnData(log_normalised(cohort).toarray().astype(np.float64), obs=cohort.obs, var=cohort.adata.var[[]])
        return dataclasses.replace(cohort, adata=adata, kind="continuous")

    found = audit(*map(continuous, (train, twin)), holdout=continuous(holdout), metrics=["lisi", "cell_gene_zeros"])
    assert [item.reason for item in found.omitted] == ["needs raw counts; these profiles are continuous"]
    assert found["lisi"].value > 0.5


def test_cells_without_types_or_with_unknown_ones_are_refused(train: Cohort, twin: Cohort):
    nameless = dataclasses.replace(twin, cell_type=None)
    nameless = nameless.with_adata(twin.adata[:, :].copy())
    del nameless.adata.obs["cell_type"]
    with pytest.raises(CohortError, match="no column 'cell_type'"):
        audit(train, nameless, metrics=["lisi"])
    strange = twin.with_adata(twin.adata.copy())
    strange.adata.obs["cell_type"] = strange.adata.obs["cell_type"].astype(str).replace("type1", "typo")
    with pytest.raises(CohortError, match="cell type 'typo'"):
        audit(train, strange, metrics=["lisi"])


def test_shared_cells_are_refused(train: Cohort, twin: Cohort, holdout: Cohort):
    counts = holdout.adata.X.tolil()
    counts[3] = train.adata.X[5]
    leaky = holdout.with_adata(AnnData(counts.tocsr(), obs=holdout.obs, var=holdout.adata.var[[]]))
    with pytest.raises(CohortError, match=r"1 cell\(s\) of the holdout set equal"):
        audit(train, twin, holdout=leaky, metrics=["lisi"])


def test_thinning_keeps_shares_and_every_class():
    classes = np.repeat(["a", "b", "c"], [7000, 2999, 1])
    rows = thinned(classes, 1000, np.random.default_rng(0))
    counts = {name: int((classes[rows] == name).sum()) for name in "abc"}
    assert counts == {"a": 700, "b": 300, "c": 1}
    assert len(np.unique(rows)) == len(rows)


def test_a_cohort_without_cell_types_says_what_is_missing(train: Cohort, twin: Cohort):
    bulk = [dataclasses.replace(cohort, cell_type=None) for cohort in (train, twin)]
    found = audit(*bulk, metrics=["lisi"])
    assert "--cell-type" in found.omitted[0].reason


def test_cells_on_disk_give_the_figures_of_cells_in_memory(train: Cohort, twin: Cohort, holdout: Cohort, tmp_path):
    import twinseq as ts

    def stored(cohort: Cohort, name: str) -> Cohort:
        path = tmp_path / f"{name}.h5ad"
        # Sorted as the audit sorts cells in memory, since those on disk keep their order.
        in_order(cohort, cohort).adata.write_h5ad(path)
        roles = {"label": "condition", "donor": "donor", "cell_type": "cell_type", "covariates": ["sex", "age"]}
        return ts.read(path, **roles, lazy=True)

    sides = [stored(cohort, name) for cohort, name in ((train, "train"), (twin, "twin"), (holdout, "holdout"))]
    assert all(side.lazy for side in sides)
    lazy = audit(*sides[:2], holdout=sides[2], attacks=False)
    eager = audit(train, twin, holdout=holdout, attacks=False)
    assert [item.name for item in lazy.metrics] == [item.name for item in eager.metrics]
    for a, b in zip(lazy.metrics, eager.metrics, strict=True):
        assert a.value == pytest.approx(b.value, rel=1e-9), a.name
    assert set(lazy.tables) == set(eager.tables)
