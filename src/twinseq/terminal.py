"""What the command line prints: results on standard output, progress and messages on standard error."""

from __future__ import annotations

import json
import textwrap
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from .errors import shorten
from .plugins import PluginWarning

if TYPE_CHECKING:
    from .results import AuditReport, Omitted, RedTeam

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
if not out.is_terminal:
    out.width = 10_000  # a pipe or a file gets whole lines, which can be searched

Step = Callable[[int, int, str], None]

HEADLINES = {
    "lisi": "Twin and real cells mix, LISI",
    "cell_type_tstr": "Cell types learnt on twin, accuracy",
    "cluster_ari_ratio": "Clusters find types, ratio to REAL",
    "marker_overlap": "Marker genes found again",
    "correlation_of_correlations": "Gene–gene correlations by type, r",
    "composition_distance": "Cells of the wrong type, share",
    "de_recall": "Differential genes found again",
    "de_precision": "Differential genes that are right",
    "lfc_pearson": "Fold changes, r with REAL",
    "lfc_replication": "Fold changes replicate, ideal 1",
    "tstr_auc_top500_logistic": "Classifier AUC, learnt on twin",
    "correlation_r": "Gene–gene correlations, r",
    "library_size_ks": "Library sizes, KS distance",
    "c2st_auc_trees": "Told from real, AUC, ideal 0.5",
}
MARKS = {"fail": "red", "inconclusive": "yellow", "review": "yellow", "pass": "green"}
THRESHOLDS = {
    "auc": ("AUC of the strongest attack, upper end", "at most"),
    "tpr_at_1": ("members named at 1 false alarm in 100, upper end", "at most"),
    "groups": ("AUC within a group, beyond which somebody has to look", "at most"),
    "exact_copies": ("copied samples", "at most"),
    "donors": ("donors", "at least"),
    "epsilon": ("ε of a claim of differential privacy", "at most"),
}
LEGEND = (
    "real data: what other real samples reach in the twin's place. known-bad: what a twin spoilt on purpose gets. "
    "The report says how to read each figure."
)
REMEDIES = {
    "needs a hold-out": "Set real samples aside before the twin is made: `twinseq split REAL -o DIR`, make the twin "
    "from the train file in DIR, then audit with --holdout and the holdout file in DIR.",
    "needs a label": "State the column of the classes with --label.",
    "no covariate": "State further columns, where there are such, with --covariate.",
}


def clean(text: str) -> str:
    """Return ``text`` on one line, without the control characters by which a name could steer a terminal."""
    return "".join(sign if sign.isprintable() else " " if sign.isspace() else "�" for sign in text)


def say(text: str, style: str = "") -> None:
    """Print a line; brackets in names are no markup."""
    _line(out, text, style)


def warn(text: str) -> None:
    """Print a warning to standard error."""
    _line(err, text, "bold yellow")


def tell_of_plugins() -> None:
    """Have plugins that could not be loaded told of in one line."""
    warnings.filterwarnings("always", category=PluginWarning)
    warnings.showwarning = lambda message, *_, **__: warn(str(message))


def fail(headline: str, text: str) -> None:
    """Print an error to standard error."""
    _line(err, f"{headline}: {text}", "bold red", len(headline) + 1)


def _line(console: Console, text: str, style: str, styled: int | None = None) -> None:
    """Print a line, its first ``styled`` characters (default: all) in ``style``."""
    text = clean(text)
    if console.is_terminal:
        # Broken between words, and never inside a path, which could then not be copied.
        indent = " " * (len(text) - len(text.lstrip()))
        text = textwrap.fill(
            text, console.width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
    line = Text(text)
    line.stylize(style, 0, styled)
    console.print(line, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print JSON, and nothing but JSON, to standard output."""
    typer.echo(json.dumps(value, indent=1, allow_nan=False))


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[str] = ()) -> None:
    """Print rows under a header; the columns in ``numbers`` are flush right, and the first is never broken."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(header):
        side: Literal["left", "right"] = "right" if name in numbers else "left"
        table.add_column(Text(clean(name)), justify=side, no_wrap=index == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    out.print(table)


def listed(names: Iterable[str], most: int = 10) -> str:
    """Return names as ``a, b, c and 5 more``, each cut to a readable length."""
    words = [shorten(name, 60) for name in names]
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def print_parts(parts: Mapping[str, Mapping[str, Any]], folder: Path) -> None:
    """Print what a split made: samples, donors and classes of each part."""
    classes = list(next(iter(parts.values()))["classes"])
    header = ("part", "samples", "donors", *(listed([name]) for name in classes))
    rows = [
        (name, *(f"{count:,}" for count in (part["samples"], part["donors"], *part["classes"].values())))
        for name, part in parts.items()
    ]
    print_table(header, rows, numbers=header[1:])
    say(f"Written to {folder}")
    say("Make the twin from train only, and keep the other parts for the audit.")


def print_audit(report: AuditReport, folder: Path) -> None:
    """Print the headline figures of an audit, what it could not give, and where the report lies."""
    figures = {metric.name: metric for metric in report.metrics}
    rows = []
    for name, title in HEADLINES.items():
        if (metric := figures.get(name)) is None:
            continue
        interval = "" if metric.ci is None else f"{metric.ci[0]:.3f} – {metric.ci[1]:.3f}"
        bounds = ("–" if value is None else f"{value:.3f}" for value in (metric.ceiling, metric.floor))
        rows.append((title, f"{metric.value:.3f}", interval, *bounds))
    if rows:
        header = ("", "twin", "95 % interval", "real data", "known-bad")
        print_table(header, rows, numbers=header[1:])
        say(LEGEND, "dim")
    _print_omitted(report.omitted)
    if report.red_team is not None:
        _print_red_team(report.red_team)
    _print_verdict(report.verdict)
    say(f"Report: {folder / 'report.html'}")


def _print_verdict(verdict: Mapping[str, Any]) -> None:
    """Print what follows; under a policy, every check with its reason, what decides first."""
    if not verdict.get("checks"):
        say(": ".join(["Verdict", verdict["outcome"], *verdict["reasons"][:1]]), "bold")
        return
    say(f"Checks of policy {shorten(verdict['policy'])}", "bold")
    outcomes = {check["reason"]: check["outcome"] for check in verdict["checks"]}
    for reason in verdict["reasons"]:
        outcome = outcomes[reason]
        say(f"  {outcome}: {reason}", MARKS[outcome])
    say(f"Verdict under policy {shorten(verdict['policy'])}: {verdict['outcome']}", f"bold {MARKS[verdict['outcome']]}")


def print_policies(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the policies, a block each: every threshold with its reason."""
    for row in rows:
        _line(out, f"{row['name']}  {row['title']}", "bold", len(row["name"]))
        say(f"    {row['about']}")
        say(f"    attackers of level {row['attacker']}. {row['attacker_why']}")
        for key, (title, direction) in THRESHOLDS.items():
            if (limit := row[key]) is not None:
                say(f"    {title}: {direction} {limit['value']:g}. {limit['why']}")
        for floor in row["fidelity"]:
            wanted = ", else ".join(f"{name} {direction} {value:g}" for name, direction, value in floor["first_of"])
            say(f"    {floor['question']} {wanted}. {floor['why']}")
    say("Your own: a .yaml file with the same keys, or `based_on: partner` and what differs; see docs/policies.md.")


def _print_red_team(red_team: RedTeam) -> None:
    """Print what attackers can find out, whether the controls came out as they must, and what could be seen at all."""
    from .report import attackers as words

    say("Attacks", "bold")
    for headline in words.by_level(red_team):
        say(f"  {words.sentence(headline, red_team)}")
    for note in words.few_others(red_team):
        say(f"  {note}", "dim")
    rows = words.control_rows(red_team)
    say(f"  Controls: {', '.join(f'{row.name} {row.result}' for row in rows) or 'none made'}")
    if words.failed_controls(red_team):
        say(f"  {words.WITHHELD}", "bold yellow")
    if power := words.power(red_team.power):
        say(f"  {power}", "dim")
    say(f"  {words.outcome_words(red_team.outcome)[1]}", "bold")


def _print_omitted(omitted: Sequence[Omitted]) -> None:
    """Print which figures are missing, by reason, and how to get them where that is possible."""
    from .measurement_cells import INSTEAD

    by_reason: dict[str, list[str]] = {}
    of_samples = sum(item.reason in INSTEAD.values() for item in omitted)
    if of_samples:
        say(f"{of_samples} figures made for samples are left out for cells; the report says why.", "dim")
    for item in omitted:
        if item.reason in INSTEAD.values():
            continue
        by_reason.setdefault(item.reason, []).append(item.name)
    for reason, names in by_reason.items():
        what = "1 figure" if len(names) == 1 else f"{len(names)} figures"
        say(f"Not given, {what}: {reason}", "yellow")
        say(f"  {', '.join(names)}", "dim")
        remedy = next((text for start, text in REMEDIES.items() if reason.startswith(start)), "")
        if remedy:
            say(f"  {remedy}")


def print_generators(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the generators as a table, what has to be installed for those that cannot run here, and all settings."""
    from .generators._extras import install

    header = ("generator", "what it is", "takes", "presets", "privacy", "needs")
    print_table(
        header,
        [
            (
                row["name"],
                row["title"],
                (row["kinds"][0] if len(row["kinds"]) == 1 else "any kind") + ", in parts" * row["in_parts"],
                ", ".join(row["presets"]) or "–",
                row["guarantee"].partition(";")[0].partition(":")[0],
                _needs(row["extra"], row["missing"]),
            )
            for row in rows
        ],
    )
    lacking = {row["extra"]: row["missing"] for row in rows if row["missing"]}
    for extra, packages in lacking.items():
        names = [row["name"] for row in rows if row["extra"] == extra]
        say(f"Not installed here: {', '.join(packages)}, for {', '.join(names)}. {install(extra)}", "yellow")
    settings = [
        (row["name"], ", ".join(f"{key}={value}" for key, value in row["settings"].items()))
        for row in rows
        if row["settings"]
    ]
    out.print()
    print_table(("generator", "settings (--set key=value), and what they are by default"), settings)


def _needs(extra: str | None, missing: Sequence[str]) -> str:
    """Say which extra a generator needs, and whether it is here."""
    if extra is None:
        return "–"
    return f"twinseq[{extra}], {'not installed' if missing else 'installed'}"


def print_metrics(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the metrics, group by group."""
    for group in dict.fromkeys(row["group"] for row in rows):
        say(group, "bold")
        members = [row for row in rows if row["group"] == group]
        print_table(
            ("  name", "better", "question"),
            [(f"  {row['name']}", _better(row["better"], row["ideal"]), row["question"]) for row in members],
        )


def _better(direction: str, ideal: float | None) -> str:
    if direction != "target":
        return direction
    return "like real" if ideal is None else f"near {ideal:g}"


def print_attacks(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the attacks, a block each, and what each threat level means."""
    from .attacks import LEVELS

    for row in rows:
        slow = "  (slow)" if row["slow"] else ""
        _line(out, f"{row['name']}  {', '.join(row['levels'])}{slow}", "bold", len(row["name"]))
        say(f"    {row['threat']}")
        if row["settings"]:
            say(f"    settings: {', '.join(row['settings'])}")
    say("What the attacker has:", "dim")
    for level, held in LEVELS.items():
        say(f"    {level}  {held}", "dim")


def print_datasets(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the public cohorts that can be loaded by name."""
    names = ("name", "title", "licence", "reference")
    print_table(names, [[str(row[name]) for name in names] for row in rows])
    say("In Python: twinseq.datasets.load(name)")


@contextmanager
def progress(quiet: bool, lasting: bool = False) -> Iterator[Step]:
    """Show a progress bar on standard error, fed by ``(step, total, description)``; a total of 0: not known.

    Of ``lasting`` work it also says how many steps there are and how long they will take.

    Only on a terminal: in the log of a batch job it would be litter.
    """
    text = TextColumn("{task.description}", markup=False)
    columns: list[ProgressColumn] = [SpinnerColumn(), text, BarColumn(bar_width=24), TimeElapsedColumn()]
    if lasting:
        columns += [MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=err, transient=True, disable=quiet or not err.is_terminal) as bar:
        task = bar.add_task("", total=None, visible=False)

        def step(done: int, total: int, description: str) -> None:
            words = description.replace("_", " ")
            bar.update(task, completed=done, total=total or None, description=words, visible=True)

        yield step
