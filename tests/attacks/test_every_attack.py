"""What holds for every bulk attack: nothing found where nothing leaks, hard data, absent classes, and little memory."""

import tracemalloc
from functools import cache

import numpy as np
import pytest
from planted_donors import CASES, FEW_TREES, label, leaky, like, outcome, rows, world

from twinseq.attacks import NotApplicableError, Samples, View, _classifiers, get
from twinseq.attacks.roc import auc, tie_fraction

ERROR = np.sqrt(201 / (12 * 100 * 100))
"""Standard error of the area for 100 members and 100 non-members who do not differ."""
COUNTS = ("negative binomial", "sparse counts", "sparse counts, depth included")
"""Settings of `marginal_llr` that take raw counts only."""
every_case = pytest.mark.parametrize("case", CASES, ids=label)


@cache
def strangers(kind):
    donors = world(kind)
    return donors.view(donors.strangers)


@pytest.mark.parametrize("kind", ["continuous", "counts"])
@every_case
def test_a_twin_of_other_donors_gives_nobody_away(case, kind):
    scores = outcome(case, strangers(kind))
    if scores is None:
        assert kind == "continuous"
        assert case[0] == "quantile_replay" or case[2] in COUNTS
    else:
        assert tie_fraction(scores) < 0.2
        assert abs(auc(scores[:100], scores[100:]) - 0.5) < 4 * ERROR


def a_few_constant_genes(twin, targets, reference):
    values = twin.values.copy()
    values[:, :20] = values[0, :20]
    return like(twin, values), targets, reference


def a_class_of_clones(twin, targets, reference):
    values = twin.values.copy()
    values[twin.labels == "a"] = values[0]
    return like(twin, values), targets, reference


def one_sample_again_and_again(twin, targets, reference):
    return rows(twin, np.zeros(len(twin), dtype=int)), targets, reference


def one_class(twin, targets, reference):
    return tuple(side.subset(side.labels == "a") for side in (twin, targets, reference))


def of_each_class(n):
    def few(side):
        return rows(side, np.concatenate([np.flatnonzero(side.labels == name)[:n] for name in "ab"]))

    return few


def two_samples_of_a_class(twin, targets, reference):
    few = of_each_class(2)
    return few(twin), few(targets), few(reference)


def two_twin_samples_of_a_class(twin, targets, reference):
    return of_each_class(2)(twin), targets, reference


def one_reference_sample_of_a_class(twin, targets, reference):
    return twin, targets, of_each_class(1)(reference)


def one_target(twin, targets, reference):
    return twin, rows(targets, [0]), reference


def genes(n):
    def change(*sides):
        return tuple(like(side, side.values[:, 10 : 10 + n]) for side in sides)

    change.__name__ = f"{n}_genes"
    return change


def duplicates_in_the_twin(twin, targets, reference):
    return rows(twin, np.random.default_rng(0).integers(0, 40, 40)), targets, reference


def huge_values(*sides):
    return tuple(like(side, side.values * 10**6) for side in sides)


def one_gene_takes_nearly_all(*sides):
    out = []
    for side in sides:
        values = side.values.copy()
        values[:, 0], values[:, 1] = 10**9, 0
        values[0, 1] = 1
        out.append(like(side, values))
    return out


def zeros_for_a_gene_of_the_twin(twin, targets, reference):
    values = twin.values.copy()
    values[:, 7] = 0
    return like(twin, values), targets, reference


def zeros_for_a_gene_of_the_reference(twin, targets, reference):
    return (twin, targets, zeros_for_a_gene_of_the_twin(reference, targets, reference)[0])


def zeros_for_a_gene_of_the_targets(twin, targets, reference):
    return (twin, zeros_for_a_gene_of_the_twin(targets, targets, reference)[0], reference)


def the_twin_is_the_reference(twin, targets, reference):
    return reference, targets, reference


def the_targets_are_the_twin(twin, targets, reference):
    return targets, targets, reference


HARD = [
    a_few_constant_genes,
    a_class_of_clones,
    one_sample_again_and_again,
    one_class,
    two_samples_of_a_class,
    two_twin_samples_of_a_class,
    one_reference_sample_of_a_class,
    one_target,
    genes(1),
    genes(2),
    genes(10),
    duplicates_in_the_twin,
    huge_values,
    one_gene_takes_nearly_all,
    zeros_for_a_gene_of_the_twin,
    zeros_for_a_gene_of_the_reference,
    zeros_for_a_gene_of_the_targets,
    the_twin_is_the_reference,
    the_targets_are_the_twin,
]


@pytest.mark.parametrize("kind", ["continuous", "counts"])
@pytest.mark.parametrize("hard", HARD, ids=lambda change: change.__name__)
def test_hard_data_give_finite_scores_or_a_reason(hard, kind, monkeypatch):
    monkeypatch.setattr(_classifiers, "TREES", FEW_TREES)
    donors = world(kind, 20, 60)
    view = View("T1", *hard(leaky(donors.members), donors.targets, donors.reference), seed=1)
    scored = 0
    for case in CASES:
        scores = outcome(case, view)  # which raises where a score is not a finite number
        scored += scores is not None
    assert scored >= {"one_sample_again_and_again": 4, "1_genes": 1}.get(hard.__name__, 15)


def test_more_samples_than_genes_leave_most_attacks_standing():
    donors = world("continuous", 50, 20)
    view = donors.view(leaky(donors.members))
    reasons = {label(case) for case in CASES if outcome(case, view) is None}
    assert reasons == {
        "span_residual-T0",
        "span_residual-T1",
        "domias_kde-T1-50 axes",
        "domias_kde-T1-150 axes",
        "gaussian_lrt-T1-rank 20",
        "gaussian_lrt-T1-rank 50",
        "subspace_tracing-T1-means, 50 axes",
        "subspace_tracing-T1-contrasts, 50 axes",
        *(f"marginal_llr-T1-{setting}" for setting in COUNTS),
    }


CLASSLESS = {"nearest_distance", "mc", "gan_leaks_calibrated", "logan_d1", "domias_kde"}
MISSING = [
    (whose, case)
    for whose, level in (("twin", "T0"), ("reference", "T1"))
    for case in CASES
    if case[0] not in CLASSLESS and case[1] >= level
]


def without(side, name):
    return rows(side, side.labels != name)


@pytest.mark.parametrize(("whose", "case"), MISSING, ids=lambda part: part if isinstance(part, str) else label(part))
def test_a_class_that_is_missing_is_named(whose, case):
    donors = world("counts", 70, 90)
    sides = {"twin": leaky(donors.members), "targets": donors.targets, "reference": donors.reference}
    sides[whose] = without(sides[whose], "b")
    view = View("T1", **sides).at(case[1])
    with pytest.raises(NotApplicableError, match="class 'b'"):
        get(case[0]).score(view, case[2])


@every_case
def test_a_class_that_only_the_reference_has_is_nobodys_business(case, monkeypatch):
    monkeypatch.setattr(_classifiers, "TREES", FEW_TREES)
    donors = world("counts", 70, 160)
    twin, targets = without(leaky(donors.members), "b"), without(donors.targets, "b")
    labels = np.where(donors.reference.labels == "b", "z", "a")
    reference = Samples(donors.reference.values, labels, "counts")
    alone = View("T1", twin, targets, without(donors.reference, "b"), seed=1)
    if outcome(case, alone) is not None:
        assert outcome(case, View("T1", twin, targets, reference, seed=1)) is not None


@pytest.mark.slow
def test_memory_grows_with_pairs_of_samples_and_not_with_their_genes():
    """300 × 300 × 2,000 numbers would take 1.4 GB; a side's profiles take 5 MB, and shared work is kept."""
    donors = world("counts", 150, 2000)
    targets = rows(donors.targets, np.arange(0, 600, 2))
    view = View("T1", leaky(donors.members), targets, donors.reference)
    tracemalloc.start()
    try:
        for case in CASES:
            outcome(case, view)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 180e6
