"""The data sheet of a twin: what it is, how it was made, what a policy said of it and what it is not good for.

JSON-LD in the Croissant vocabulary (MLCommons, version 1.0, with its extension for responsible AI), on top of
schema.org, so that catalogues of data sets read it as it is. It is meant to go along with the twin: it holds nothing of
the real cohort but what the twin shows anyway, and neither names nor sums of the files that the cohort came from.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from .cohort import Cohort
from .provenance import file_digest
from .results import AuditReport

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
VERSIONS = ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"]
TYPES = {".h5ad": "application/x-hdf5", ".zarr": "application/zarr", ".tsv": "text/tab-separated-values"}
NO_LICENCE = "Not stated. Ask the institution that made this twin."
LIMITS = (
    "Synthetic profiles drawn from a statistical model; no row is a person. Not for decisions on patients.",
    "Findings have to be confirmed in real samples. What the model does not know of (rare subgroups, isoforms, "
    "interactions of columns that were given no role) is not in the twin, and its absence means nothing.",
    "More samples of a twin hold no more knowledge: p-values on a twin larger than its cohort are too small.",
    "Do not try to find out who was in the cohort, and do not link the twin with other data on persons.",
)


@dataclass(frozen=True)
class Made:
    """What a data sheet tells of a twin besides its content.

    Parameters
    ----------
    name
        Of the data set.
    how
        Sentences: generator and settings, how they were chosen.
    promise
        The guarantee in words; empty where none is given.
    limits
        Sentences on what the twin must not be used for, besides `LIMITS`.
    empty
        Columns that hold nothing, and why.
    licence
        Address or words; empty where none was stated.
    version
        Of twinseq.
    """

    name: str
    how: Sequence[str]
    promise: str = ""
    limits: Sequence[str] = ()
    empty: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""
    version: str = ""


def datasheet(files: Sequence[Path], samples: Path, twin: Cohort, report: AuditReport, made: Made) -> dict[str, Any]:
    """Return the data sheet of a twin.

    Parameters
    ----------
    files
        Files that hold it, in one folder.
    samples
        The one among them with the sample table: samples in rows, their names in the first column.
    twin
        The twin itself.
    report
        Its audit, for the verdict.
    made
        How it came about.

    References
    ----------
    Croissant format specification 1.0, https://docs.mlcommons.org/croissant/docs/croissant-spec.html
    """
    unit = "cells" if twin.cell_type is not None else "samples"
    description = (
        f"Synthetic twin of a cohort of RNA-seq profiles: {twin.n_samples:,} {unit} × {twin.n_genes:,} genes, "
        f"{'raw counts' if twin.kind == 'counts' else 'continuous values'}. All profiles are drawn from a model."
    )
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": VERSIONS,
        "name": made.name,
        "description": description,
        "url": "#",
        "license": made.licence or NO_LICENCE,
        "version": "1.0.0",
        "datePublished": datetime.now(UTC).strftime("%Y-%m-%d"),
        "citeAs": f"{made.name}, synthetic twin made with twinseq {made.version}",
        "keywords": ["synthetic data", "RNA-seq", "gene expression", *(["single cell"] if twin.cell_type else [])],
        "isLiveDataset": False,
        "distribution": [_file(path) for path in files],
        "recordSet": [_records(samples, twin.obs, made.empty)],
        "variableMeasured": {
            "@type": "sc:PropertyValue",
            "name": "gene expression",
            "description": f"{twin.n_genes:,} genes, a column each in the profiles",
            "unitText": "reads or molecules" if twin.kind == "counts" else "as in the cohort",
        },
        "additionalProperty": _verdict(report.verdict),
        "rai:dataCollection": " ".join(made.how),
        "rai:dataCollectionType": ["Synthetic data"],
        "rai:dataLimitations": [*LIMITS, *made.limits],
        "rai:dataUseCases": "Writing and testing analyses, teaching, power calculations, and exploring a cohort before "
        "access to it is asked for.",
        "rai:personalSensitiveInformation": made.promise
        or "No guarantee is given. The twin was made from health data; how well attackers told who was in them was "
        "measured, and the outcome is stated above. Measured is not proven: a better attack may find more.",
    }


def as_json(sheet: Mapping[str, Any]) -> str:
    """Return a data sheet as text that stays inert where it is put into a web page."""
    text = json.dumps(sheet, indent=1, ensure_ascii=False, allow_nan=False)
    # Inside <script type="application/ld+json">, where such sheets are put, no name may end the element.
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text + "\n"


def _file(path: Path) -> dict[str, Any]:
    guessed = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    parts = [part for part in path.rglob("*") if part.is_file()] if path.is_dir() else [path]
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": path.name,
        "contentSize": f"{sum(part.stat().st_size for part in parts)} B",
        "encodingFormat": guessed,
        "sha256": file_digest(path),
    }


def _records(samples: Path, obs: pd.DataFrame, empty: Mapping[str, str]) -> dict[str, Any]:
    """Return the description of the sample table, a field for each column."""
    columns = {_first_column(samples): ("sc:Text", "Name of the synthetic sample; no person's")}
    for name, column in obs.items():
        columns[str(name)] = (_type(column), f"Left empty: {empty[str(name)]}" if str(name) in empty else "")
    return {
        "@type": "cr:RecordSet",
        "@id": "samples",
        "name": "samples",
        "description": "One row for each synthetic sample",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"samples/{place}",
                "name": name,
                **({"description": told} if told else {}),
                "dataType": kind,
                "source": {"fileObject": {"@id": samples.name}, "extract": {"column": name}},
            }
            for place, (name, (kind, told)) in enumerate(columns.items())
        ],
    }


def _first_column(samples: Path) -> str:
    """Return the header of the column with the samples' names; a table from elsewhere may have none."""
    return str(pd.read_csv(samples, nrows=0).columns[0])


def _type(column: pd.Series[Any]) -> str:
    if pd.api.types.is_bool_dtype(column):
        return "sc:Boolean"
    if pd.api.types.is_integer_dtype(column):
        return "sc:Integer"
    return "sc:Float" if pd.api.types.is_float_dtype(column) else "sc:Text"


def _verdict(verdict: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return policy, outcome and checks as properties."""
    found = [
        ("verdict", verdict.get("outcome"), " ".join(map(str, verdict.get("reasons", ())[:3]))),
        ("policy", verdict.get("policy"), verdict.get("title", "")),
    ]
    found += [(f"check: {one['question']}", one["outcome"], one["reason"]) for one in verdict.get("checks", ())]
    return [
        {"@type": "sc:PropertyValue", "name": name, "value": value, **({"description": told} if told else {})}
        for name, value, told in found
        if value is not None
    ]
