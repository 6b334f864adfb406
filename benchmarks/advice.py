"""What `twinseq advise` knows: the committed benchmark tables, gathered into one file of the package.

Reads ``benchmarks/results/*.md`` and writes ``src/twinseq/advice.json``: a row for each generator, cohort and table,
with the figures, the number of donors learnt from, the genes, and the table that they stand in. Nothing is computed but
the strongest of several attacks where a table has a column for each. Run it whenever a table has changed; a test
compares.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
TARGET = Path(__file__).resolve().parents[1] / "src" / "twinseq" / "advice.json"
SCHEMA = 1

Row = dict[str, str]


@dataclass(frozen=True)
class Cohort:
    """A cohort that was measured; ``donors``: how many a generator learnt from."""

    title: str
    donors: int
    genes: int
    kind: str
    cells: bool = False


@dataclass(frozen=True)
class Table:
    """Where figures stand, and what they are.

    Parameters
    ----------
    file, section, place
        Table: which of the tables under a heading of a file.
    of
        Row to the cohort that it was measured on; ``None`` leaves the row out.
    figures
        Name of a figure here to its column, or to columns of which the largest counts.
    title
        Row to the title of the generator.
    """

    file: str
    section: str
    of: Callable[[Row], Cohort | None]
    figures: dict[str, str | tuple[str, ...]]
    title: Callable[[Row], str] = field(default=lambda row: row.get("generator") or row.get("model") or row["twin"])
    place: int = 0


PAM50 = "brca-pam50-1172 tumours"
BREAST = "brca-tumour-normal-100"
HALVES = {
    "tb-blood-44": Cohort("tb-blood-44", 22, 25_368, "counts"),
    "tb-blood-75": Cohort("tb-blood-75", 37, 25_368, "counts"),
    BREAST: Cohort(BREAST, 49, 20_531, "counts"),
    "brca-pam50 tumours": Cohort(PAM50, 520, 1_354, "counts"),
}
THIRDS = {
    "PAM50, log2 CPM": Cohort(PAM50, 347, 1_354, "continuous"),
    "PAM50, log2 CPM, landmarks": Cohort(f"{PAM50}, landmark genes", 347, 96, "continuous"),
    "PAM50, counts": Cohort(PAM50, 347, 1_354, "counts"),
    "breast, counts": Cohort(BREAST, 33, 17_000, "counts"),
}
FIFTHS = {"brca-pam50 tumours": Cohort(PAM50, 832, 1_354, "counts"), BREAST: Cohort(BREAST, 78, 20_531, "counts")}


def always(cohort: Cohort) -> Callable[[Row], Cohort]:
    """Return the same cohort for every row."""
    return lambda row: cohort


def frontier(row: Row) -> Cohort:
    """Return the cohort of a row of the table of ε."""
    if "public basis" in row["generator"]:
        return Cohort(PAM50, 555, 1_354, "continuous")
    if "panel" in row["generator"]:
        return Cohort(f"{PAM50}, a panel", 832, 300, "continuous")
    return Cohort(PAM50, 832, 1_354, "continuous")


def onek1k(donors: int) -> Cohort:
    """Return the part of OneK1K with so many donors."""
    return Cohort("onek1k-40donors", donors, 1_000, "counts", cells=True)


def private_cells(row: Row) -> str:
    """Return generator and ε of a row of the tables of private twins of cells."""
    name = row["twin"].replace("dp-scdesign, alone", "dp-scdesign")
    return name if row["ε"] == "–" else f"{name}, ε = {row['ε']}"


def shared(row: Row) -> str:
    """Return a title for the setting that a search has chosen; others on its frontier are no advice by themselves."""
    if "**chosen**" not in row["setting"]:
        return row["setting"]
    return "share, basis" if row["setting"].startswith("public basis") else "share"


SHARED = {
    "f1_ratio": "F1 ratio", "de_tpr": "DE TPR", "de_fpr": "DE FPR", "coexpression_recall": "co-expr. recall",
    "coexpression_precision": "precision",
}  # fmt: skip
SHARE = {
    "PAM50 tumours, no public basis": Cohort(PAM50, 624, 1_354, "continuous"),
    "PAM50 tumours, a third of the donors public": Cohort(PAM50, 417, 1_354, "continuous"),
    "Tumour and normal breast, counts, no public basis": Cohort(BREAST, 50, 17_238, "counts"),
}
CELLS = {"profile_r": "profile r", "markers": "markers", "tstr": "TSTR", "lisi_training": "LISI"}
TRACED: tuple[str, ...] = ("pseudobulk_tracing", "copula_llr", "copula_mahalanobis", "marginal_llr")
OF_DONORS = {"10 donors": 10, "13 donors": 13}

TABLES = [
    Table("fidelity", "Counts and correlations", lambda row: HALVES[row["cohort"]],
          {"lfc_replication": "lfc_replication", "correlation_r": "correlation_r"}),
    Table("fidelity", "Classifiers", lambda row: FIFTHS[row["cohort"]], {"tstr_auc": "tstr_auc_top500_logistic"}),
    Table("red_team", "The strongest attack on each generator", lambda row: THIRDS[row["cohort"]],
          {"t1_auc": "AUC 2", "t1_tpr": "TPR 2"}),
    Table("community", "All 1,354 genes", always(Cohort(PAM50, 832, 1_354, "continuous")), SHARED),
    Table("community", "The 96 of them", always(Cohort(f"{PAM50}, landmark genes", 832, 96, "continuous")), SHARED),
    Table("community", "With a reference cohort", always(THIRDS["PAM50, log2 CPM"]),
          {"t1_auc": "AUC 2", "t1_tpr": "TPR 2"}),
    Table("community", "With a reference cohort", always(THIRDS["PAM50, log2 CPM, landmarks"]),
          {"t1_auc": "AUC 4", "t1_tpr": "TPR 4"}),
    Table("privacy_frontier", "", frontier,
          {"f1_ratio": "F1 ratio", "de_tpr": "DE TPR", "de_fpr": "DE FPR", "coexpression_recall": "co-expr. recall"},
          lambda row: f"{row['generator']}, ε = {row['ε']}"),
    Table("single_cell_quality", "Unseen donors", always(onek1k(26)),
          {"lisi": "LISI to unseen", "lisi_training": "LISI to training", "cell_correlations": "correlations"}),
    Table("dp_cells", "14 donors of OneK1K", always(onek1k(14)), {**CELLS, "t1_auc": TRACED[:2]}, private_cells),
    Table("dp_cells", "27 donors of OneK1K", always(onek1k(27)), CELLS, private_cells),
    Table("dp_cells", "40 donors of OneK1K", always(onek1k(40)), CELLS, private_cells),
    Table("dp_cells", "500 simulated donors", always(Cohort("simulated cells", 500, 1_000, "counts", cells=True)),
          {**CELLS, "t1_auc": TRACED[:1]}, private_cells),
    *[
        Table("single_cell_attacks", "Other generators", lambda row, n=n: onek1k(n) if row["cells"] == "seen" else None,
              {"t1_auc": title})
        for title, n in OF_DONORS.items()
    ],
    *[
        Table("share_frontier", section, lambda row, cohort=cohort: cohort if row["stage"] == "reported" else None,
              {"t1_auc": "AUC (95 %)", "lfc_replication": "LFC replication", "f1_ratio": "F1 ratio"},
              lambda row: shared(row))
        for section, cohort in SHARE.items()
    ],
]  # fmt: skip

# What a title in the tables is called on the command line. Controls and settings that are there for comparison with the
# published ones only are no advice.
MADE: list[tuple[str, dict[str, Any]]] = [
    (r"copula \(faithful\)", {"generator": "copula", "preset": "faithful"}),
    (r"(mvn|lowrank-mvn|nmf|independent|cvae|cvae-gmm|diffusion|wgan-gp|ctgan|pca-ctgan|scdesign2)", {}),
    (r"lowrank-mvn \(class-MVN\)", {"generator": "lowrank-mvn"}),
    (r"mvn, noise = 0", {"generator": "mvn", "settings": {"noise": 0.0}}),
    (r"scdesign2, library offset", {"generator": "scdesign2", "settings": {"library": "offset"}}),
    (r"cell-copula(, faithful)?", {"generator": "cell-copula", "preset": "faithful"}),
    (r"cell-copula, leakage-limited", {"generator": "cell-copula", "preset": "leakage-limited"}),
    (r"share", {"generator": "copula", "preset": "share"}),
    (r"share, basis", {"generator": "copula", "preset": "share", "basis": True}),
    (r"(dp-\w+), ε = ([\d.]+)", {}),
    (r"(dp-\w+), (?:public )?basis, ε = ([\d.]+)", {"basis": True}),
    (r"(dp-copula), panel of (\d+) genes, ε = ([\d.]+)", {"panel": True}),
]


def main() -> None:
    """Write the file, or with ``--check`` say whether it is as the tables have it."""
    text = gathered()
    if "--check" in sys.argv:
        sys.exit(TARGET.read_text(encoding="utf-8") != text)
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET}: {len(json.loads(text)['rows'])} rows")


def gathered() -> str:
    """Return the content of the file."""
    found: dict[str, dict[str, Any]] = {}
    for table in (table for table in TABLES if (RESULTS / f"{table.file}.md").exists()):
        for row in rows_of(table):
            made, cohort = made_by(table.title(row)), table.of(row)
            figures = figures_of(table, row)
            if made is None or cohort is None or not figures:
                continue
            source = f"benchmarks/results/{table.file}.md" + (f", {table.section}" if table.section else "")
            entry = {
                **made, "cohort": cohort.title, "donors": cohort.donors, "genes": cohort.genes, "kind": cohort.kind,
                "cells": cohort.cells, "source": source, "figures": figures,
            }  # fmt: skip
            found.setdefault(json.dumps({**entry, "figures": sorted(figures)}, sort_keys=True), entry)
    lines = ",\n".join(f"  {json.dumps(entry, ensure_ascii=False)}" for entry in found.values())
    return f'{{\n "schema": {SCHEMA},\n "rows": [\n{lines}\n ]\n}}\n'


def made_by(title: str) -> dict[str, Any] | None:
    """Return generator, preset, settings, ε and whether a basis was used; ``None`` for what is no advice."""
    title = title.replace("**", "")
    for pattern, known in MADE:
        match = re.fullmatch(pattern, title)
        if match is None:
            continue
        made: dict[str, Any] = {"generator": (match.groups() or ("",))[0] or "", "preset": None, "settings": {}} | known
        made = {"epsilon": None, "basis": False, **made}
        if "ε" in title:
            made["epsilon"] = float(match.groups()[-1])
        made.pop("panel", None)
        return made
    return None


def rows_of(table: Table) -> Iterator[Row]:
    """Yield the rows of a table as texts by column; a header that comes again is numbered."""
    lines = iter((RESULTS / f"{table.file}.md").read_text(encoding="utf-8").splitlines())
    for line in lines:
        if not table.section or re.match(rf"##+ {re.escape(table.section)}", line):
            break
    header: list[str] = []
    for line in lines:
        if header and not line.startswith("|"):
            return
        cells = [cell.strip() for cell in line.strip("|").split(" | ")] if line.startswith("|") else []
        if cells and not header:
            header = numbered(cells)
        elif cells and not set(line) <= set("|-: "):
            yield dict(zip(header, (cell.strip("| ") for cell in cells), strict=True))


def numbered(header: list[str]) -> list[str]:
    """Return column names, each different from the others: AUC, AUC 2."""
    names: list[str] = []
    for cell in header:
        name = cell.strip("| ")
        if "AUC" in name or "TPR" in name:
            name = "AUC" if name.endswith("AUC") else name
        times = sum(
            known == name or (known.startswith(f"{name} ") and known[len(name) + 1 :].isdigit()) for known in names
        )
        names.append(f"{name} {times + 1}" if times else name)
    return names


def figures_of(table: Table, row: Row) -> dict[str, float]:
    """Return the figures of a row, those that were measured."""
    found = {}
    for name, columns in table.figures.items():
        texts = [row.get(column, "–") for column in ((columns,) if isinstance(columns, str) else columns)]
        values = [float(match[0]) for text in texts if (match := re.match(r"-?\d+(\.\d+)?", text))]
        if values:
            found[name] = max(values)
    return found


if __name__ == "__main__":
    main()
