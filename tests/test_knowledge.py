"""Generators as an attacker knows them."""

import dataclasses

import numpy as np
import pytest

from twinseq import generators
from twinseq.attacks import NotApplicableError
from twinseq.datasets import simulate_cells, simulate_cohort
from twinseq.knowledge import KnownGenerator, KnownModel, cohort_of, samples_of


@pytest.fixture(scope="module")
def cohort():
    return simulate_cohort(14, 16, 120, seed=2)


def test_samples_become_a_cohort_and_back(cohort):
    samples = samples_of(cohort)
    dressed = cohort_of(samples)
    assert dressed.label == "class"
    assert dressed.genes[:2].tolist() == ["g0", "g1"]
    again = samples_of(dressed)
    assert np.array_equal(again.values, samples.values)
    assert again.labels.tolist() == samples.labels.tolist()
    assert again.kind == samples.kind
    assert cohort_of(samples.subset(np.flatnonzero(samples.labels == "case"))).label is None


def test_what_is_known_is_what_was_fitted(cohort):
    """The attacker's fit of a generator is the generator's own, for a cohort without covariates."""
    known = KnownGenerator("copula", "faithful", {"factors": 3}).fit(samples_of(cohort), 5)
    bare = cohort_of(samples_of(cohort))
    own = generators.create("copula", "faithful", factors=3).fit(bare, seed=5)
    labels = np.array(["control", "case", "control"])
    drawn = known.draw(labels, 9)
    assert drawn.labels.tolist() == labels.tolist()
    design = cohort_of(drawn).obs[["class"]]
    assert np.array_equal(drawn.values, own.sample(design=design, seed=9).dense())
    np.testing.assert_allclose(known.losses(samples_of(cohort)), own.losses(bare))
    np.testing.assert_allclose(known.log_likelihood(samples_of(cohort)), own.log_likelihood(bare))


def test_a_model_file(cohort, tmp_path):
    """Real gene names and columns, covariates among them, come from the file; samples have neither."""
    generator = generators.create("copula").fit(cohort)
    model = KnownModel(generators.load(generator.save(tmp_path / "model.npz")))
    samples = samples_of(cohort)
    np.testing.assert_allclose(model.losses(samples), generator.losses(cohort))
    drawn = model.draw(samples.labels, 0)
    assert drawn.values.shape == samples.values.shape
    assert drawn.labels.tolist() == samples.labels.tolist()


def test_one_class(cohort):
    samples = samples_of(cohort)
    cases = samples.subset(np.flatnonzero(samples.labels == "case"))
    model = KnownGenerator("mvn").fit(cases, 0)
    assert model.draw(np.array(["case"] * 3), 0).values.shape == (3, 120)
    assert model.losses(cases).shape[0] == 14
    with pytest.raises(NotApplicableError, match="class 'control' is unknown to the model"):
        model.losses(samples)
    with pytest.raises(NotApplicableError, match="class 'control' is unknown to the model"):
        model.draw(samples.labels, 0)


def test_label_and_cell_type():
    cells = simulate_cells(3, 3, 60, cells_per_donor=30, n_cell_types=2, seed=0)
    model = KnownModel(generators.create("independent").fit(cells))
    key = f"case / {cells.obs['cell_type'].iloc[0]}"
    assert model.draw(np.array([key, key]), 0).labels.tolist() == [key, key]
    with pytest.raises(NotApplicableError, match="class 'case' is unknown"):
        model.draw(np.array(["case"]), 0)


def test_refusals(cohort):
    samples = samples_of(cohort)
    with pytest.raises(NotApplicableError, match="'smote' has no loss"):
        KnownGenerator("smote").fit(samples, 0).losses(samples)
    with pytest.raises(NotApplicableError, match="'smote' states no likelihood"):
        KnownGenerator("smote").fit(samples, 0).log_likelihood(samples)
    model = KnownGenerator("mvn").fit(samples, 0)
    with pytest.raises(NotApplicableError, match="the model has 120 genes, and the samples 50"):
        model.losses(samples.genes(np.arange(50)))
    rows = np.r_[np.flatnonzero(samples.labels == "case")[:1], np.flatnonzero(samples.labels == "control")]
    lonely = samples.subset(rows)
    with pytest.raises(NotApplicableError, match=r"cannot be fitted: .*class 'case' has 1 sample"):
        KnownGenerator("mvn").fit(lonely, 0)


def test_cells_are_dressed_with_types_and_people():
    cells = simulate_cells(2, 2, 30, seed=0, cells_per_donor=5, n_cell_types=2)
    held = samples_of(cells)
    assert held.labels.tolist() == cells.classes().tolist()
    assert held.people.tolist() == cells.donors().tolist()
    dressed = cohort_of(held)
    assert dressed.cell_type is not None
    assert dressed.label is None
    assert dressed.classes().tolist() == held.labels.tolist()
    assert dressed.donors().tolist() == held.people.tolist()
    assert samples_of(dressed).cells
    twin = cohort_of(dataclasses.replace(held, people=None))
    assert twin.donor is None
    assert samples_of(twin).people is None
