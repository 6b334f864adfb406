"""Claims and ledgers of releases in files."""

import json

import pytest

from twinseq.dp import Ledger, LedgerError, Query
from twinseq.dp.claims import Claim, add_release, beside, read_claim, read_releases, total_epsilon, write_claim
from twinseq.dp.ledger import GAUSSIAN
from twinseq.errors import CohortError


def claim(noise: float = 2.0, epsilon: float = 4.0) -> Claim:
    ledger = Ledger(["names of genes"], queries=[Query("means", GAUSSIAN, 1.0, noise)])
    return Claim("dp-copula", {"epsilon": epsilon}, epsilon, 1e-5, ledger)


def test_a_claim_comes_back_as_it_was(tmp_path):
    path = write_claim(claim(), beside(tmp_path / "twin.h5ad"))
    assert path.name == "twin.h5ad.ledger.json"
    assert read_claim(path) == claim()
    written = json.loads(path.read_text())
    assert written["spent"] == pytest.approx(claim().ledger.epsilon(1e-5))
    assert written["spent"] < 4
    assert "each donor" in written["statement"]
    assert "names of genes" in written["statement"]


def test_a_claim_that_its_queries_break_is_refused(tmp_path):
    path = write_claim(claim(noise=0.5, epsilon=4.0), tmp_path / "c.json")
    with pytest.raises(LedgerError, match=r"add up to epsilon = 10.*, and it promises 4"):
        read_claim(path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"schema": 1}', '{"schema": 9}', '{"schema": 1, "generator": 3, "parameters": []}']
)
def test_damaged_files_are_refused(tmp_path, text):
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises((CohortError, LedgerError), match=r"c\.json"):
        read_claim(path)
    path.write_text(text)
    with pytest.raises((CohortError, LedgerError), match=r"c\.json"):
        read_releases(path)


def test_releases_add_up_query_by_query(tmp_path):
    path = tmp_path / "cohort.json"
    assert read_releases(path) == []
    first = add_release(claim(), path)
    second = add_release(claim(), path)
    assert [len(first), len(second)] == [1, 2]
    # Two Gaussian mechanisms of noise 2 are one of noise 2 / sqrt 2: less than twice the epsilon of one.
    together = Ledger(queries=[Query("both", GAUSSIAN, 1.0, 2.0 / 2**0.5)]).epsilon(1e-5)
    assert total_epsilon(second, 1e-5) == pytest.approx(together, rel=1e-6)
    assert together < 2 * claim().spent
    assert read_releases(path) == second


def test_a_damaged_ledger_is_not_written_over(tmp_path):
    path = tmp_path / "cohort.json"
    path.write_text('{"schema": 1, "releases": [{"created": "today"}]}')
    with pytest.raises(LedgerError, match="not a ledger of releases"):
        add_release(claim(), path)
    assert "today" in path.read_text()
