"""One unit: a twin made once, judged as often as asked, and failures that are outcomes."""

import dataclasses

import anndata
import pytest

from twinseq.benchmark.grid import read_grid
from twinseq.benchmark.store import Store
from twinseq.benchmark.tasks import parts_of, units
from twinseq.benchmark.work import do, is_done


def test_a_twin_is_made_once_and_judged_as_often_as_asked(small, tmp_path):
    store, unit = Store(tmp_path / "out"), units(small)[0]
    assert not is_done(unit, store)
    fit, audit = do(unit, store.folder)
    assert is_done(unit, store)
    assert (fit.stage, audit.stage, audit.status) == ("fit", "audit", "done")
    assert {row["name"] for row in audit.figures} == {"mmd", "gene_mean_ks"}
    assert (store.report(audit.task) / "report.html").exists()
    made = store.twin(fit.task).stat().st_mtime_ns
    (other,) = [one for one in units(dataclasses.replace(small, metrics=("energy",))) if one.fit_key == unit.fit_key]
    again, judged = do(other, store.folder)
    assert again == fit
    assert [row["name"] for row in judged.figures] == ["energy"]
    assert store.twin(fit.task).stat().st_mtime_ns == made
    twin = anndata.read_h5ad(store.twin(fit.task))
    assert not set(twin.obs_names) & set(parts_of(unit)["train"].adata.obs_names)


def test_splits_deal_donors_anew(small):
    first, other = (parts_of(unit) for unit in units(small)[::2])
    assert set(first) == {"train", "holdout", "reference"}
    donors = [set(part.donors()) for part in first.values()]
    assert len(set.union(*donors)) == sum(map(len, donors))
    assert donors[0] != set(other["train"].donors())


@pytest.mark.parametrize(
    ("generator", "words"),
    [("scdesign2", "UMI counts"), ('{command: "false {train} {twin}"}', "false: ended with 1")],
)
def test_a_failure_is_an_outcome_and_is_tried_again(tmp_path, generator, words):
    path = tmp_path / "grid.yaml"
    path.write_text(
        "cohorts:\n  - simulate: {n_cases: 12, n_controls: 12, n_genes: 30, library_size: 1e9}\n"
        f"generators:\n  - {generator}\nmetrics: [mmd]\nattacks: none\n"
    )
    (unit,) = units(read_grid(path))
    store = Store(tmp_path / "out")
    for _ in range(2):
        (fit,) = do(unit, store.folder)
        assert (fit.stage, fit.status) == ("fit", "failed")
        assert words in fit.error
        assert not is_done(unit, store)
        assert not store.twin(unit.fit_key).exists()


def test_a_copy_of_the_donors_is_judged_like_any_twin(tmp_path):
    path = tmp_path / "grid.yaml"
    path.write_text(
        "cohorts:\n  - simulate: {n_cases: 30, n_controls: 30, n_genes: 60}\n"
        'generators:\n  - {name: copy, command: "cp {train} {twin}"}\nmetrics: none\n'
    )
    (unit,) = units(read_grid(path))
    _, audit = do(unit, tmp_path / "out")
    strongest = [row for row in audit.figures if row["part"] == "headline" and row["group"] == "T1"]
    assert strongest[0]["value"] > 0.95
