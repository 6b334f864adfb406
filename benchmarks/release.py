"""Time and memory of ``twinseq release`` as a command, and what a release that was killed half way costs.

    python benchmarks/release.py [--quick] [--only NAME …]

Each run is the command of a user, with the settings searched (preset ``share``): on tumour and normal breast (needs the
real cohorts, ``TWINSEQ_DATA``), on a simulated cohort of the same size, and on the latter once more, killed half way
and given again; then its files have to be those of the run that nobody disturbed. Every run is kept in
``benchmarks/results/release.json`` when it is done, and ``benchmarks/results/release.md`` is written from all of them.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import twinseq as ts
from twinseq.cohort import Cohort

from _common import RESULTS, machine, publish, resident_mib, table
from red_team import transcriptome

KEPT = RESULTS / "release.json"
BAR = 600
"""Seconds of wall clock on two cores that a release of 100 samples may take."""
JOBS = 2
CASES = {"breast": "tumour and normal breast", "simulated": "simulated", "killed": "the same, killed half way"}


@dataclass(frozen=True)
class Run:
    """One run of the command: seconds of wall clock and of CPU, peak memory, mean load average of the machine."""

    wall: float
    cpu: float
    peak_mib: float
    load: float
    code: int


def simulated(n_samples: int, n_genes: int) -> Cohort:
    """Two classes of equal size, one sample a donor."""
    half = n_samples // 2
    return ts.datasets.simulate_cohort(n_cases=half, n_controls=n_samples - half, n_genes=n_genes, seed=0)


def few() -> Cohort:
    """Breast on every fortieth gene, to try this script."""
    cohort = transcriptome()
    return cohort.take_genes(np.arange(0, cohort.n_genes, 40))


def write(cohort: Cohort, path: Path) -> dict[str, object]:
    """Write a cohort without the roles of its columns, which the command states; return its size and those."""
    adata = cohort.adata.copy()
    adata.uns.clear()
    ts.write(Cohort(adata, kind=cohort.kind), path)
    asked = ["--label", str(cohort.label), "--donor", str(cohort.donor), *(["--paired"] if cohort.paired else [])]
    donors = len(np.unique(cohort.donors()))
    return {"samples": cohort.n_samples, "donors": donors, "genes": cohort.n_genes, "roles": asked}


def command(real: Path, folder: Path, roles: list[str], extra: list[str]) -> list[str]:
    """Return the command of a release."""
    words = [sys.executable, "-m", "twinseq", "release", str(real), *roles, "-o", str(folder), "--jobs", str(JOBS)]
    return [*words, *extra, "--quiet"]


def run(words: list[str], kill_after: float | None = None) -> Run:
    """Run a command to its end, or kill it (SIGKILL) after so many seconds."""
    started, peak, loads = time.perf_counter(), 0.0, []
    process = subprocess.Popen(words)
    while True:
        pid, status, spent = os.wait4(process.pid, os.WNOHANG)
        wall = time.perf_counter() - started
        if pid:
            break
        if kill_after is not None and wall >= kill_after:
            os.kill(process.pid, signal.SIGKILL)
        peak = max(peak, resident_mib(process.pid))
        loads.append(os.getloadavg()[0])
        time.sleep(0.2)
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = spent.ru_utime + spent.ru_stime
    return Run(round(wall, 1), round(cpu, 1), round(peak), round(float(np.mean(loads)), 1), process.returncode)


def timeless(folder: Path) -> dict[str, object]:
    """Return the files of a release but for what tells of times.

    Left out are the report, which is drawn from the others and shows their times, and the sums.
    """
    found: dict[str, object] = {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.name not in ("report.html", "SHA256SUMS", "metrics.json", "twin.croissant.json", "README.txt")
    }
    content = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    provenance = content["provenance"]
    minute = provenance.pop("created")
    del provenance["seconds"], provenance["release"]["seconds"]
    sheet = json.loads((folder / "twin.croissant.json").read_text(encoding="utf-8"))
    del sheet["datePublished"]
    readme = (folder / "README.txt").read_text(encoding="utf-8").replace(minute, "")
    return {**found, "metrics.json": content, "twin.croissant.json": sheet, "README.txt": readme}


def outcome(folder: Path) -> dict[str, object]:
    """Return the verdict of a release, and the setting that was chosen."""
    content = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    chosen = content["provenance"]["release"]["chosen"]
    searched = re.search(r"over (\d+) settings", chosen[0])
    return {
        "verdict": content["verdict"]["outcome"],
        "searched": int(searched[1]) if searched else 0,
        "generator": content["provenance"]["generator"]["name"],
        "splits": content["provenance"]["splits"],
    }


def measure(names: list[str], quick: bool, keep: Callable[[str, dict[str, object]], None]) -> None:
    """Run the cases; tell ``keep`` of each as soon as it is done."""
    extra = ["--splits", "2"] if quick else []
    with tempfile.TemporaryDirectory(prefix="release-") as scratch:
        home = Path(scratch)
        if "breast" in names:
            size = write(few() if quick else transcriptome(), home / "breast.h5ad")
            done = run(command(home / "breast.h5ad", home / "breast", size["roles"], extra))
            keep("breast", {**size, "runs": [asdict(done)], **outcome(home / "breast")})
        if not {"simulated", "killed"} & set(names):
            return
        size = write(simulated(100, 500 if quick else 20_000), home / "simulated.h5ad")
        done = run(command(home / "simulated.h5ad", home / "whole", size["roles"], extra))
        keep("simulated", {**size, "runs": [asdict(done)], **outcome(home / "whole")})
        if "killed" in names:
            words = command(home / "simulated.h5ad", home / "killed", size["roles"], extra)
            killed = run(words, kill_after=done.wall / 2)
            pieces = len([path for path in (home / "killed" / ".work").glob("*") if not path.name.startswith(".")])
            left = sorted(path.name for path in (home / "killed").iterdir() if path.name != ".work")
            again = run(words)
            same = timeless(home / "killed") == timeless(home / "whole")
            found = {"pieces": pieces, "left": left, "same": same, "runs": [asdict(killed), asdict(again)]}
            keep("killed", {**size, **found, **outcome(home / "killed")})


def rows(found: dict[str, dict]) -> list[list[str]]:
    """Return a row for each run of the command."""
    out = []
    for name, title in CASES.items():
        if name not in found:
            continue
        one = found[name]
        stages = ["whole"] if len(one["runs"]) == 1 else ["until it was killed", "the same command again"]
        for stage, done in zip(stages, one["runs"], strict=True):
            out.append(
                [title, f"{one['samples']:,} × {one['genes']:,}", stage, f"{done['wall']:,.0f}", f"{done['cpu']:,.0f}",
                 f"{done['cpu'] / JOBS:,.0f}", f"{done['peak_mib'] / 1024:.2f}", f"{done['load']:.1f}"]
            )  # fmt: skip
    return out


def told(found: dict[str, dict]) -> list[str]:
    """Return the lines under the table: what was released, whether the bar was met, what was lost by the kill."""
    lines = []
    for name in ("breast", "simulated"):
        if name not in found:
            continue
        one = found[name]
        done = one["runs"][0]
        met = "within" if done["wall"] <= BAR else "beyond"
        lines += [
            f"- {CASES[name].capitalize()}: {one['donors']} donors, {one['searched']} settings searched, "
            f"{one['splits']} splits; chosen `{one['generator']}`; verdict under the policy `partner`: "
            f"{one['verdict']}. The wall clock is {met} the bar of {BAR // 60} minutes on two cores"
            + (
                "."
                if met == "within"
                else f"; at {done['cpu'] / JOBS:,.0f} s of CPU time a core, other work counts in."
            )
        ]
    if "killed" in found:
        one = found["killed"]
        killed, again = one["runs"]
        whole = found["simulated"]["runs"][0]["cpu"]
        lost = killed["cpu"] + again["cpu"] - whole
        lines += [
            f"- Killed (SIGKILL, exit code {killed['code']}) after {killed['wall']:,.0f} s: in the folder lay "
            f"{', '.join(one['left']) or 'nothing'} but the hidden work, {one['pieces']} done (the search, or a split, "
            f"each). Both runs together took {lost:,.0f} s of CPU time more than the one that was not disturbed. Files "
            f"are {'the same' if one['same'] else 'NOT the same'}, bytes of the twin and of every table among them, "
            "times and the day aside; the report, which is drawn from them and shows times, was not compared."
        ]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few genes, two splits; nothing is kept or published")
    parser.add_argument("--only", nargs="+", choices=list(CASES), metavar="NAME", help="breast, simulated, killed")
    options = parser.parse_args()
    found = json.loads(KEPT.read_text()) if KEPT.exists() and not options.quick else {}

    def keep(name: str, one: dict[str, object]) -> None:
        found[name] = one
        print(json.dumps({name: one}), file=sys.stderr, flush=True)
        if not options.quick:
            KEPT.write_text(json.dumps(found, indent=1) + "\n")

    measure(options.only or list(CASES), options.quick, keep)
    header = ["cohort", "samples × genes", "run", "wall s", "CPU s", f"CPU s / {JOBS}", "peak GiB", "load"]
    lines = [
        "# What a release costs",
        "",
        machine("twinseq", "numpy", "scipy", "scikit-learn"),
        f"Written by `benchmarks/release.py`. `twinseq release` as a command with `--jobs {JOBS}`, all else by",
        "default: settings are searched, five partitions of the donors are audited, the twin of all donors is made,",
        "judged by the policy `partner` and written with its papers. Wall clock and CPU time from start to end of the",
        "process; peak memory of it and of what it starts; load: mean load average of the machine meanwhile, of which",
        f"the release itself makes up to {JOBS}. Where it is higher, others worked on the same cores, and wall clock",
        "times are longer than on a machine of one's own.",
        "",
        *table(header, rows(found), "lllrrrrr"),
        "",
        *told(found),
    ]
    if options.quick:
        print("\n".join(lines))
    else:
        publish("release", lines)


if __name__ == "__main__":
    main()
