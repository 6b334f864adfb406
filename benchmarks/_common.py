"""What the benchmarks share: processes of their own for each measurement, and tables that name the machine."""

import json
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
DATA = Path(os.environ.get("TWINSEQ_DATA", ROOT.parent / "shared" / "data"))


def processor() -> str:
    """Name of the CPU."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def machine(*packages: str) -> str:
    """One line: CPU, cores, system, Python and package versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    system = f"{processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    return f"{system}; {versions}."


def resident_mib(pid: int) -> float:
    """Proportional resident memory of a process and all its descendants, MiB."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    total, queue = 0.0, [pid]
    while queue:
        process = queue.pop()
        queue += children.get(process, [])
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        total += sum(float(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return total


def measured(command: Sequence[str], **environment: str) -> tuple[object, float]:
    """Run a command; return the JSON of its last line of output, and the peak MiB of it and its workers.

    Raises
    ------
    RuntimeError
        The command fails.
    """
    with subprocess.Popen(
        list(command), stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as process:
        peak = 0.0
        finished = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not finished.wait(0.02):
                peak = max(peak, resident_mib(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        output, _ = process.communicate()
        finished.set()
        watcher.join()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return json.loads(output.splitlines()[-1]), peak


def worker(file: str, *words: object) -> list[str]:
    """Command that runs ``file`` again as the worker for one measurement."""
    return [sys.executable, file, "--worker", *map(str, words)]


def table(header: Sequence[str], rows: Sequence[Sequence[object]], align: str = "") -> list[str]:
    """Lines of a markdown table; ``align`` has one letter for each column, ``r`` for right."""
    rule = ["---:" if align[index : index + 1] == "r" else "---" for index in range(len(header))]
    return ["| " + " | ".join(map(str, row)) + " |" for row in (header, rule, *rows)]


def publish(name: str, lines: Sequence[str]) -> None:
    """Write ``benchmarks/results/NAME.md`` and print it."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = "\n".join(lines).rstrip() + "\n"
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)
