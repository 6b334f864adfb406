"""What the challenge hands out is read as it stands, and refused with the place where it is not."""

import numpy as np
import pandas as pd
import pytest
import yaml

from challenge import barcode, write_files
from twinseq import camda
from twinseq.errors import CohortError, ConfigError


def test_a_cohort_is_turned_and_joined_by_barcode(files):
    cohort = camda.read_cohort(files.expression, files.subtypes)
    table = pd.read_csv(files.expression, sep="\t", index_col=0, float_precision="round_trip")
    classes = pd.read_csv(files.subtypes).set_index("samplesID")["Subtype"]
    assert cohort.kind == "continuous"
    assert cohort.label == "Subtype"
    assert list(cohort.adata.obs_names) == list(table.columns)
    assert list(cohort.genes) == list(table.index)
    np.testing.assert_array_equal(cohort.dense(), table.to_numpy().T)
    assert cohort.labels().tolist() == classes.loc[table.columns].tolist()


def test_the_other_label_column_is_found(tmp_path):
    files = write_files(tmp_path, "cancer_type", n=12, n_genes=20)
    assert camda.read_cohort(files.expression, files.subtypes).label == "cancer_type"


def test_splits_are_rows_of_the_cohort(files):
    cohort = camda.read_cohort(files.expression, files.subtypes)
    splits = camda.read_splits(files.splits, cohort)
    stated = yaml.safe_load(files.splits.read_text())["splits"]
    assert [(split.name, split.number) for split in splits] == [("split_1", 1), ("split_2", 2)]
    for split in splits:
        for rows, side in ((split.train, "train_index"), (split.test, "test_index")):
            assert set(cohort.adata.obs_names[rows]) == set(stated[split.name][side])


def test_a_reference_has_the_genes_of_the_cohort_and_other_people(files):
    cohort = camda.read_cohort(files.expression, files.subtypes)
    reference = camda.read_reference(files.reference, files.subtypes, cohort)
    assert list(reference.genes) == list(cohort.genes)
    with pytest.raises(CohortError, match="A reference holds other people"):
        camda.read_reference(files.expression, files.subtypes, cohort)


def test_classes_of_a_reference_without_rows_are_told(files, tmp_path):
    cohort = camda.read_cohort(files.expression, files.subtypes)
    whole = camda.read_reference(files.reference, files.subtypes, cohort)
    strangers = set(whole.adata.obs_names[:10])
    table = pd.read_csv(files.subtypes, index_col=0)
    table[~table["samplesID"].isin(strangers)].to_csv(tmp_path / "subtypes.csv")
    told = camda.read_reference(files.reference, tmp_path / "subtypes.csv", cohort)
    assert (told.labels()[10:] == whole.labels()[10:]).all()
    assert (told.labels()[:10] == whole.labels()[:10]).mean() > 0.7


def edited(path, tmp_path, change):
    table = pd.read_csv(path, index_col=0)
    change(table)
    table.to_csv(tmp_path / path.name)
    return tmp_path / path.name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.rename(columns={"Subtype": "PAM50"}, inplace=True), "neither column 'Subtype' nor"),
        (lambda table: table.rename(columns={"samplesID": "barcode"}, inplace=True), "no column 'samplesID'"),
        (lambda table: table.drop(index=table.index[5:], inplace=True), "have no row, first 'TCGA-AA-"),
        (lambda table: table.loc.__setitem__((0, "samplesID"), table["samplesID"][1]), "has two rows in 'samplesID'"),
        (lambda table: table.loc.__setitem__((slice(None), "Subtype"), ""), "is missing for"),
    ],
)
def test_bad_subtypes_say_where(files, tmp_path, change, message):
    with pytest.raises(CohortError, match=message):
        camda.read_cohort(files.expression, edited(files.subtypes, tmp_path, change))


def test_two_label_columns_have_to_be_chosen_from(files, tmp_path):
    both = edited(files.subtypes, tmp_path, lambda table: table.insert(0, "cancer_type", "TCGA-BRCA"))
    with pytest.raises(ConfigError, match="--label"):
        camda.read_cohort(files.expression, both)
    assert camda.read_cohort(files.expression, both, "Subtype").label == "Subtype"


def test_missing_files_are_named(files, tmp_path):
    for arguments in ((tmp_path / "no.tsv", files.subtypes), (files.expression, tmp_path / "no.csv")):
        with pytest.raises(CohortError, match="no such file"):
            camda.read_cohort(*arguments)


def split_file(tmp_path, splits):
    path = tmp_path / "splits.yaml"
    path.write_text(splits if isinstance(splits, str) else yaml.safe_dump({"splits": splits}))
    return path


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ("splits: [unclosed", "cannot be read as YAML"),
        ("folds: {}", "no 'splits' at the top"),
        ({"fold_1": {}}, "'fold_1' is no name of a split"),
        ({"split_1": {"train_index": [barcode(1)]}}, "no list of barcodes 'test_index'"),
        ({"split_1": {"train_index": [barcode(1)], "test_index": ["TCGA-ZZ"]}}, "test_index: 1 .* first 'TCGA-ZZ'"),
        ({"split_1": {"train_index": [barcode(1)], "test_index": [barcode(1)]}}, "occurs twice, or on both sides"),
        ({"split_1": {"train_index": [barcode(1), barcode(1)], "test_index": [barcode(2)]}}, "occurs twice"),
    ],
)
def test_bad_splits_say_where(files, tmp_path, splits, message):
    cohort = camda.read_cohort(files.expression, files.subtypes)
    with pytest.raises(CohortError, match=message):
        camda.read_splits(split_file(tmp_path, splits), cohort)
