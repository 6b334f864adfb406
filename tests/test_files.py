import os
import subprocess
import sys
from pathlib import Path

import pytest

from twinseq.errors import OutputError
from twinseq.files import atomic_folder, atomic_path


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def write_half(path: Path, error: BaseException) -> None:
    path.write_text("half")
    raise error


def test_a_file_appears_whole_under_its_name(tmp_path):
    target = tmp_path / "deep" / "er" / "result.csv.gz"
    with atomic_path(target) as temporary:
        assert temporary.name == target.name  # writers choose the format by the suffix
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert everything(tmp_path) == ["deep", "deep/er", "deep/er/result.csv.gz"]


def test_a_file_is_replaced_only_by_a_finished_one(tmp_path):
    target = tmp_path / "result.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_path(target) as temporary:
        write_half(temporary, ZeroDivisionError())
    assert target.read_text() == "old"
    assert everything(tmp_path) == ["result.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_a_failing_writer_leaves_neither_file_nor_folder(tmp_path, error):
    with pytest.raises(error), atomic_path(tmp_path / "a" / "b" / "result.txt") as temporary:
        write_half(temporary, error())
    assert everything(tmp_path) == []


def test_a_folder_replaces_a_folder(tmp_path):
    target = tmp_path / "matrix.mtx"
    target.mkdir()
    (target / "stale").write_text("old")
    with atomic_path(target) as temporary:
        temporary.mkdir()
        (temporary / "fresh").write_text("new")
    assert everything(tmp_path) == ["matrix.mtx", "matrix.mtx/fresh"]


def test_a_file_does_not_replace_a_folder(tmp_path):
    target = tmp_path / "result.csv"
    target.mkdir()
    (target / "kept").write_text("old")
    with pytest.raises(OutputError, match=r"result\.csv.*writing failed"), atomic_path(target) as temporary:
        temporary.write_text("new")
    assert (target / "kept").read_text() == "old"


def test_the_old_folder_comes_back_when_the_new_one_cannot_be_moved(tmp_path, monkeypatch):
    target = tmp_path / "matrix.mtx"
    target.mkdir()
    (target / "kept").write_text("old")
    replace = os.replace

    def fail_on_new(source, destination):
        if "new" in Path(source).parts:
            raise OSError(28, "No space left on device")
        replace(source, destination)

    monkeypatch.setattr(os, "replace", fail_on_new)
    with pytest.raises(OutputError, match="No space left"), atomic_path(target) as temporary:
        temporary.mkdir()
    assert (target / "kept").read_text() == "old"


def test_a_system_error_names_the_target_and_the_remedy(tmp_path):
    with (
        pytest.raises(OutputError, match=r"result\.txt: writing failed \(No space left on device\).*free space"),
        atomic_path(tmp_path / "result.txt") as temporary,
    ):
        write_half(temporary, OSError(28, "No space left on device"))
    assert everything(tmp_path) == []


def test_a_place_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match=r"cannot write there.*choose another"),
        atomic_path(tmp_path / "file" / "x.csv"),
    ):
        pytest.fail("the block must not run")
    assert everything(tmp_path) == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_refused(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(OutputError, match="Permission denied"), atomic_path(closed / "x.csv"):
        pytest.fail("the block must not run")
    with pytest.raises(OutputError, match="Permission denied"), atomic_folder(closed / "x"):
        pytest.fail("the block must not run")


def test_files_of_a_folder_appear_together(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    (target / "kept").write_text("old")
    (target / "a").write_text("old")
    with atomic_folder(target) as scratch:
        (scratch / "a").write_text("new")
        (scratch / "b").write_text("new")
        assert (target / "a").read_text() == "old"
    assert everything(target) == ["a", "b", "kept"]
    assert (target / "a").read_text() == "new"


def test_a_failing_writer_leaves_a_folder_as_it_was(tmp_path):
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "x" / "y") as scratch:
        write_half(scratch / "a", ZeroDivisionError())
    assert everything(tmp_path) == []


def test_a_file_is_no_output_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="is a file"), atomic_folder(tmp_path / "out"):
        pytest.fail("the block must not run")


FULL_DISK = """
import resource, sys
from twinseq import datasets, io
from twinseq.errors import OutputError

cohort = datasets.simulate_cohort(10, 10, 20_000)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    io.write(cohort, sys.argv[1])
except OutputError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["twin.h5ad", "twin.csv", "twin.tsv.gz", "twin.parquet", "twin.mtx"])
def test_a_disk_that_fills_up_leaves_no_half_file(tmp_path, name):
    target = tmp_path / "out" / name
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(target)], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 7, result.stderr
    assert str(target) in result.stdout
    assert "free space" in result.stdout
    assert everything(tmp_path) == []


@pytest.mark.slow
def test_a_full_device_is_reported(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")

    def fill(path: Path) -> None:
        path.symlink_to("/dev/full")
        path.write_text("counts")

    with pytest.raises(OutputError, match="No space left"), atomic_path(tmp_path / "twin.csv") as temporary:
        fill(temporary)
    assert everything(tmp_path) == []
