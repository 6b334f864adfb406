"""The pages as a browser without scripts sees them, over a workplace of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import twinseq as ts

pytest.importorskip("starlette", reason="twinseq[app] is not installed")
pytest.importorskip("python_multipart", reason="twinseq[app] is not installed")
pytest.importorskip("httpx2", reason="httpx2 is not installed")

from starlette.testclient import TestClient

from twinseq.app.site import site
from twinseq.app.workplace import Workplace
from twinseq.datasets import simulate_cohort
from twinseq.io import write

TOKEN = "s3cret"
MOST = 3_000_000
NASTY = "<script>alert(1)</script>"


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    folder = tmp_path / "place"
    folder.mkdir()
    place = Workplace(folder)
    yield place
    place.forget()


@pytest.fixture
def client(workplace: Workplace) -> TestClient:
    return TestClient(site(workplace, TOKEN, MOST, ["testserver"]))


@pytest.fixture(scope="module")
def cohort_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cohort = simulate_cohort(20, 20, 60, n_batches=2, seed=0)
    path = tmp_path_factory.mktemp("cohort") / "cohort.h5ad"
    write(cohort, path)
    return path


def sent(client: TestClient, path: Path, name: str | None = None, **more: Any) -> Any:
    files = {"cohort": (name or path.name, path.read_bytes()), **more}
    return client.post(f"/{TOKEN}/files", files=files)


def test_nothing_without_the_token(client: TestClient):
    for path in ("/", "/wrong/", "/wrong/files", "/s3cre/", f"//{TOKEN}/", "/app.css"):
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert "twinseq" not in answer.text
    assert client.get(f"/{TOKEN}/").status_code == 200


def test_another_host_is_refused(client: TestClient):
    assert client.get(f"/{TOKEN}/", headers={"host": "evil.example"}).status_code == 400


def test_every_answer_has_the_headers(client: TestClient):
    for path in ("/", f"/{TOKEN}/", f"/{TOKEN}/app.js", f"/{TOKEN}/nowhere", f"/{TOKEN}/run/state"):
        headers = client.get(path).headers
        assert headers["cache-control"] == "no-store", path
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]


def test_a_file_comes_in_under_a_name_of_ours(client: TestClient, workplace: Workplace, cohort_file: Path):
    page = sent(client, cohort_file, f"../../etc/{NASTY}.h5ad")
    assert page.status_code == 200
    assert NASTY not in page.text
    assert "&lt;script&gt;" in page.text
    kept = [path.relative_to(workplace.folder).as_posix() for path in workplace.folder.rglob("*") if path.is_file()]
    assert kept == ["incoming/cohort.h5ad"]


def test_columns_are_offered_and_none_is_chosen(client: TestClient, cohort_file: Path):
    page = sent(client, cohort_file).text
    obs = ts.read(cohort_file).obs
    for name in obs.columns:
        assert f'value="{name}"' in page
    assert "selected" not in page
    assert '<option value="">there is none' in page


def test_nothing_that_one_person_alone_has_is_named(client: TestClient, tmp_path: Path, cohort_file: Path):
    cohort = ts.read(cohort_file)
    adata = cohort.adata.copy()
    adata.obs["nickname"] = ["Zaphod", *["other"] * (adata.n_obs - 1)]
    adata.write_h5ad(tmp_path / "named.h5ad")
    page = sent(client, tmp_path / "named.h5ad").text
    assert "nickname (2 values)" in page
    assert "Zaphod" not in page


def test_names_of_columns_are_inert(client: TestClient, tmp_path: Path, cohort_file: Path):
    adata = ts.read(cohort_file).adata.copy()
    adata.obs[f"{NASTY}"] = [NASTY, "b"] * (adata.n_obs // 2)
    samples, profiles = tmp_path / "samples.csv", tmp_path / "counts.csv"
    adata.obs.to_csv(samples)
    adata.to_df().astype(int).T.to_csv(profiles)
    page = sent(client, profiles, samples=("samples.csv", samples.read_bytes())).text
    assert NASTY not in page
    assert page.count("&lt;script&gt;") > 2


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("cohort.pkl", b"x", "not a file that can be read here"),
        ("cohort.h5ad", b"not hdf5", "cohort.h5ad"),
        ("counts.csv", b"gene,a\nx,1\n", "needs a table of samples"),
    ],
)
def test_a_bad_file_is_told_and_not_kept(
    client: TestClient, workplace: Workplace, name: str, content: bytes, words: str
):
    answer = client.post(f"/{TOKEN}/files", files={"cohort": (name, content)})
    assert answer.status_code == 400
    assert words in answer.text
    assert str(workplace.folder) not in answer.text
    assert not list(workplace.folder.rglob("*"))


def test_a_bad_file_costs_not_the_one_before(client: TestClient, workplace: Workplace, cohort_file: Path):
    sent(client, cohort_file)
    assert client.post(f"/{TOKEN}/files", files={"cohort": ("cohort.pkl", b"x")}).status_code == 400
    assert workplace.arrived is not None


def test_too_large_a_file(client: TestClient, workplace: Workplace):
    answer = client.post(f"/{TOKEN}/files", files={"cohort": ("cohort.h5ad", b"0" * (MOST + 1))})
    assert answer.status_code == 413
    assert "--max-upload" in answer.text
    assert not list(workplace.folder.rglob("*"))


def test_length_that_is_not_told(client: TestClient):
    def pieces() -> Iterator[bytes]:
        yield b"0" * 1000

    answer = client.post(
        f"/{TOKEN}/files", content=pieces(), headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert answer.status_code == 411


FORM = {"label": "condition", "kind": "counts", "preset": "faithful", "policy": "partner", "splits": "5", "seed": "0"}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"label": "nowhere"}, "no column"),
        ({"label": "batch", "donor": "batch"}, "one role only"),
        ({"preset": "<b>"}, "preset: choose one of"),
        ({"policy": "/etc/passwd"}, "policy: choose one of"),
        ({"kind": ""}, "kind: choose one of"),
        ({"seed": "many"}, "is not a whole number"),
        ({"seed": "-3"}, "must be from 0"),
        ({"preset": "dp", "epsilon": "0"}, "must be from 0.01"),
        ({"preset": "dp", "epsilon": "nan"}, "must be from 0.01"),
        ({"splits": "500"}, "must be from 1 to 20"),
    ],
)
def test_orders_that_were_not_offered(
    client: TestClient, workplace: Workplace, cohort_file: Path, changed: dict[str, str], words: str
):
    sent(client, cohort_file)
    answer = client.post(f"/{TOKEN}/runs", data={**FORM, **changed})
    assert answer.status_code == 400
    assert words in re.sub("&#39;", "'", answer.text)
    assert workplace.job is None


def test_pages_before_their_time_lead_back(client: TestClient):
    for page in ("columns", "run", "result"):
        answer = client.get(f"/{TOKEN}/{page}")
        assert answer.url.path == f"/{TOKEN}/"
    assert client.get(f"/{TOKEN}/result/report.html").status_code == 404
    assert client.get(f"/{TOKEN}/result/files/metrics.json").status_code == 404


def test_everything_is_deleted_when_asked(client: TestClient, workplace: Workplace, cohort_file: Path):
    sent(client, cohort_file)
    assert list(workplace.folder.iterdir())
    client.post(f"/{TOKEN}/forget")
    assert not list(workplace.folder.iterdir())
    assert workplace.arrived is None


def test_state_changes_only_by_post(client: TestClient):
    for page in ("files", "runs", "run/stop", "forget"):
        assert client.get(f"/{TOKEN}/{page}").status_code == 405


def waited(client: TestClient, phase: Callable[[str], bool]) -> dict[str, Any]:
    import time

    for _ in range(600):
        state: dict[str, Any] = client.get(f"/{TOKEN}/run/state").json()
        if phase(state["phase"]):
            return state
        time.sleep(0.2)
    raise AssertionError(state)


def test_work_that_fails_says_why(client: TestClient, workplace: Workplace, cohort_file: Path):
    sent(client, cohort_file)
    client.post(f"/{TOKEN}/runs", data={**FORM, "donor": "condition", "label": ""})
    state = waited(client, lambda phase: phase != "running")
    assert state["phase"] == "failed", state
    assert str(workplace.folder) not in state["text"]
    assert "donor" in state["text"]
    page = client.get(f"/{TOKEN}/run").text
    assert "It could not be done" in page


def test_work_can_be_stopped(client: TestClient, workplace: Workplace, cohort_file: Path):
    sent(client, cohort_file)
    client.post(f"/{TOKEN}/runs", data=FORM)
    assert sent(client, cohort_file).status_code == 400, "a cohort was replaced under a running job"
    client.post(f"/{TOKEN}/run/stop")
    assert workplace.state().phase == "stopped"
    assert "Stopped" in client.get(f"/{TOKEN}/run").text
