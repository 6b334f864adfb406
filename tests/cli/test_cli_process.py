"""The command line as a process of its own: exit codes, pipes, signals, full disks, odd terminals."""

import os
import pty
import re
import resource
import signal
import subprocess
import sys
import time

import pytest

import twinseq as ts

from .conftest import everything_in

TWINSEQ = [sys.executable, "-m", "twinseq"]


def run(*words: object, python: tuple[str, ...] = (), env: dict[str, str] | None = None, **options):
    """Run ``python -m twinseq`` and return how it ended."""
    command = [sys.executable, *python, "-m", "twinseq", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})}, **options
    )


def test_both_ways_to_call_it():
    installed = subprocess.run(["twinseq", "--version"], capture_output=True, text=True, check=False, env=own_path())
    assert installed.stdout == run("--version").stdout == f"twinseq {ts.__version__}\n"


def own_path() -> dict[str, str]:
    return {**os.environ, "PATH": f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"}


def test_help_and_lists_load_little():
    code = (
        "import sys\nfrom twinseq.cli import main\n"
        "try:\n    main(['-h'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'pandas', 'anndata', 'scipy', 'sklearn', 'numba', 'plotly', 'torch', 'jax'}\n"
        "print('loaded:', *(heavy & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stdout.splitlines()[-1] == "loaded:"


def test_no_library_warns_and_nothing_is_printed_twice(files, tmp_path):
    """Were a warning raised anywhere, it would be the error here."""
    ended = run("generate", files / "c.csv", "--label", "condition", "-o", tmp_path / "t.h5ad", python=("-W", "error"))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("samples ×") == 1


def test_bad_input_ends_with_2_and_a_bug_with_1(tmp_path):
    ended = run("generate", "gone.csv", "-o", "t.csv", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "Error: gone.csv: no such file. Check the name and the folder.\n"


BROKEN = "import twinseq.io\ntwinseq.io.read = lambda *a, **k: 1 / 0\nfrom twinseq.cli import main\nmain()"


@pytest.mark.parametrize("debug", [False, True])
def test_a_bug_shows_its_trace_only_where_asked(tmp_path, debug):
    ended = subprocess.run(
        [sys.executable, "-c", BROKEN, "generate", "c.csv", "-o", "t.csv"],
        capture_output=True, text=True, check=False, cwd=tmp_path, env={**os.environ, "TWINSEQ_DEBUG": "1" * debug},
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ("Traceback" in ended.stderr) == debug
    assert "ZeroDivisionError: division by zero" in ended.stderr
    assert ("please report it" in ended.stderr) != debug
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["t.h5ad", "t.csv", "t.parquet", "t.mtx"])
def test_a_full_disk_leaves_no_half_file(files, tmp_path, name):
    """A file may not grow past 4 kB, as when the disk fills up while the twin is written."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    (tmp_path / "kept.txt").write_text("kept")
    before = everything_in(tmp_path)
    ended = run("generate", files / "c.h5ad", "-o", tmp_path / name, preexec_fn=limit)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    assert re.match(r"Error: .*: writing failed \(.*File too large\); nothing was left behind\.", ended.stderr)
    assert everything_in(tmp_path) == before


def test_a_full_disk_leaves_no_half_report(audited, tmp_path):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    train = audited.parts / "train.h5ad"
    for words in (["audit", train, audited.twin], ["split", train]):
        ended = run(*words, "-o", tmp_path / "new" / "out", preexec_fn=limit)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert "writing failed (File too large)" in ended.stderr
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_signals_leave_nothing_behind(tmp_path, sent):
    slow = (
        "import time, twinseq.io\n"
        "def slow(frame, path):\n    path.write_text('half'); print('writing', flush=True); time.sleep(60)\n"
        "twinseq.io._write_csv = slow\nfrom twinseq.cli import main\nmain()"
    )
    ts.write(ts.datasets.simulate_cohort(6, 6, 20), tmp_path / "c.h5ad")
    before = everything_in(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", slow, "generate", "c.h5ad", "-o", "new/t.csv"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # Tests run in the background of a shell inherit that interrupts are ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        process.send_signal(sent)
        _, message = process.communicate(timeout=120)
    assert process.returncode == 130
    assert message == "Stopped: nothing half-written was left behind.\n"
    assert everything_in(tmp_path) == before


def test_a_reader_that_leaves_early_is_no_bug():
    words = [*TWINSEQ, "list", "metrics"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, message = process.communicate(timeout=120)
    assert "rror" not in message


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_terminals_that_know_no_unicode(encoding):
    command = [*TWINSEQ, "list", "datasets"]
    ended = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "PYTHONIOENCODING": encoding})
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert "Blood mononuclear cells of 40 donors" in ended.stdout.decode(encoding)


def on_terminal(*words: object, columns: int) -> str:
    """Run on a pseudo-terminal ``columns`` wide; return all that was drawn."""
    leader, follower = pty.openpty()
    size = {"COLUMNS": str(columns), "LINES": "50", "TERM": "xterm-256color"}
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | size
    process = subprocess.Popen([*TWINSEQ, *map(str, words)], stdout=follower, stderr=follower, env=env)
    os.close(follower)
    drawn = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # Linux ends a pseudo-terminal so
            break
        if not piece:
            break
        drawn += piece
    process.wait(timeout=60)
    os.close(leader)
    return drawn.decode()


ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def test_a_terminal_shows_progress_and_fits_its_width(audited, tmp_path):
    drawn = on_terminal("audit", audited.parts / "train.h5ad", audited.twin, "-o", tmp_path / "r", columns=80)
    assert "━━━" in drawn
    assert "differential expression" in drawn
    lines = [ESCAPE.sub("", line).rstrip("\r") for line in drawn.split("\n")]
    assert any(line.startswith("Verdict: ") for line in lines)
    table = lines[next(number for number, line in enumerate(lines) if "95 % interval" in line) :]
    assert all(len(line) <= 80 or str(tmp_path) in line for line in table)
    assert any(line.startswith("Differential genes found again") for line in table)


def test_errors_on_a_terminal_break_between_words(tmp_path):
    path = tmp_path / f"{'long-' * 20}.csv"
    drawn = ESCAPE.sub("", on_terminal("generate", path, "-o", tmp_path / "t.csv", columns=60)).replace("\r", "")
    message = drawn[drawn.index("Error:") :]
    assert message.split("\n") == ["Error:", f"{path}:", "no such file. Check the name and the folder.", ""]


def test_quiet_means_quiet_on_a_terminal(files, tmp_path):
    assert on_terminal("generate", files / "c.h5ad", "-o", tmp_path / "t.h5ad", "--quiet", columns=80) == ""


def test_json_keeps_progress_on_standard_error(files, tmp_path):
    """Standard output is a pipe, standard error the terminal."""
    leader, follower = pty.openpty()
    ended = subprocess.run(
        [*TWINSEQ, "generate", files / "c.h5ad", "-o", tmp_path / "t.h5ad", "--json"],
        stdout=subprocess.PIPE, stderr=follower, text=True, check=False,
    )  # fmt: skip
    os.close(follower)
    time.sleep(0.1)
    drawn = os.read(leader, 65536).decode()
    os.close(leader)
    assert ended.stdout.startswith("{\n")
    assert ended.stdout.endswith("}\n")
    assert "━━━" in drawn
