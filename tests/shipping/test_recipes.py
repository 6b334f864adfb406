"""Image and recipe say what the project says."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RECIPE = yaml.safe_load((ROOT / "packaging" / "conda" / "recipe" / "recipe.yaml").read_text(encoding="utf-8"))
IMAGE = (ROOT / "packaging" / "Dockerfile").read_text(encoding="utf-8")
STEPS = [line for line in IMAGE.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]


def bounds(requirements: list[str]) -> dict[str, str]:
    """Return names and bounds, whatever is written between the two."""
    split = (re.fullmatch(r"([\w.-]+)\s*(.*)", text) for text in requirements)
    return {found[1].lower().replace("_", "-"): found[2].replace(" ", "") for found in split if found}


def test_the_recipe_asks_for_what_the_project_asks_for():
    asked = bounds(RECIPE["requirements"]["run"])
    assert asked.pop("python") == PROJECT["project"]["requires-python"]
    assert asked == bounds(PROJECT["project"]["dependencies"])
    host = bounds(RECIPE["requirements"]["host"])
    assert bounds(PROJECT["build-system"]["requires"]).items() <= host.items()


def test_the_recipe_starts_what_the_project_starts():
    stated = [f"{name} = {target}" for name, target in PROJECT["project"]["scripts"].items()]
    assert RECIPE["build"]["python"]["entry_points"] == stated
    assert (ROOT / "packaging" / "conda" / "recipe" / RECIPE["source"]["path"]).resolve() == ROOT


def test_what_the_image_copies_is_there_and_let_in():
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [
        word for step in STEPS if step.startswith("COPY ") and "--from=" not in step for word in step.split()[1:-1]
    ]
    assert copied
    for name in copied:
        assert (ROOT / name).exists(), name
        assert name in let_in, f"{name} is kept out by .dockerignore"
    assert PROJECT["project"]["readme"] in copied, "the build reads it"


def test_the_image_is_slim_without_root_and_of_a_python_that_is_supported():
    bases = [step.split()[1] for step in STEPS if step.startswith("FROM ")]
    assert all(re.fullmatch(r"python:3\.\d+-slim", base) for base in bases)
    release = bases[0].split(":")[1].removesuffix("-slim")
    assert f"Programming Language :: Python :: {release}" in PROJECT["project"]["classifiers"]
    last = STEPS[max(number for number, step in enumerate(STEPS) if step.startswith("FROM ")) :]
    users = [step.split()[1] for step in last if step.startswith("USER ")]
    assert users == ["twinseq"]
    assert 'ENTRYPOINT ["twinseq"]' in last
    assert not any(extra in IMAGE for extra in ("deep", "torch")), "CPU only"


@pytest.mark.parametrize("extra", re.findall(r"\.\[([\w,]+)\]", IMAGE))
def test_the_extras_of_the_image_exist(extra: str):
    assert set(extra.split(",")) <= set(PROJECT["project"]["optional-dependencies"])
