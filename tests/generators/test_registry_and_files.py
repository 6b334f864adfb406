"""Generators by name, their parameters, and model files from strangers."""

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from twinseq import generators
from twinseq.errors import CohortError, ConfigError

from .planted import cohort_of, is_private, made, same_draws, takes

NAMES = generators.names()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("copla",), "Unknown generator 'copla'; did you mean 'copula'"),
        (("copula", "faithfull"), "no preset 'faithfull'; did you mean 'faithful'"),
        (("bootstrap", "faithful"), "'bootstrap' has no presets"),
    ],
)
def test_unknown_names(arguments, words):
    with pytest.raises(ConfigError, match=words):
        generators.create(*arguments)


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("copula", {"factor": 3}, "no parameter 'factor'; did you mean 'factors'"),
        ("bootstrap", {"noise": 1}, "'bootstrap' has no parameters"),
        ("copula", {"factors": "abc"}, "copula: factors must be a whole number or None, not 'abc'"),
        ("copula", {"factors": 2.0}, "copula: factors must be a whole number or None, not 2.0"),
        ("copula", {"factors": True}, "copula: factors must be a whole number or None, not True"),
        ("copula", {"factors": -1}, "factors must be 0 or more"),
        ("copula", {"balanced": "yes"}, "copula: balanced must be True or False, not 'yes'"),
        ("copula", {"balanced": 1}, "copula: balanced must be True or False, not 1"),
        ("copula", {"smoothing": 0}, "smoothing must be above 0"),
        ("copula", {"smoothing": None}, "smoothing must be a number, not None"),
        ("copula", {"pooling": float("nan")}, "pooling must be a number, not nan"),
        ("copula", {"pooling": -1.0}, "pooling must be 0 or more"),
        ("independent", {"smoothing": 0}, "smoothing must be above 0"),
        ("independent", {"smoothing": -0.5}, "smoothing must be above 0"),
        ("mvn", {"noise": -0.1}, "noise must be 0 or more"),
        ("mvn", {"noise": float("inf")}, "noise must be a number, not inf"),
        ("lowrank-mvn", {"share": 0}, "share must lie between 0 and 1"),
        ("lowrank-mvn", {"noise": False}, "noise must be a number, not False"),
        ("smote", {"neighbours": 0}, "neighbours must be at least 1"),
        ("smote", {"neighbours": 1.5}, "neighbours must be a whole number, not 1.5"),
    ],
)
def test_wrong_parameters(name, params, words):
    with pytest.raises(ConfigError, match=words):
        generators.create(name, **params)


def test_parameters_are_kept_as_given():
    model = generators.create("copula", preset="faithful", factors=np.int64(4), pooling=3)
    assert model.params() == {"factors": 4, "balanced": True, "smoothing": 0.7, "pooling": 3}


def test_every_generator_says_what_it_is():
    assert {"copula", "independent", "bootstrap", "smote", "mvn", "lowrank-mvn"} <= set(NAMES)
    for name in NAMES:
        entry = generators.info(name)
        assert entry.name == name
        assert entry.kinds
        assert entry.reference
        assert entry.unsafe == (entry.family == "control")


COLUMNS = {
    "group": pd.Categorical(["a", "b"] * 12, categories=["b", "unused", "a"]),
    "batch": pd.Categorical([1, 1, 2, 2] * 6),
    "grade": pd.Categorical(["low", "high", "high"] * 8, categories=["low", "mid", "high"], ordered=True),
    "smoker": [True, False, False, True] * 6,
    "day": pd.to_datetime(["2020-01-31", "2021-02-28", "2020-01-31"] * 8),
    "rare": ["x"] * 21 + ["y", None, "z"],
    "age": pd.array([None, *range(20, 43)], dtype="Int64"),
    "bmi": np.r_[np.nan, np.linspace(18, 40, 23)],
}


# A level that no sample has is a class all the same where names of classes are public, and a small one.
@pytest.mark.filterwarnings("ignore::twinseq.dp.PrivacyWarning")
@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_draws_the_same(name, tmp_path):
    cohort = cohort_of(COLUMNS, label="group", covariates=tuple(COLUMNS)[1:])
    model = made(name, cohort, **({"factors": np.int64(3)} if name == "copula" else {})).fit(cohort, seed=1)
    path = model.save(tmp_path / "model.npz")
    loaded = generators.load(path)
    assert loaded.params() == model.params()
    twin = model.sample(seed=2)
    assert same_draws(twin, loaded.sample(seed=2))
    for column in COLUMNS:
        assert twin.obs[column].dtype == cohort.obs[column].dtype, column
    with np.load(path, allow_pickle=False) as arrays:
        assert all(arrays[key].dtype != object for key in arrays.files)


@pytest.mark.parametrize("name", NAMES)
def test_models_of_continuous_and_sparse_profiles(name, shaped, fits, tmp_path):
    if not takes(name, shaped):
        pytest.skip(f"{name} takes no {shaped.kind} profiles")
    model = made(name, shaped).fit(shaped) if is_private(name) else fits(name, shaped).model
    loaded = generators.load(model.save(tmp_path / "model.npz"))
    assert same_draws(model.sample(seed=2), loaded.sample(seed=2))


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


@pytest.fixture(scope="module")
def model_bytes(tmp_path_factory) -> bytes:
    cohort = cohort_of({"group": ["a", "b"] * 8}, label="group")
    return generators.create("copula").fit(cohort).save(tmp_path_factory.mktemp("m") / "m.npz").read_bytes()


def rewritten(model: bytes, **changes: object) -> bytes:
    """Return the model file with some entries replaced; ``None`` drops one."""
    sink = io.BytesIO()
    with np.load(io.BytesIO(model)) as arrays:
        kept = {key: arrays[key] for key in arrays.files}
    kept = {key: value for key, value in (kept | changes).items() if value is not None}
    np.savez(sink, **kept)
    return sink.getvalue()


def header(**values: object) -> np.ndarray:
    return np.frombuffer(json.dumps(values).encode(), dtype=np.uint8)


def hostile(model: bytes) -> dict[str, bytes]:
    array = io.BytesIO()
    np.save(array, np.zeros(3))
    other_zip = io.BytesIO()
    with zipfile.ZipFile(other_zip, "w") as archive:
        archive.writestr("readme.txt", "hello")
    broken = bytearray(model)
    broken[len(broken) // 3 : len(broken) // 3 + 400] = bytes(400)
    return {
        "empty": b"",
        "text": b"sample,gene\n1,2\n",
        "an array, not a model": array.getvalue(),
        "another archive": other_zip.getvalue(),
        "cut in half": model[: len(model) // 2],
        "cut at the end": model[:-30],
        "overwritten inside": bytes(broken),
        "a pickle": pickle.dumps(Bomb()),
        "a pickled array inside": rewritten(model, **{"state.effects": np.array([Bomb()], dtype=object)}),
        "a pickled header": rewritten(model, header=np.array([Bomb()], dtype=object)),
        "no header": rewritten(model, header=None),
        "a header that is a list": rewritten(model, header=np.frombuffer(b"[1, 2]", dtype=np.uint8)),
        "a header that is no JSON": rewritten(model, header=np.frombuffer(b"{", dtype=np.uint8)),
        "a header without generator": rewritten(model, header=header(format=1)),
        "another format": rewritten(model, header=header(format=99)),
        "no loadings": rewritten(model, **{"state.loadings": None}),
        "no sample table": rewritten(model, obs=None),
        "a sample table of nonsense": rewritten(model, obs=np.zeros(50, dtype=np.uint8)),
    }


def test_files_that_are_no_models(model_bytes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CohortError, match="no such file"):
        generators.load("missing.npz")
    for what, content in hostile(model_bytes).items():
        path = tmp_path / "foreign.npz"
        path.write_bytes(content)
        with pytest.raises(CohortError, match=r"not a twinseq model file|model format 99") as caught:
            generators.load(path)
        assert str(path) in str(caught.value), what
        assert not Path("exploded").exists(), what


def test_a_model_of_an_unknown_generator_or_parameter(model_bytes, tmp_path):
    path = tmp_path / "model.npz"
    path.write_bytes(rewritten(model_bytes, header=header(format=1, generator="copulla", params={})))
    with pytest.raises(ConfigError, match="did you mean 'copula'"):
        generators.load(path)
    path.write_bytes(rewritten(model_bytes, header=header(format=1, generator="copula", params={"factors": "many"})))
    with pytest.raises(ConfigError, match="factors must be a whole number"):
        generators.load(path)
