"""Blue team, red team and figures of the first track, on small files."""

import numpy as np
import pandas as pd
import pytest

from challenge import write_files
from twinseq import camda, generators, metrics
from twinseq.attacks.roc import auc
from twinseq.camda.classes import told_classes
from twinseq.errors import CohortError, ConfigError, TwinseqError
from twinseq.knowledge import KnownGenerator


@pytest.fixture(scope="module")
def cohort(files):
    return camda.read_cohort(files.expression, files.subtypes)


@pytest.fixture(scope="module")
def splits(files, cohort):
    return camda.read_splits(files.splits, cohort)


@pytest.fixture(scope="module")
def twins(cohort, splits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("twins")
    camda.blue(cohort, splits, folder, "copula", "faithful", seed=3)
    return folder


@pytest.fixture
def few_worlds(monkeypatch):
    """Less work, where the strength of the answer is not the question."""
    monkeypatch.setattr("twinseq.camda.membership.WORLDS", 1)
    few = {name: KnownGenerator(name) for name in ("mvn", "copula")}
    monkeypatch.setattr("twinseq.camda.stand_ins.stand_ins", lambda: few)


def test_the_blue_team_writes_the_kits_tables(twins, cohort, splits):
    assert sorted(path.name for path in twins.iterdir()) == [
        f"synthetic_{what}_split_{number}.csv" for what in ("data", "labels") for number in (1, 2)
    ]
    for split in splits:
        data = pd.read_csv(twins / f"synthetic_data_split_{split.number}.csv")
        labels = pd.read_csv(twins / f"synthetic_labels_split_{split.number}.csv")
        assert list(data.columns) == list(cohort.genes)
        assert len(data) == len(split.train)
        assert list(labels.columns) == ["Subtype"]
        counts = pd.Series(cohort.labels()[split.train]).value_counts().to_dict()
        assert labels["Subtype"].value_counts().to_dict() == counts


def test_a_twin_is_of_its_training_part_and_read_back_to_the_last_digit(cohort, splits, twins):
    split = splits[1]
    model = generators.create("copula", "faithful").fit(cohort.subset(split.train), seed=3)
    read = camda.read_twin(twins / "synthetic_data_split_2.csv", cohort)
    np.testing.assert_array_equal(read.dense(), model.sample(seed=4).dense())
    assert read.label == "Subtype"


def test_the_same_seed_gives_the_same_bytes(cohort, splits, twins, tmp_path):
    camda.blue(cohort, splits, tmp_path, "copula", "faithful", seed=3, jobs=2)
    for path in twins.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_nothing_is_left_of_a_run_that_fails(cohort, splits, tmp_path):
    with pytest.raises(TwinseqError):
        camda.blue(cohort, splits, tmp_path / "out", "scdesign2")
    assert not (tmp_path / "out").exists()


def test_a_private_twin_has_its_claim_beside_it_and_all_together_cost_more(cohort, splits, tmp_path):
    settings = {"epsilon": 20.0, "delta": 1e-3, "bounds": "0:20"}
    made = camda.blue(cohort, splits, tmp_path, "dp-copula", None, settings)
    assert all(path.exists() for one in made for path in one.files)
    assert [len(one.files) for one in made] == [3, 3]
    together = camda.promised_together(made)
    assert together is not None
    assert 20 < together[0] < 40.1


def membership(cohort, split):
    return np.isin(np.arange(cohort.n_samples), split.train)


def guessed(cohort, twin, generator=None, classes=True):
    frame = pd.DataFrame(twin.dense(), columns=twin.genes)
    return camda.red(cohort, frame, twin.labels() if classes else None, None, generator, seed=5)


def test_copies_are_found_and_their_maker_is_recognised(cohort, splits, monkeypatch):
    monkeypatch.setattr("twinseq.camda.membership.WORLDS", 2)
    split = splits[0]
    twin = generators.create("bootstrap").fit(cohort.subset(split.train), seed=0).sample(500, seed=1)
    found = guessed(cohort, twin)
    member = membership(cohort, split)
    assert list(found.people) == list(cohort.adata.obs_names)
    assert auc(found.values[member], found.values[~member]) > 0.97
    assert found.maker == "bootstrap"
    assert min(found.expected) > 0.5


@pytest.mark.parametrize("name", ["mvn", "smote", "independent"])
def test_an_unknown_generator_is_recognised(cohort, splits, monkeypatch, name):
    monkeypatch.setattr("twinseq.camda.membership.WORLDS", 1)
    few = {one: KnownGenerator(one) for one in ("mvn", "smote", "independent", "nmf")}
    monkeypatch.setattr("twinseq.camda.stand_ins.stand_ins", lambda: few)
    twin = generators.create(name).fit(cohort.subset(splits[0].train), seed=0).sample(seed=1)
    assert guessed(cohort, twin).maker == name


def test_a_stand_in_that_cannot_be_fitted_costs_only_itself(cohort, splits, monkeypatch):
    monkeypatch.setattr("twinseq.camda.membership.WORLDS", 1)
    few = {one: KnownGenerator(one) for one in ("scdesign2", "mvn")}
    monkeypatch.setattr("twinseq.camda.stand_ins.stand_ins", lambda: few)
    twin = generators.create("mvn").fit(cohort.subset(splits[0].train), seed=0).sample(seed=1)
    found = guessed(cohort, twin)
    assert found.maker == "mvn"
    assert any(note.startswith("scdesign2: ") for note in found.notes)
    monkeypatch.setattr("twinseq.camda.stand_ins.stand_ins", lambda: {"scdesign2": KnownGenerator("scdesign2")})
    with pytest.raises(CohortError, match="No twin could be made to learn from"):
        guessed(cohort, twin)


def test_who_knows_the_generator_finds_more_than_any_single_attack_promises(cohort, splits):
    split = splits[0]
    member = membership(cohort, split)
    twin = generators.create("mvn").fit(cohort.subset(split.train), seed=0).sample(seed=1)
    knowing = guessed(cohort, twin, generators.create("mvn"))
    assert auc(knowing.values[member], knowing.values[~member]) > 0.75
    assert np.mean(knowing.expected) > 0.75


def test_a_twin_of_other_people_tells_nothing(cohort, splits, files, few_worlds):
    others = camda.read_reference(files.reference, files.subtypes, cohort)
    member = membership(cohort, splits[0])
    areas = []
    for seed in range(3):
        twin = generators.create("mvn").fit(others, seed=seed).sample(seed=seed)
        found = guessed(cohort, twin)
        areas.append(auc(found.values[member], found.values[~member]))
    # The standard error of one area of 90 against 45 is .052.
    assert 0.5 - 3 * 0.052 < np.mean(areas) < 0.5 + 3 * 0.052


def test_classes_are_told_where_the_twin_comes_without_labels(cohort, splits, few_worlds):
    twin = generators.create("copula").fit(cohort.subset(splits[0].train), seed=0).sample(seed=1)
    told = told_classes(cohort.dense(), cohort.labels(), twin.dense())
    assert (told == twin.labels()).mean() > 0.9
    assert any("told by a classifier" in note for note in guessed(cohort, twin, classes=False).notes)


def test_a_twin_of_some_genes_can_be_attacked_and_a_class_without_twin_samples_gets_one_half(
    cohort, splits, few_worlds
):
    split = splits[0]
    twin = generators.create("bootstrap").fit(cohort.subset(split.train), seed=0).sample(400, seed=1)
    only = twin.subset(twin.labels() == "BRCA.LumA").take_genes(np.arange(100))
    frame = pd.DataFrame(only.dense(), columns=only.genes)
    found = camda.red(cohort, frame, only.labels(), seed=5)
    luminal = cohort.labels() == "BRCA.LumA"
    assert (found.values[~luminal] == 0.5).all()
    assert any("BRCA.Basal" in note for note in found.notes)
    member = membership(cohort, split)
    assert auc(found.values[luminal & member], found.values[luminal & ~member]) > 0.95


def test_decisions_call_the_share_that_was_asked_for():
    values = np.array([0.1, 0.9, 0.5, 0.7])
    assert camda.decided(values, 0.5).tolist() == [0, 1, 0, 1]


def test_predictions_are_one_column_in_the_order_of_the_cohort(tmp_path):
    path = camda.write_predictions(np.array([0.25, 0.75]), tmp_path, 4)
    assert path.name == "synthetic_data_4_predictions.csv"
    assert path.read_text() == "membership_label\n0.25\n0.75\n"


def test_the_figures_are_those_of_the_registry_on_the_split(cohort, splits, twins):
    twin = camda.read_twin(twins / "synthetic_data_split_1.csv", cohort)
    figures = camda.score_twin(cohort, splits[0], twin)
    assert set(figures["metric"]) == {name for name in metrics.names() if metrics.get(name).group == "paper"}
    by_name = figures.set_index("metric")
    train, test = (cohort.subset(rows).dense() for rows in (splits[0].train, splits[0].test))
    nearest = np.linalg.norm(test[:, None] - train[None], axis=2).min(axis=1).mean()
    assert by_name.loc["paper_dcr_base", "value"] == pytest.approx(nearest)
    assert by_name.loc["paper_dcr", "kit"] == "distance_to_closest"
    assert by_name.loc["paper_accuracy", "value"] > 0.8
    both = pd.concat([figures, figures.assign(split="split_2", value=figures["value"] + 1)])
    means = camda.mean_over_splits(both).set_index("metric")
    assert means.loc["paper_dcr", "value"] == pytest.approx(by_name.loc["paper_dcr", "value"] + 0.5)
    assert means.loc["paper_dcr", "splits"] == 2


def test_scores_of_predictions_by_hand():
    member = np.array([True, True, True, False, False])
    found = camda.score_membership(np.array([0.9, 0.8, 0.3, 0.4, 0.1]), member)
    assert found["auc"] == pytest.approx(5 / 6)
    assert found["accuracy"] == pytest.approx(4 / 5)  # two above the median of .4, both members
    assert found["tpr_at_fpr_0.1"] == pytest.approx(2 / 3)
    decided = camda.score_membership(np.array([1.0, 1.0, 1.0, 1.0, 0.0]), member)
    assert decided["accuracy"] == pytest.approx(4 / 5)


def test_predictions_and_truth_have_to_fit(tmp_path):
    guesses = camda.write_predictions(np.array([0.2, 0.8, 0.5]), tmp_path, 1)
    truth = tmp_path / "MIA_lbl_split_1.csv"
    truth.write_text(",membership_label\nA,1.0\nB,0.0\n")
    with pytest.raises(CohortError, match=r"3 row\(s\), and .* has 2"):
        camda.read_predictions(guesses, truth)
    truth.write_text(",membership_label\nA,1.0\nB,0.0\nC,0.5\n")
    with pytest.raises(CohortError, match=r"0 or 1, and not 0\.5"):
        camda.read_predictions(guesses, truth)
    truth.write_text(",membership_label\nA,1.0\nB,0.0\nC,0.0\n")
    scores, member = camda.read_predictions(guesses, truth)
    assert scores.tolist() == [0.2, 0.8, 0.5]
    assert member.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("data", "labels", "message"),
    [
        (",ENSG00000000000\n0,1.5\n", None, "are no genes of"),
        ("ENSG00000000000\n1.5\n", None, r"lacks 149 gene\(s\)"),
        (None, "Subtype\nBRCA.LumA\n", r"1 row\(s\) and 1 column\(s\)"),
        (None, "Subtype\n" + "BRCA.Lumina\n" * 3, "class 'BRCA.Lumina' is not in .*did you mean 'BRCA.LumA'"),
        ("ENSG00000000000,ENSG00000000000\n1,2\n", None, "duplicate column name"),
    ],
)
def test_bad_twins_say_where(cohort, tmp_path, data, labels, message):
    path = tmp_path / "synthetic_data_split_1.csv"
    three = pd.DataFrame(cohort.dense()[:3], columns=cohort.genes)
    path.write_text(three.to_csv(index=False) if data is None else data)
    camda.labels_beside(path).write_text("Subtype\n" + "BRCA.LumA\n" * 3 if labels is None else labels)
    with pytest.raises(CohortError, match=message):
        camda.read_twin(path, cohort)


def test_a_cell_that_is_no_number_is_named(cohort, tmp_path):
    path = tmp_path / "synthetic_data_split_1.csv"
    frame = pd.DataFrame(cohort.dense()[:3], columns=cohort.genes).astype(object)
    frame.iloc[1, 2] = "n.d."
    frame.to_csv(path, index=False)
    with pytest.raises(CohortError, match=r"row 3, column 'ENSG00000000002': 'n\.d\.' is not a number"):
        camda.read_profiles(path, cohort)


def test_genes_of_a_twin_may_come_in_any_order(cohort, twins, tmp_path):
    data = pd.read_csv(twins / "synthetic_data_split_1.csv", float_precision="round_trip")
    data[data.columns[::-1]].to_csv(tmp_path / "synthetic_data_1.csv", index=False)
    turned = camda.read_profiles(tmp_path / "synthetic_data_1.csv", cohort)
    pd.testing.assert_frame_equal(turned, data, check_names=False, check_column_type=False)


def test_numbers_come_from_names(tmp_path):
    assert camda.number_of(tmp_path / "synthetic_data_split_3.csv") == 3
    assert camda.number_of(tmp_path / "synthetic_data_12.csv") == 12
    with pytest.raises(ConfigError, match="no number in the name"):
        camda.number_of(tmp_path / "twin.csv")


def test_a_column_of_labels_may_have_any_name(cohort, tmp_path):
    files = write_files(tmp_path, "cancer_type", n=12, n_genes=20)
    other = camda.read_cohort(files.expression, files.subtypes)
    path = tmp_path / "synthetic_labels_1.csv"
    path.write_text("Subtype\nBRCA.LumA\nBRCA.Basal\n")
    assert camda.read_labels(path, 2, other).tolist() == ["BRCA.LumA", "BRCA.Basal"]
