"""`twinseq.plan`: noise against measured noise, ceilings against closed forms, and that profiles are not looked at."""

import dataclasses
import doctest
import json
import math
import re
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse
from scipy.integrate import quad
from scipy.stats import norm

import twinseq as ts
from twinseq.basis import build_basis
from twinseq.cohort import Cohort
from twinseq.dp.budget import Budget, PrivacyWarning
from twinseq.dp.predict import FALSE_ALARMS, ceiling
from twinseq.errors import ConfigError
from twinseq.forecast.noise import APART, PANEL_LEVEL, SPREAD, UNEVEN, Design, predicted
from twinseq.forecast.rehearsal import rehearse
from twinseq.forecast.stand_in import CONTRASTS, make_up
from twinseq.forecast.tracing import traced
from twinseq.generators import _private_moments, dp_copula
from twinseq.generators.dp_copula import DpCopula

DONORS = {"case": 150.0, "control": 250.0}
DELTA = 1e-5


def without_signal(donors: dict[str, float], n_genes: int, seed: int) -> Cohort:
    """Genes as unequal as in public cohorts, no factor and no difference between classes."""
    rng = np.random.default_rng(seed)
    names = np.repeat(list(donors), [int(n) for n in donors.values()])
    location = PANEL_LEVEL + APART * rng.standard_normal(n_genes)
    spread = SPREAD * np.exp(UNEVEN * rng.standard_normal(n_genes))
    x = np.clip(location + spread * rng.standard_normal((len(names), n_genes)), 0.0, 20.0)
    obs = pd.DataFrame({"class": pd.Categorical(names)}, index=[f"s{row}" for row in range(len(names))])
    var = pd.DataFrame(index=[f"g{column}" for column in range(n_genes)])
    return Cohort(AnnData(x, obs=obs, var=var), label="class", kind="continuous")


def fitted(cohort: Cohort, epsilon: float, **settings: object) -> DpCopula:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrivacyWarning)
        return DpCopula(epsilon=epsilon, delta=DELTA, **settings).fit(cohort)


@pytest.mark.parametrize("epsilon", [1.0, 3.0, 10.0])
def test_noise_of_class_means_is_as_predicted(epsilon, monkeypatch):
    """Error of the class means that the generator holds before it shrinks them, on data whose truth is known."""
    cohort = without_signal(DONORS, 600, seed=1)
    measured: dict[str, np.ndarray] = {}
    offsets, shrunk = dp_copula.noisy_offsets, _private_moments.shrunk_offsets

    def spied(rows, codes, *rest):
        truth = np.stack([rows[codes == code].mean(axis=0) for code in range(2)])

        def noisy(raw, noise):
            measured["means"] = np.median(np.abs((raw - truth) / rows.std(axis=0)), axis=1) / norm.ppf(0.75)
            return shrunk(raw, noise)

        monkeypatch.setattr(_private_moments, "shrunk_offsets", noisy)
        return offsets(rows, codes, *rest)

    monkeypatch.setattr(dp_copula, "noisy_offsets", spied)
    runs = []
    for _ in range(3):
        model = fitted(cohort, epsilon)
        # What is divided by is a noisy number of donors; its own noise is another matter.
        runs.append(measured["means"] * model.counts_ / list(DONORS.values()))
    expected = predicted(Design(DONORS, 600, counts=False), Budget(epsilon, DELTA))
    for name, value in zip(DONORS, np.median(runs, axis=0), strict=True):
        assert value == pytest.approx(expected.means[name], rel=0.2)


def test_noise_of_locations_is_as_predicted(monkeypatch):
    cohort = without_signal(DONORS, 600, seed=2)
    errors = []
    scale = dp_copula.noisy_scale

    def spied(x, *rest):
        found = scale(x, *rest)
        errors.append(float(np.sqrt(((found.location - x.mean(axis=0)) ** 2).mean())))
        return found

    monkeypatch.setattr(dp_copula, "noisy_scale", spied)
    for _ in range(3):
        fitted(cohort, 2.0)
    expected = predicted(Design(DONORS, 600, counts=False), Budget(2.0, DELTA))
    assert np.mean(errors) == pytest.approx(expected.location, rel=0.2)


@pytest.mark.parametrize(("basis", "labelled"), [(False, False), (True, False), (True, True)])
def test_the_ledger_holds_the_noise_that_was_predicted(basis, labelled, tmp_path):
    """The shares of the budget are the generator's own: a change of them there changes the plan."""
    cohort = without_signal(DONORS, 300, seed=3)
    settings: dict[str, object] = {}
    if basis:
        public = without_signal({"one": 30.0, "two": 30.0}, 300, seed=4)
        public = public if labelled else dataclasses.replace(public, label=None)
        settings = {"basis": str(build_basis(public).save(tmp_path / "p.basis")), "factors": 8}
    noise = {query.measured: query.noise for query in fitted(cohort, 3.0, **settings).ledger_.queries}
    expected = predicted(Design(DONORS, 300, counts=False), Budget(3.0, DELTA), 8 if basis else None, labelled=labelled)
    assert noise["number of donors in each class"] == pytest.approx(expected.count, rel=1e-3)
    if basis:
        found = noise["means of classes along the basis, round 2"] / DONORS["case"]
        assert found == pytest.approx(expected.along["case"], rel=1e-3)
        assert ("covariance within classes along the basis" in noise) == (expected.loading is not None)


@pytest.mark.parametrize("n_genes", [100, 400, 1600, 6400])
def test_loadings_are_expected_where_the_generator_asks_for_them(n_genes):
    cohort = without_signal({"a": 60.0, "b": 60.0, "c": 60.0}, n_genes, seed=5)
    asked = [query.measured for query in fitted(cohort, 4.0).ledger_.queries]
    expected = predicted(Design({"a": 60, "b": 60, "c": 60}, n_genes, counts=False), Budget(4.0, DELTA))
    assert (expected.loading is not None) == ("covariances of genes with scores" in asked)


def test_ceilings_are_those_of_the_curves():
    for epsilon in (0.1, 1.0, 4.0):
        found = ceiling(Budget(epsilon, DELTA))
        area = quad(lambda a, mu=found.mu: norm.cdf(norm.ppf(a) + mu), 0, 1)[0]
        assert found.auc == pytest.approx(area, abs=1e-6)
        assert found.tpr == pytest.approx(norm.cdf(norm.ppf(FALSE_ALARMS) + found.mu))

        def curve(a, e=epsilon):
            return min(1.0, DELTA + math.exp(e) * a, 1 - math.exp(-e) * (1 - DELTA - a))

        bend = (1 - DELTA) / (1 + math.exp(epsilon))
        assert found.auc_any == pytest.approx(quad(curve, 0, 1, points=[bend, 1 - DELTA])[0], abs=1e-6)
        assert found.tpr_any == pytest.approx(curve(FALSE_ALARMS))
        assert found.auc < found.auc_any
        assert found.tpr < found.tpr_any


def test_a_ceiling_holds_for_the_best_attack_on_a_gaussian_mechanism():
    """Who knows everything but whether one donor is in, and sees the answer with its noise, reaches it and no more."""
    budget = Budget(2.0, DELTA)
    rng = np.random.default_rng(0)
    outside = rng.standard_normal(200_000)
    inside = outside[::-1] + budget.mu
    assert (inside > outside).mean() == pytest.approx(ceiling(budget).auc, abs=0.005)


def test_more_budget_is_less_noise_and_more_leakage():
    found = ts.plan(donors=DONORS, genes=[200, 5000], axes=[10], epsilons=[0.5, 1, 2, 4, 8, 16, 32], repeats=0)
    for route in found.routes:
        noise = [one.noise.means["case"] for one in found.forecasts if one.route == route]
        # The shares of the budget change at one ε; noise must fall all the same.
        assert (np.diff(noise) < 0).all(), route
    areas = [one.auc for one in found.ceilings.values()]
    assert (np.diff(areas) > 0).all()
    assert areas[0] > 0.5
    by_size = [one.noise.means["case"] for one in found.forecasts if one.epsilon == 4 and one.axes is None]
    assert by_size[0] < by_size[1]


def test_tracing_grows_with_genes_and_falls_with_donors():
    few, many = traced(500, {"a": 20, "b": 200}), traced(20_000, {"a": 20, "b": 200})
    assert few.auc["a"] > few.auc["b"] > 0.5
    assert many.auc["a"] > few.auc["a"]
    assert many.effective < 400.0


class Untouchable(Cohort):
    """A cohort whose profiles nobody may read."""

    def dense(self, dtype=np.float64):
        raise AssertionError("the profiles were looked at")


def test_profiles_are_not_looked_at():
    cohort = without_signal({"case": 60.0, "control": 80.0}, 50, seed=6)
    zeros = cohort.with_adata(AnnData(sparse.csr_matrix(cohort.adata.shape), obs=cohort.obs, var=cohort.adata.var))
    hidden = Untouchable(cohort.adata, label="class", kind="continuous")
    settings = {"epsilons": [1, 8], "axes": [5], "repeats": 0}
    plans = [ts.plan(one, **settings).to_dict() for one in (cohort, zeros, hidden)]
    assert plans[0] == plans[1] == plans[2]
    rehearsed = ts.plan(hidden, epsilons=[8], genes=[50], axes=[], repeats=1)
    assert 0 < rehearsed.forecasts[0].f1 < 1.5


def test_a_rehearsal_gets_better_with_budget():
    design = Design({"case": 150, "control": 150}, 300, counts=False)
    steps = []
    found = rehearse(
        design, [0.3, 30.0], DELTA, None, CONTRASTS["tissues"], np.random.default_rng(0), lambda: steps.append(1)
    )
    assert len(steps) == len(found) == 2
    assert found[1].f1 > 0.9
    assert found[1].tpr - found[1].fpr > 0.6 > found[0].tpr - found[0].fpr
    on_basis = rehearse(design, [2.0], DELTA, 5, CONTRASTS["tissues"], np.random.default_rng(0), lambda: None)
    assert on_basis[0].f1 > found[0].f1


def test_a_stand_in_is_what_it_says():
    rng = np.random.default_rng(1)
    people = make_up(np.array([300, 300]), 2000, CONTRASTS["tissues"], PANEL_LEVEL, rng)
    cohort = people.draw(np.array([1500, 1500]), rng)
    x, labels = cohort.dense(), cohort.labels()
    means = np.stack([x[labels == name].mean(axis=0) for name in sorted(set(labels))])
    within = np.concatenate([x[labels == name] - mean for name, mean in zip(sorted(set(labels)), means, strict=True)])
    # Genes at the bounds of the scale are cut off there.
    inside = (means.min(axis=0) > 4) & (means.max(axis=0) < 16)
    spread = within[:, inside].std(axis=0)
    differences = (means[0] - means[1])[inside] / spread
    assert np.sqrt((differences**2).mean()) == pytest.approx(CONTRASTS["tissues"].difference, rel=0.1)
    assert np.median(spread) == pytest.approx(SPREAD, rel=0.1)
    shares = np.linalg.svd(within[:, inside][:, :500] / spread[:500], compute_uv=False) ** 2
    assert shares[0] / shares.sum() == pytest.approx(0.2, abs=0.05)


def test_donors_of_several_classes_count_in_part():
    names = ["s0", "s1", "s2", "s3"]
    obs = pd.DataFrame({"class": ["a", "b", "a", "b"], "who": ["x", "x", "y", "z"]}, index=names)
    adata = AnnData(np.ones((4, 3)), obs=obs, var=pd.DataFrame(index=list("ghi")))
    cohort = Cohort(adata, label="class", donor="who", kind="continuous", paired=True)
    found = ts.plan(cohort, epsilons=[200], delta=0.1, axes=[], repeats=0)
    assert found.donors == {"a": 1.5, "b": 1.5}
    assert "treated as public" in found.notes[0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"donors": {"a": 100, "b": 100}, "delta": 0.02}, "above 1/200"),
        ({"donors": {"a": 100, "b": 3}, "epsilons": [1]}, "Merge it with another class, such as 'a'"),
        ({"donors": {"a": 0, "b": 3}}, "at least one donor"),
        ({"donors": None}, "State the donors"),
        ({"genes": [1]}, "number of genes"),
        ({"genes": ()}, "number of genes"),
        ({"epsilons": [-1]}, "epsilon must be above 0"),
        ({"epsilons": []}, "at least one epsilon"),
        ({"axes": [0]}, "axes"),
        ({"contrast": "subtype"}, "did you mean 'subtypes'"),
    ],
)
def test_what_cannot_be_planned_is_said(settings, words):
    asked = {"donors": DONORS, "genes": [100], "repeats": 0} | settings
    with pytest.raises(ConfigError, match=re.escape(words)):
        ts.plan(**asked)


def test_the_epsilon_that_a_small_class_needs_is_enough():
    with pytest.raises(ConfigError) as refused:
        ts.plan(donors={"a": 100, "b": 6}, genes=[100], epsilons=[1], repeats=0)
    enough = float(re.search(r"epsilon = (\d+) or more", str(refused.value))[1])
    found = ts.plan(donors={"a": 100, "b": 6}, genes=[100], epsilons=[1, enough], axes=[], repeats=0)
    assert [one.lost for one in found.forecasts] == [("b",), ()]


def test_a_page_is_one_file_and_escapes_names(tmp_path):
    name = "<script>alert(1)</script>"
    found = ts.plan(donors={name: 60, "control": 80}, genes=[100], axes=[5], epsilons=[1, 8], repeats=1)
    page = found.to_html(tmp_path / "plan.html").read_text()
    assert name not in page
    assert "&lt;script&gt;alert(1)" in page
    assert 'src="http' not in page
    assert "showSendToCloud: false" in page
    panels = json.loads(re.search(r'id="panels">(.*?)</script>', page)[1])
    assert len(panels) == 5
    kept = [trace["y"] for trace in panels[1]["data"]]
    assert kept == [
        [pytest.approx(one.f1, rel=1e-3) for one in found.forecasts if one.route == route] for route in found.routes
    ]


def test_too_large_a_cohort_is_not_rehearsed():
    found = ts.plan(donors={"a": 20_000, "b": 20_000}, genes=[1000], epsilons=[1], axes=[], repeats=1)
    assert found.forecasts[0].f1 is None
    assert any("too large" in note for note in found.notes)


def test_the_example_in_the_documentation_runs():
    # The module's name belongs to the function.
    results = doctest.testmod(sys.modules["twinseq.plan"])
    assert (results.attempted, results.failed) == (3, 0)
