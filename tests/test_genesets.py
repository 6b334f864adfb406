"""Gene sets: what a GMT file may hold, and which ids match which."""

import gzip

import numpy as np
import pytest

from twinseq import genesets
from twinseq.errors import CohortError
from twinseq.geneids import id_type, keys, match
from twinseq.genesets import GeneSets, read_gene_sets

GOOD = "APOPTOSIS\thttp://x\tTP53\tBAX\tTP53\nREPAIR\t\tBRCA1\tATM\t\t\n\n"


def written(folder, text, name="sets.gmt"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_plain_file(tmp_path, ending):
    path = tmp_path / "sets.gmt"
    path.write_bytes(GOOD.replace("\n", ending).encode())
    sets = read_gene_sets([path])
    assert sets.sets == {"APOPTOSIS": ("TP53", "BAX"), "REPAIR": ("BRCA1", "ATM")}
    assert sets.genes == ["TP53", "BAX", "BRCA1", "ATM"]


def test_gzipped_file_whatever_its_name_and_several_files(tmp_path):
    packed = tmp_path / "packed.gmt"
    packed.write_bytes(gzip.compress(GOOD.encode()))
    other = written(tmp_path, "MORE\tx\tMYC\n")
    sets = read_gene_sets([packed, other])
    assert list(sets.sets) == ["APOPTOSIS", "REPAIR", "MORE"]
    assert sets.files == [str(packed), str(other)]
    assert list(sets.of(str(other)).sets) == ["MORE"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A\tx\tTP53\nA\tx\tBAX\n", r"line 2: the set 'A' is in line 1 already"),
        ("A\tx\tTP53\nB\tx\t\t\n", r"line 2: the set 'B' has no genes"),
        ("A\tx\tTP53\nB\tx\n", r"line 2: the set 'B' has no genes"),
        ("A\tx\tTP53\nTP53 BAX\n", r"line 2: not a line of a GMT file \('TP53 BAX'\)"),
        ("\tx\tTP53\n", r"line 1: not a line"),
        ("", "holds no gene sets"),
        ("\n \n", "holds no gene sets"),
    ],
)
def test_malformed_files_are_named_with_their_line(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(CohortError, match=message) as caught:
        read_gene_sets([path])
    assert str(path) in str(caught.value)


def test_unreadable_files(tmp_path):
    with pytest.raises(CohortError, match="no such file"):
        read_gene_sets([tmp_path / "none.gmt"])
    with pytest.raises(CohortError, match="no such file"):
        read_gene_sets([tmp_path])
    binary = tmp_path / "binary.gmt"
    binary.write_bytes(b"A\tx\tTP53\nB\tx\t\xff\xfe\n")
    with pytest.raises(CohortError, match="line 2: not text"):
        read_gene_sets([binary])
    broken = tmp_path / "broken.gmt.gz"
    broken.write_bytes(gzip.compress(GOOD.encode() * 50)[:-20])
    with pytest.raises(CohortError, match="copied whole"):
        read_gene_sets([broken])


def test_one_name_in_two_files(tmp_path):
    one, two = written(tmp_path, GOOD), written(tmp_path, "REPAIR\tx\tATM\n", "two.gmt")
    with pytest.raises(CohortError, match=r"two\.gmt: the set 'REPAIR' is in .*sets\.gmt too"):
        read_gene_sets([one, two])


def test_named_library_is_fetched_once_and_weights_are_dropped(tmp_path, monkeypatch):
    asked = []

    def retrieve(url, known_hash, fname, path):
        asked.append(url)
        return str(written(tmp_path, "A\t\tTP53,1.0\tBAX,0.5\n", fname))

    monkeypatch.setattr(genesets.pooch, "retrieve", retrieve)
    assert read_gene_sets(["enrichr:Some_Library-2023"]).sets == {"A": ("TP53", "BAX")}
    assert asked == [genesets.ENRICHR_URL + "Some_Library-2023"]


def test_named_library_offline_or_with_a_name_that_is_a_path(monkeypatch):
    def retrieve(*_, **__):
        raise OSError("Name or service not known")

    monkeypatch.setattr(genesets.pooch, "retrieve", retrieve)
    with pytest.raises(CohortError, match=r"could not be fetched \(Name or service not known\)"):
        read_gene_sets(["enrichr:KEGG_2021_Human"])
    with pytest.raises(CohortError, match="letters, digits"):
        read_gene_sets(["enrichr:../../etc/passwd"])


def test_kinds_of_ids():
    kinds = {
        "TP53": "symbol", "HLA-DRB1": "symbol", "C1orf112": "symbol", "TP53|7157": "SYMBOL|ENTREZ",
        "?|100130426": "SYMBOL|ENTREZ", "ENSG00000141510": "Ensembl", "ENSMUSG00000059552.14": "Ensembl with version",
        "7157": "Entrez",
    }  # fmt: skip
    assert {gene: id_type(gene) for gene in kinds} == kinds
    assert keys("?|100130426") == ("100130426",)
    assert keys("ENSG00000182378.13_PAR_Y") == ("ENSG00000182378",)


IDS = {
    "symbol": ["TP53", "bax", "BRCA1", "ACTB"],
    "SYMBOL|ENTREZ": ["TP53|7157", "BAX|581", "BRCA1|672", "ACTB|60"],
    "Ensembl with version": ["ENSG00000141510.18", "ENSG00000087088.20", "ENSG00000012048.23", "ENSG00000075624.17"],
    "Entrez": ["7157", "581", "672", "60"],
}
SETS = {
    "symbol": GeneSets({"A": ("Tp53", "BAX"), "B": ("BRCA1", "MYC")}),
    "Entrez": GeneSets({"A": ("7157", "581"), "B": ("672", "4609")}),
    "Ensembl": GeneSets({"A": ("ENSG00000141510", "ENSG00000087088"), "B": ("ENSG00000012048", "ENSG00000136997")}),
}


@pytest.mark.parametrize(
    ("ids", "sets"),
    [
        ("symbol", "symbol"), ("SYMBOL|ENTREZ", "symbol"), ("SYMBOL|ENTREZ", "Entrez"),
        ("Ensembl with version", "Ensembl"), ("Entrez", "Entrez"),
    ],
)  # fmt: skip
def test_what_the_ids_carry_is_matched(ids, sets):
    matched = match(IDS[ids], np.ones(4), SETS[sets])
    assert [one.tolist() for one in matched.members] == [[0, 1], [2]]
    assert (matched.cohort_type, matched.sets_type, matched.n_matched) == (ids, sets, 3)


@pytest.mark.parametrize(
    ("ids", "sets"), [("Ensembl with version", "symbol"), ("Entrez", "symbol"), ("symbol", "Entrez")]
)
def test_no_shared_gene_is_refused_with_both_types_of_id_unless_a_table_translates(tmp_path, ids, sets):
    with pytest.raises(CohortError, match=rf"shares no gene .* look like {ids} .* like {sets} "):
        match(IDS[ids], np.ones(4), SETS[sets])
    rows = zip(IDS["Entrez"], ["TP53", "BAX", "BRCA1", "ACTB"], "wxyz", IDS["Ensembl with version"], strict=True)
    table = tmp_path / "ids.csv"
    table.write_text("entrez,symbol,note,ensembl\n" + "".join(",".join(row) + "\n" for row in rows))
    matched = match(IDS[ids], np.ones(4), SETS[sets], table)
    assert [one.tolist() for one in matched.members] == [[0, 1], [2]]


def test_a_table_without_the_ids_is_refused(tmp_path):
    for text, message in (
        ("a,b\nc,d\n", "needs two columns"),
        ("a,b\nc\n", "row 2: 1 cells"),
        ("", "needs two columns"),
    ):
        with pytest.raises(CohortError, match=message):
            match(IDS["Entrez"], np.ones(4), SETS["symbol"], written(tmp_path, text, "ids.csv"))
    with pytest.raises(CohortError, match="not a readable csv"):
        match(IDS["Entrez"], np.ones(4), SETS["symbol"], tmp_path / "none.csv")


def test_one_file_of_several_that_fits_nothing_is_named():
    both = GeneSets({"A": ("TP53",), "Z": ("AT1G01010",)}, {"A": "human.gmt", "Z": "plant.gmt"})
    with pytest.raises(CohortError, match=r"^plant\.gmt: shares no gene"):
        match(IDS["symbol"], np.ones(4), both)


def test_of_rows_for_one_gene_the_highest_mean_is_kept():
    genes = ["TP53", "tp53", "TP53|7157", "ACTB", "actb", "?|1", "?|2"]
    matched = match(genes, np.array([1.0, 5.0, 2.0, 7.0, 7.0, 1.0, 1.0]), GeneSets({"A": ("TP53",)}))
    assert matched.members[0].tolist() == [1]
    assert matched.kept.tolist() == [1, 3, 5, 6]
    assert matched.described()["rows_that_repeat_a_gene"] == "3 left out, highest mean kept"


@pytest.mark.real
def test_reactome_and_the_landmark_table(data_dir):
    folder = data_dir / "genesets"
    reactome = read_gene_sets([folder / "ReactomePathways_2023.gmt"])
    assert len(reactome.sets) == 2546
    assert len(reactome.sets["Immune System"]) == 2095
    both = read_gene_sets([folder / "ReactomePathways_2023.gmt", folder / "h.all.v7.0.symbols.gmt"])
    assert len(both.sets) == 2596
    landmarks = ["ENSG00000186480.3", "ENSG00000118689"]
    with pytest.raises(CohortError, match="Ensembl"):
        match(landmarks, np.ones(2), reactome)
    matched = match(landmarks, np.ones(2), reactome, folder / "f1000_lm_ensembl.csv")
    assert matched.n_matched == 2
