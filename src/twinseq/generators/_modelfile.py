"""Model files: arrays and a JSON header in one ``.npz``, tables as Arrow streams, and no pickle anywhere.

A model file may come from another institution, so nothing in it is ever executed.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import CohortError
from ..files import atomic_path

MODEL_FORMAT = 1
DAMAGE = (ValueError, TypeError, KeyError, IndexError, AttributeError, OSError, EOFError, pa.ArrowException)
"""What reading a foreign or damaged file can raise, besides the errors of unzipping."""


def write_model(path: Path, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Path:
    """Write a model file, whole or not at all."""
    text = json.dumps({"format": MODEL_FORMAT, **header}, default=lambda value: value.item())
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, header=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)
    return path


def read_model(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read the header and the arrays of a model file.

    Raises
    ------
    CohortError
        The file is missing or not a model of this format.
    """
    if not path.is_file():
        raise CohortError(f"{path}: no such file.")
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        header = dict(json.loads(arrays.pop("header").tobytes()))
        format_ = header["format"]
    except (*DAMAGE, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise not_a_model(path, error) from error
    if format_ != MODEL_FORMAT:
        raise CohortError(f"{path}: model format {format_}; this version of twinseq reads {MODEL_FORMAT}.")
    return header, arrays


def not_a_model(path: Path, error: Exception) -> CohortError:
    """Return the error that says why ``path`` holds no usable model."""
    reason = (str(error).splitlines() or [""])[0] or type(error).__name__
    return CohortError(f"{path}: not a twinseq model file, or a damaged one ({reason[:200]}).")


def pack_frame(frame: pd.DataFrame) -> NDArray[np.uint8]:
    """Return a table as the bytes of an Arrow stream, which keeps categories even of a table without rows."""
    batch = pa.RecordBatch.from_pandas(frame, preserve_index=True)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return np.frombuffer(sink.getvalue(), dtype=np.uint8)


def unpack_frame(data: NDArray[np.uint8]) -> pd.DataFrame:
    """Invert `pack_frame`."""
    frame: pd.DataFrame = pa.ipc.open_stream(data.tobytes()).read_all().to_pandas()
    return frame
