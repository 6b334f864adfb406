"""`generate --preset share`: a search, a twin with what was found, and the table of what was tried beside it."""

import pandas as pd
import pytest

from twinseq import io
from twinseq.sharing import candidates, tuning

from .conftest import hospital_cohort


@pytest.fixture
def few(monkeypatch):
    """The search of the product, over its first and its tenth setting and one deal of each kind."""
    monkeypatch.setattr(tuning, "usual", lambda basis: candidates(basis)[::9])


def test_settings_are_searched_and_the_twin_is_made_with_what_was_found(twinseq, tmp_path, few):
    io.write(hospital_cohort(n=12, n_genes=60), tmp_path / "real.h5ad")
    out = tmp_path / "out"
    out.mkdir()
    words = ("generate", tmp_path / "real.h5ad", "--preset", "share", "--target-auc", 0.9, "-o", out / "twin.h5ad")
    ended = twinseq(*words, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["generator"] == "share-copula"
    assert any("target AUC of 0.9" in reason for reason in ended.json["reasons"])
    assert sorted(path.name for path in out.iterdir()) == ["twin.h5ad", "twin.h5ad.frontier.tsv"]
    table = pd.read_csv(out / "twin.h5ad.frontier.tsv", sep="\t")
    assert table.chosen.sum() == 2  # as searched and as reported
    text = (out / "twin.h5ad.frontier.tsv").read_text()
    assert "Mrn0x" not in text
    assert "Smp0x" not in text
    twin = io.read(out / "twin.h5ad")
    assert twin.n_samples == 24


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--target-auc", "0.6"), "--target-auc goes with --preset share"),
        (("--preset", "share", "--set", "factors=3"), "searches the settings"),
        (("--preset", "share", "-g", "mvn"), "not of 'mvn'"),
        (("--preset", "share", "--target-auc", "0.4"), "target AUC must lie above 0.5"),
    ],
)
def test_what_does_not_go_together_is_said(twinseq, tmp_path, words, said):
    io.write(hospital_cohort(n=6, n_genes=30), tmp_path / "real.h5ad")
    ended = twinseq("generate", tmp_path / "real.h5ad", *words, "-o", tmp_path / "twin.h5ad")
    assert (ended.code, said in ended.err) == (2, True), ended.err
    assert not (tmp_path / "twin.h5ad").exists()
