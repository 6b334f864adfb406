"""Agreement of pathways: the two tests against gseapy, the figures by hand, planted and real gene sets."""

from pathlib import Path

import gseapy
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import twinseq
from twinseq.audit import audit
from twinseq.cohort import Cohort
from twinseq.datasets import gene_sets, gmt_lines, simulate_cohort
from twinseq.errors import CohortError
from twinseq.geneids import match
from twinseq.generators import create
from twinseq.genesets import GeneSets, read_gene_sets
from twinseq.metrics import Comparison, NotComputableError, Profiles, Space, names
from twinseq.metrics.biology.linear_model import signed_z
from twinseq.metrics.pathways._gsea import RandomSets, enrichment_score, prerank
from twinseq.metrics.pathways._ora import over_representation
from twinseq.metrics.pathways._panel import Panel
from twinseq.metrics.pathways.concordance import nes_r, ora_recall, precision, recall, sign_agreement, topk_jaccard
from twinseq.metrics.pathways.table import pathways

PATHWAYS = [name for name in names() if name.startswith("pathway_")]
N_GENES = 2000


@pytest.fixture(scope="module")
def ranking() -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Statistics of 2,000 genes, and 60 sets of 10 to 200 of them of which a third is shifted up or down."""
    rng = np.random.default_rng(1)
    statistic = rng.standard_normal(N_GENES) * 2
    members = []
    for number in range(60):
        members.append(np.sort(rng.choice(N_GENES, int(rng.integers(10, 200)), replace=False)))
        if number < 20:
            statistic[members[-1][::2]] += 1.5 if number % 2 else -1.5
    return statistic, tuple(members)


def draws(seed: int = 0, n: int = 1000) -> RandomSets:
    return RandomSets.draw(N_GENES, 200, n, np.random.default_rng(seed))


def as_dict(members: tuple[np.ndarray, ...]) -> dict[str, list[str]]:
    return {f"SET{number}": [f"G{gene}" for gene in one] for number, one in enumerate(members)}


def test_score_is_that_of_the_walk_down_the_list(ranking):
    statistic, members = ranking
    order = np.argsort(-statistic)
    weights = np.abs(statistic[order])
    for one in members[:20]:
        hit = np.isin(order, one)
        steps = np.where(hit, weights / weights[hit].sum(), -1 / (~hit).sum())
        walk = np.cumsum(steps)
        expected = walk[np.argmax(np.abs(walk))]
        assert enrichment_score(np.flatnonzero(hit), weights, len(one)) == pytest.approx(expected, abs=1e-12)


def test_scores_and_rates_are_those_of_gseapy(ranking):
    statistic, members = ranking
    ours = prerank(statistic, members, draws(n=3000))
    series = pd.Series(statistic, index=[f"G{gene}" for gene in range(N_GENES)])
    theirs = gseapy.prerank(
        series, as_dict(members), min_size=10, max_size=2500, permutation_num=3000, threads=1, seed=3, no_plot=True
    ).res2d.set_index("Term")
    theirs = theirs.loc[list(as_dict(members))]
    np.testing.assert_allclose(ours.es, theirs["ES"].astype(float), atol=1e-12)
    # Both null distributions are random draws; scores differ by the error of their means.
    assert np.corrcoef(ours.nes, theirs["NES"].astype(float))[0, 1] > 0.999
    np.testing.assert_allclose(ours.nes, theirs["NES"].astype(float), rtol=0.1)
    rates = theirs["FDR q-val"].to_numpy(dtype=float)
    np.testing.assert_allclose(ours.fdr[rates < 0.3], rates[rates < 0.3], atol=0.04)
    assert np.corrcoef(ours.fdr, rates)[0, 1] > 0.98


def test_over_representation_is_that_of_gseapy(ranking, rng):
    _, members = ranking
    listed = rng.random(N_GENES) < 0.1
    listed[members[0][:15]] = True
    background = [f"G{gene}" for gene in range(N_GENES)]
    theirs = gseapy.enrich(
        [f"G{gene}" for gene in np.flatnonzero(listed)], as_dict(members), background=background, no_plot=True
    ).res2d.set_index("Term")
    ours = pd.Series(over_representation(listed, members), index=list(as_dict(members)))
    np.testing.assert_allclose(ours[theirs.index], theirs["P-value"].astype(float), rtol=1e-9)
    assert (ours.drop(theirs.index) == 1).all()


def test_another_seed_gives_the_same_scores_and_threads_change_nothing(ranking):
    statistic, members = ranking
    one, two = prerank(statistic, members, draws(0)), prerank(statistic, members, draws(1))
    assert np.corrcoef(one.nes, two.nes)[0, 1] > 0.99
    np.testing.assert_array_equal(prerank(statistic, members, draws(0), n_threads=3).nes, one.nes)


def test_null_sets_drawn_by_lot_are_not_significant(rng):
    statistic = rng.standard_normal(N_GENES)
    members = tuple(np.sort(rng.choice(N_GENES, 40, replace=False)) for _ in range(300))
    found = prerank(statistic, members, draws())
    assert (found.fdr < 0.05).sum() <= 2
    assert abs(np.mean(found.nes)) < 0.3


def test_statistics_that_are_all_zero_give_no_score():
    found = prerank(np.zeros(N_GENES), (np.arange(10), np.arange(50, 100)), draws())
    assert np.isnan([found.es, found.nes, found.fdr]).all()
    some = np.zeros(N_GENES)
    some[500:700] = 1.0
    assert prerank(some, (np.arange(10), np.arange(500, 520)), draws()).nes[1] > 1


def test_statistic_of_continuous_values_is_a_z_score_with_the_sign_of_the_change():
    p_values, difference = np.array([0.05, 1.0, 1e-320, 0.5]), np.array([2.0, -3.0, -1.0, 0.0])
    z = signed_z(difference, p_values)
    np.testing.assert_allclose(2 * norm.sf(np.abs(z[:2])), p_values[:2])
    assert z[0] > 0 > z[2] > -40
    assert z[3] == 0


def column(*values: float, dtype: type = float) -> np.ndarray:
    return np.array(values, dtype=dtype)[:, None]


def test_figures_by_hand():
    real, twin = column(1, 1, -1, 0, 1, dtype=np.int8), column(1, -1, -1, 1, 0, dtype=np.int8)
    assert recall(real, twin) == pytest.approx(2 / 4)
    assert precision(real, twin) == pytest.approx(2 / 4)
    assert sign_agreement(real, column(2.0, -1.0, -0.1, 3.0, np.nan)) == pytest.approx(2 / 4)
    nes = column(2.0, 1.0, -1.0, -2.0)
    assert nes_r(nes, 0.5 * nes) == pytest.approx(1.0)
    assert nes_r(nes, -nes) == pytest.approx(-1.0)
    assert nes_r(np.vstack([nes, [[np.nan]]]), np.vstack([nes, [[9.0]]])) == pytest.approx(1.0)
    eight = column(5, 4, 3, 2, 1, 0.5, 0.4, 0.3)
    assert topk_jaccard(eight, column(5, -4, 3, 4, 1, 0.5, 0.4, 0.3)) == pytest.approx(1 / 3)
    flags = np.array([[True, False], [True, True], [False, False]])
    assert ora_recall(flags, np.array([[True, True], [False, True], [True, True]])) == pytest.approx((0.5 + 1) / 2)


def test_pairs_of_classes_are_averaged_where_defined():
    real = np.hstack([column(1, 1), column(0, 0)]).astype(np.int8)
    twin = np.hstack([column(1, 0), column(1, 1)]).astype(np.int8)
    assert recall(real, twin) == pytest.approx(0.5)
    assert precision(real, twin) == pytest.approx((1 + 0) / 2)


def test_null_unrelated_scores(rng):
    real, twin = rng.standard_normal((2000, 1)), rng.standard_normal((2000, 1))
    assert abs(nes_r(real, twin)) < 0.07
    assert topk_jaccard(real, twin) < 0.06
    assert sign_agreement(np.sign(real).astype(np.int8), twin) == pytest.approx(0.5, abs=0.05)


def test_failure_nothing_is_significant():
    nothing, all_up = np.zeros((5, 1), dtype=np.int8), np.ones((5, 1), dtype=np.int8)
    assert recall(all_up, nothing) == 0.0
    assert precision(nothing, all_up) == 0.0
    for figure, arguments in (
        (recall, (nothing, all_up)),
        (precision, (all_up, nothing)),
        (ora_recall, (nothing,) * 2),
    ):
        with pytest.raises(NotComputableError, match="no gene set"):
            figure(*arguments)
    with pytest.raises(NotComputableError, match="fewer than 3"):
        nes_r(column(1, 2), column(1, 2))
    with pytest.raises(NotComputableError, match="four"):
        topk_jaccard(column(1, 2), column(1, 2))


def test_only_sets_of_ten_to_2500_tested_genes_take_part():
    genes = [f"G{number}" for number in range(4000)]
    sets = {
        "nine": genes[:9],
        "ten": genes[:10],
        "untested": genes[3990:],
        "widest": genes[:2500],
        "wide": genes[:2501],
    }
    matched = match(genes, np.ones(4000), GeneSets({name: tuple(one) for name, one in sets.items()}))
    panel = Panel.of(matched, np.arange(3990), np.random.default_rng(0))
    assert panel.names == ("ten", "widest")
    with pytest.raises(NotComputableError, match="10 to 2,500"):
        Panel.of(matched, np.arange(5), np.random.default_rng(0))


# Simulated cohorts


@pytest.fixture(scope="module")
def sides():
    size = {"n_cases": 25, "n_controls": 25, "n_genes": 2000, "missing_rate": 0.0}
    return [simulate_cohort(**size, seed=seed) for seed in (10, 11, 12)]


@pytest.fixture
def gmt(sides, tmp_path) -> Path:
    """The planted modules, and as many sets drawn by lot."""
    cohort = sides[0]
    rng = np.random.default_rng(0)
    random = {f"RANDOM_{k:02d}": list(rng.choice(cohort.genes, 25, replace=False)) for k in range(20)}
    path = tmp_path / "modules.gmt"
    path.write_text("\n".join(gmt_lines(gene_sets(cohort) | random)))
    return path


def test_planted_modules_are_found(sides, gmt):
    train, holdout, twin = sides
    report = audit(train, twin, holdout=holdout, metrics=PATHWAYS, gene_sets=[gmt])
    assert not [item for item in report.omitted if item.name != "pathway_ora_recall"]
    assert report["pathway_nes_r"].value > 0.6
    assert report["pathway_nes_r"].floor < 0.4
    assert report["pathway_nes_r"].n_unit == "gene sets"
    assert report["pathway_nes_r"].ceiling > 0.6
    assert report["pathway_recall"].value > 0.8
    assert report.provenance["gene_sets"]["ids_of_sets"] == "symbol"


def test_table_of_the_planted_modules(sides, gmt):
    train, holdout, twin = sides
    sets = match(list(train.genes), np.ones(train.n_genes), read_gene_sets([gmt]))
    space = Space(train, gene_sets=sets)
    comparison = Comparison(space, space.train, Profiles.of(twin, space), Profiles.of(holdout, space))
    table = pathways(comparison).set_index("gene_set")
    assert list(table.columns) == [
        "contrast", "size", "nes_real", "fdr_real", "nes_twin", "fdr_twin", "nes_holdout", "fdr_holdout", "direction",
    ]  # fmt: skip
    shift = train.adata.uns["truth"]["module_shift"]
    for name, value in dict(shift).items():
        if value == 0:
            continue
        # The contrast tests control against case.
        row = table.loc[name]
        assert row["direction"] == ("down" if value > 0 else "up")
        assert np.sign(row["nes_twin"]) == np.sign(row["nes_real"]) == np.sign(row["nes_holdout"])
        assert row["fdr_real"] < 0.05
    assert table["fdr_real"].is_monotonic_increasing
    assert (table.filter(like="RANDOM", axis=0)["fdr_real"] < 0.05).sum() <= 2


def test_without_a_hold_out_halves_give_the_ceiling_and_without_gene_sets_nothing_is_said(sides, gmt):
    train, _, twin = sides
    report = audit(train, twin, metrics=["pathway_nes_r"], gene_sets=[gmt])
    assert "two halves" in report["pathway_nes_r"].ceiling_source
    with pytest.raises(KeyError, match="needs gene sets"):
        _ = audit(train, twin, metrics=["pathway_nes_r"])["pathway_nes_r"]


def test_gene_sets_that_do_not_fit_are_refused_at_once(sides, tmp_path):
    train, _, twin = sides
    plants = tmp_path / "plants.gmt"
    plants.write_text("A\tx\tAT1G01010\tAT1G01020\n")
    with pytest.raises(CohortError, match="shares no gene"):
        audit(train, twin, gene_sets=[plants])


def test_small_sets_cost_the_pathways_alone(sides, tmp_path):
    train, _, twin = sides
    small = tmp_path / "small.gmt"
    small.write_text("A\tx\t" + "\t".join(train.genes[:4]))
    report = audit(train, twin, metrics=["de_recall", "pathway_recall"], gene_sets=[small])
    assert report["de_recall"].value >= 0
    assert "10 to 2,500" in report.omitted[0].reason


def test_continuous_values_give_much_the_same_scores(sides, gmt):
    train, _, _ = sides
    values = np.log2(train.dense() + 1.0)
    logged = Cohort(
        type(train.adata)(values, obs=train.obs.copy(), var=train.adata.var.copy()),
        label=train.label,
        kind="continuous",
    )
    sets = match(list(logged.genes), values.mean(axis=0), read_gene_sets([gmt]))
    enrichment = Space(logged, gene_sets=sets).train.enrichment
    counts = Space(train, gene_sets=sets).train.enrichment
    assert np.corrcoef(enrichment.nes[:, 0], counts.nes[:, 0])[0, 1] > 0.7


# Real cohorts


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("tb-blood-44", {"label": "group"}),
        ("brca-tumour-normal-100", {"label": "sample_type", "donor": "patient", "paired": True}),
    ],
)
def test_the_faithful_twin_recovers_the_pathways_of_real_cohorts(data_dir: Path, name: str, roles: dict):
    folder = data_dir / name
    cohort = twinseq.read(folder / "counts.csv.gz", obs=folder / "samples.csv", **roles)
    twin = create("copula", preset="faithful").fit(cohort, seed=0).sample(seed=1)
    report = audit(
        cohort, twin, metrics=PATHWAYS, gene_sets=[data_dir / "genesets" / "ReactomePathways_2023.gmt"], jobs=2
    )
    assert report["pathway_recall"].value >= 0.9
    assert report["pathway_nes_r"].value >= 0.95
    assert report["pathway_nes_r"].value > report["pathway_nes_r"].floor + 0.3


@pytest.mark.real
@pytest.mark.slow
def test_tuberculosis_raises_immune_system_and_neutrophil_degranulation(data_dir: Path):
    folder = data_dir / "tb-blood-44"
    cohort = twinseq.read(folder / "counts.csv.gz", obs=folder / "samples.csv", label="group")
    twin = create("copula", preset="faithful").fit(cohort, seed=0).sample(seed=1)
    collection = read_gene_sets([data_dir / "genesets" / "ReactomePathways_2023.gmt"])
    space = Space(cohort, jobs=2, gene_sets=match(list(cohort.genes), cohort.dense().mean(axis=0), collection))
    for side in (space.train, Profiles.of(twin, space)):
        assert side.enrichment.pairs == (("TB", "LTBI"),)
        calls = dict(zip(space.pathways.names, side.enrichment.calls[:, 0], strict=True))
        assert calls["Immune System"] == 1
        assert calls["Neutrophil degranulation"] == 1
