"""Cohorts left on disk and twins drawn in parts: the same results, and nothing half-written left behind."""

import resource
import signal
import subprocess
import sys

import anndata as ad
import numpy as np
import pytest

import twinseq as ts
from twinseq import files
from twinseq.generators import _frame

from .conftest import everything_in


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a hundred cells, so that a small twin comes in several."""
    monkeypatch.setattr(_frame, "BLOCK_VALUES", 1)
    monkeypatch.setattr(_frame, "FEWEST", 100)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Cells in files, with roles."""
    folder = tmp_path_factory.mktemp("stored")
    cells = ts.datasets.simulate_cells(4, 4, 60, cells_per_donor=30, n_cell_types=2)
    for name in ("cells.h5ad", "cells.zarr"):
        ts.write(cells, folder / name)
    return folder


def test_a_twin_is_the_same_in_memory_and_on_disk(twinseq, stored, tmp_path, small_blocks):
    twins = []
    for source, lazy, target in (
        ("cells.h5ad", "--no-lazy", "twin.h5ad"),
        ("cells.h5ad", "--lazy", "twin.h5ad"),
        ("cells.zarr", "--no-lazy", "twin.zarr"),
        ("cells.zarr", "--lazy", "twin.csv"),
    ):
        words = ("generate", stored / source, "-g", "scdesign2", "--n", 333, lazy, "-o", tmp_path / target)
        ended = twinseq(*words, "--json")
        assert (ended.code, ended.err) == (0, "")
        assert ended.json["samples"] == 333
        assert ended.json["empty_columns"] == ["donor"]
        roles = {"cell_type": "cell_type", "label": "condition", "covariates": ["sex", "age"]}
        twins.append(ts.read(tmp_path / target, **(roles if target.endswith("csv") else {})))
    first = twins[0]
    assert first.adata.X.format == "csr"
    assert len(set(first.adata.obs_names)) == 333
    for twin in twins[1:]:
        np.testing.assert_array_equal(twin.dense(), first.dense())
        assert (twin.classes() == first.classes()).all()
        assert twin.adata.obs_names.tolist() == first.adata.obs_names.tolist()


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
def test_same_seed_same_bytes_whatever_the_workers(twinseq, stored, tmp_path, small_blocks, suffix):
    written = []
    for jobs, seed in ((1, 7), (2, 7), (2, 8)):
        target = tmp_path / f"twin{suffix}"
        twinseq("generate", stored / "cells.h5ad", "-g", "scdesign2", "-o", target, "--jobs", jobs, "--seed", seed)
        written.append(everything_in(target) if target.is_dir() else target.read_bytes())
    assert written[0] == written[1] != written[2]
    assert [path.name for path in tmp_path.iterdir()] == [f"twin{suffix}"]


def test_the_blocks_are_written_as_they_come(twinseq, stored, tmp_path, small_blocks):
    """The result opens in plain anndata, and no block of it is larger than was said."""
    model = ts.generators.create("scdesign2").fit(ts.read(stored / "cells.h5ad"), seed=0)
    blocks = list(model.sample_chunks(1000, seed=1))
    assert {block.n_samples for block in blocks} == {100}
    ended = twinseq("generate", stored / "cells.h5ad", "-g", "scdesign2", "--n", 1000, "-o", tmp_path / "t.h5ad")
    assert "1,000 samples × 60 genes" in ended.out
    adata = ad.read_h5ad(tmp_path / "t.h5ad")
    np.testing.assert_array_equal(adata.X.toarray(), np.concatenate([block.dense() for block in blocks]))
    assert adata.obs["cell_type"].dtype == "category"
    assert list(adata.obs_names[[0, 999]]) == ["twin_0001", "twin_1000"]


@pytest.mark.parametrize("name", ["cells.h5ad", "cells.zarr"])
def test_parts_are_the_same_in_memory_and_on_disk(twinseq, stored, tmp_path, name):
    for folder, lazy in (("a", "--lazy"), ("b", "--no-lazy"), ("a", "--lazy")):  # the last over what is there
        ended = twinseq("split", stored / name, "--fractions", 0.5, 0.5, lazy, "-o", tmp_path / folder, "--json")
        assert (ended.code, ended.err) == (0, "")
    suffix = name.partition(".")[2]
    for part in ("train", "holdout"):
        one, other = (ts.read(tmp_path / folder / f"{part}.{suffix}") for folder in "ab")
        np.testing.assert_array_equal(one.dense(), other.dense())
        assert one.roles() == other.roles()
        assert one.adata.obs_names.tolist() == other.adata.obs_names.tolist()
    donors = [set(ts.read(tmp_path / "a" / f"{part}.{suffix}").donors()) for part in ("train", "holdout")]
    assert len(donors[0] | donors[1]) == 8
    assert not donors[0] & donors[1]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(
        f"{p}.{suffix}" for p in ("train", "holdout")
    )


def test_cells_of_unstated_donors_are_not_split(twinseq, stored, tmp_path):
    cells = ts.read(stored / "cells.h5ad")
    ts.write(ts.Cohort(cells.adata, cell_type="cell_type"), tmp_path / "c.h5ad")
    ended = twinseq("split", tmp_path / "c.h5ad", "-o", tmp_path / "parts")
    assert ended.code == 2
    assert "State the column of the donors (--donor)" in ended.err
    assert not (tmp_path / "parts").exists()


@pytest.mark.parametrize("target", ["twin.h5ad", "twin.zarr"])
def test_a_failure_half_way_leaves_nothing(twinseq, stored, tmp_path, small_blocks, monkeypatch, target):
    draw = ts.generators.get("scdesign2")._sample
    calls = []

    def failing(self, codes, rng, jobs):
        calls.append(len(codes))
        if len(calls) == 4:
            raise files.OutputError("no more")
        return draw(self, codes, rng, jobs)

    monkeypatch.setattr(ts.generators.get("scdesign2"), "_sample", failing)
    before = everything_in(tmp_path)
    words = ("generate", stored / "cells.h5ad", "-g", "scdesign2", "--n", 900, "-o", tmp_path / "new" / target)
    ended = twinseq(*words)
    assert (ended.code, ended.out, ended.err) == (2, "", "Error: no more\n")
    assert everything_in(tmp_path) == before


BLOCKS = "from twinseq.generators import _frame\n_frame.BLOCK_VALUES, _frame.FEWEST = 1, 100\n"
CALL = "from twinseq.cli import main\nmain()"


@pytest.mark.parametrize(("target", "limit"), [("twin.h5ad", 30_000), ("twin.zarr", 3_000)])
def test_a_full_disk_leaves_nothing(stored, tmp_path, target, limit):
    """No file may grow past ``limit`` bytes, as when the disk fills up while blocks are written."""
    words = ("generate", stored / "cells.h5ad", "-g", "scdesign2", "--n", "30000", "-o", tmp_path / target)
    ended = subprocess.run(
        [sys.executable, "-c", BLOCKS.replace("1, 100", "1, 5000") + CALL, *map(str, words)],
        capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    assert ended.stderr.startswith("Error: ")
    assert "writing failed" in ended.stderr
    assert not list(tmp_path.iterdir())


def test_a_signal_half_way_leaves_nothing(stored, tmp_path):
    code = (
        BLOCKS + "import time, twinseq.partswriter as w\nappend = w.PartsWriter.append\n"
        "def slow(self, part):\n    append(self, part)\n    print('written', flush=True)\n    time.sleep(60)\n"
        "w.PartsWriter.append = slow\n" + CALL
    )
    words = ("generate", str(stored / "cells.h5ad"), "-g", "scdesign2", "--n", "1000", "-o", "new/t.h5ad")
    with subprocess.Popen(
        [sys.executable, "-c", code, *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGTERM)
        _, message = process.communicate(timeout=120)
    assert process.returncode == 130
    assert message == "Stopped: nothing half-written was left behind.\n"
    assert not list(tmp_path.iterdir())


def test_input_that_breaks_off_leaves_nothing(twinseq, stored, tmp_path):
    whole = (stored / "cells.h5ad").read_bytes()
    (tmp_path / "c.h5ad").write_bytes(whole[: len(whole) // 2])
    for command in ("generate", "split"):
        ended = twinseq(command, tmp_path / "c.h5ad", "--lazy", "-o", tmp_path / "out.h5ad")
        assert ended.code == 2
        assert "copied whole" in ended.err
        assert [path.name for path in tmp_path.iterdir()] == ["c.h5ad"]


def test_tables_cannot_be_left_on_disk(twinseq, files, tmp_path):
    ended = twinseq("generate", files / "c.csv", "--label", "condition", "--lazy", "-o", tmp_path / "t.h5ad")
    assert (ended.code, ended.out) == (2, "")
    assert "only .h5ad and .zarr can be read in parts" in ended.err


def test_the_list_says_who_learns_in_parts(twinseq):
    rows = {row["name"]: row["in_parts"] for row in twinseq("list", "generators", "--json").json}
    assert rows["scdesign2"]
    assert not rows["mvn"]
    line = next(line for line in twinseq("list", "generators").out.splitlines() if line.startswith("scdesign2"))
    assert "counts, in parts" in line
