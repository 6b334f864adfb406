"""Bash in which ``twinseq`` is the command line in this process: a page's commands cost no start each."""

import ast
import contextlib
import io
import os
import select
import subprocess
from pathlib import Path

from twinseq.cli import main

# The function hands its words over and prints what comes back, so that pipes, loops and redirections work as written.
FUNCTION = """
twinseq() {
    printf '%s\\0' "$@" >"$TALK/words"; echo >"$TALK/ask"
    local code; read -r code <"$TALK/answer"
    cat "$TALK/err" >&2; cat "$TALK/out"
    return "$code"
}
"""
# A release takes minutes. Where a page does not say otherwise, one partition of the donors and no search will do.
QUICK = {"release": {"--splits": "1", "--preset": "faithful"}}
# What a page installs is installed already; anything else is not the tests' to install.
INSTALLED = """
pip() { [[ "$1" == install && "$2" == *twinseq* && $# -eq 2 ]]; }
"""


def in_process(script: str, folder: Path, talk: Path) -> subprocess.CompletedProcess[str]:
    """Run a script in ``folder``; ``talk`` is a folder of its own for what passes between bash and this process."""
    talk.mkdir()
    for name in ("ask", "answer"):
        os.mkfifo(talk / name)
    ask, answer = (os.open(talk / name, os.O_RDWR) for name in ("ask", "answer"))
    with (
        (talk / "all.out").open("w+") as out,
        (talk / "all.err").open("w+") as err,
        subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", INSTALLED + FUNCTION + script],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=os.environ | {"TALK": str(talk)},
        ) as bash,
    ):  # fmt: skip
        try:
            while bash.poll() is None:
                if select.select([ask], [], [], 0.02)[0]:
                    os.read(ask, 1)
                    words = (talk / "words").read_text().split("\0")[:-1]
                    os.write(answer, f"{_call(words, folder, talk)}\n".encode())
        finally:
            os.close(ask)
            os.close(answer)
        return subprocess.CompletedProcess(
            bash.args, bash.returncode, (talk / "all.out").read_text(), (talk / "all.err").read_text()
        )


def _call(words: list[str], folder: Path, talk: Path) -> int:
    code = 0
    for option, value in QUICK.get("".join(words[:1]), {}).items():
        if option not in words and not (option == "--preset" and "--generator" in words):
            words = [*words, option, value]
    with (
        (talk / "out").open("w") as out,
        (talk / "err").open("w") as err,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main(words)
        except SystemExit as end:
            code = int(end.code or 0)
    return code


def fresh(script: str, folder: Path, known: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a script with the environment ``known`` in which each command is a process of its own."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", INSTALLED + script],
        cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=os.environ | known,
    )  # fmt: skip


def captured(text: str, names: dict[str, object], folder: Path, source: str) -> str:
    """Run Python in the namespace ``names``; return what it prints, and bare expressions as a prompt shows them."""
    out = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out):
        for statement in ast.parse(text).body:
            if isinstance(statement, ast.Expr):
                value = eval(compile(ast.Expression(statement.value), source, "eval"), names)
                if value is not None:
                    print(value)  # noqa: T201
            else:
                exec(compile(ast.Module([statement], []), source, "exec"), names)
    return out.getvalue()
