import re

import numpy as np
import pandas as pd
import pytest
from planted import gene_table, make_tables
from scipy.stats import linregress

from twinseq.report.figures._density import BINS, density
from twinseq.report.figures._genes import NAMED, differential, named
from twinseq.report.figures._genes import gene_table as named_table
from twinseq.report.figures.covariates import covariate_shares
from twinseq.report.figures.curves import detected_genes, library_sizes, median
from twinseq.report.figures.fold_changes import fit, fold_changes
from twinseq.report.figures.mean_variance import mean_variance
from twinseq.report.figures.pca import pca
from twinseq.report.figures.roc import roc
from twinseq.report.figures.spectrum import spectrum
from twinseq.report.figures.volcano import volcano


@pytest.fixture(scope="module")
def tables():
    return make_tables()


@pytest.fixture(scope="module")
def genes(tables):
    return tables["de_genes"]


def test_the_density_counts_every_gene_once_also_those_outside():
    x, y = np.array([0.0, 0.0, 9.0]), np.array([0.0, 0.0, -9.0])
    drawn = density(x, y, (-1, 1), (-1, 1), "real", 2)
    counts = np.array(drawn["customdata"], dtype=float)
    assert counts.shape == (BINS, BINS)
    assert np.nansum(counts) == 3
    assert counts[0, -1] == 1
    assert np.nanmax(np.array(drawn["z"], dtype=float)) == pytest.approx(np.log10(2), abs=0.01)


def test_named_genes_are_the_most_significant_of_both_directions(genes):
    top = named(genes)
    up = top[top["lfc_real"] > 0]
    assert len(up) == len(top) - len(up) == NAMED
    strongest = genes[(genes["lfc_real"] > 0)].nsmallest(NAMED, "padj_real")
    assert set(up["gene"]) == set(strongest["gene"])


def test_differential_genes_by_hand():
    table = pd.DataFrame(
        {
            "base_mean": [100, 100, 100, 5, 100],
            "lfc_real": [1.0, 0.9, -3.0, 4.0, 2.0],
            "padj_real": [0.01, 0.01, 0.049, 0.0, np.nan],
        }
    )
    assert differential(table, "real").tolist() == [True, False, True, False, False]
    assert not differential(table, "holdout").any()


def test_the_volcano_compares_like_with_like(genes):
    figure = volcano(genes)
    real, twin = figure.panels
    assert real.layout["xaxis"]["range"] == twin.layout["xaxis"]["range"]
    assert real.layout["yaxis"]["range"] == twin.layout["yaxis"]["range"]
    assert real.data[0]["zmax"] == twin.data[0]["zmax"]
    assert len(real.data[1]["x"]) == 2 * NAMED
    both = (differential(genes, "real") & differential(genes, "twin")).sum()
    assert f"{both:,} in both" in figure.findings[0]
    assert figure.table is not None
    assert len(figure.table.rows) == 2 * NAMED


def test_names_lie_on_no_other_point(genes):
    figure = fold_changes(genes).panels[0]
    drawn, reach = figure.data[1], figure.layout["xaxis"]["range"][1]
    points = list(zip(drawn["x"], drawn["y"], strict=True))
    named_points = [point for point, text in zip(points, drawn["text"], strict=True) if text]
    assert named_points
    for x, y in named_points:
        towards = 1 if x < 0 else -1
        others = [point for point in points if point != (x, y) and abs(point[1] - y) < 0.05 * reach]
        assert not [u for u, v in others if 0 < towards * (u - x) < 0.2 * reach]


def test_the_fit_agrees_with_scipy():
    rng = np.random.default_rng(1)
    x = rng.normal(size=50)
    y = 0.7 * x + rng.normal(0, 0.2, 50) + 1
    reference = linregress(x, y)
    assert fit(x, y) == pytest.approx((reference.rvalue, reference.slope))
    assert np.isnan(fit(np.ones(3), np.arange(3.0))).all()


def test_fold_changes_without_a_holdout_have_one_panel(genes):
    assert len(fold_changes(genes).panels) == 2
    assert len(fold_changes(genes.drop(columns=["lfc_holdout", "padj_holdout"])).panels) == 1
    assert not fold_changes(genes.assign(lfc_twin=np.nan, lfc_holdout=np.nan)).panels


def test_a_contrast_without_any_finding_can_be_drawn(genes):
    nothing = genes.assign(padj_real=1.0, padj_twin=1.0)
    assert named_table(nothing) is None
    assert volcano(nothing).findings[0].startswith("0 genes")
    empty = gene_table(np.random.default_rng(0), 20).assign(padj_real=np.nan, padj_twin=np.nan)
    assert len(volcano(empty).panels) == 2


def test_curves_have_one_panel_a_class(tables):
    figure = library_sizes(tables["library_size"])
    assert figure is not None
    assert [panel.heading for panel in figure.panels] == ["normal", "tumour"]
    assert [len(panel.data) for panel in figure.panels] == [3, 3]
    only_twin = tables["detected_genes"].query("source == 'twin'")
    assert [key.meaning for key in detected_genes(only_twin).legend] == ["twin"]


def test_many_classes_are_not_all_drawn(tables):
    one = tables["library_size"].query("label == 'normal'")
    many = pd.concat([one.assign(label=f"class {index}") for index in range(9)])
    figure = library_sizes(many)
    assert len(figure.panels) == 6
    assert figure.findings[-1].startswith("3 more classes")


def test_the_median_of_a_density():
    x = np.linspace(-1, 3, 401)
    assert median(x, np.exp(-((x - 1) ** 2) * 4)) == pytest.approx(1, abs=0.01)


def test_mean_variance_reports_the_gap():
    x = np.arange(5.0)
    table = pd.concat(
        pd.DataFrame({"source": source, "log10_mean": x, "log10_variance": x + shift, "n_genes": 10})
        for source, shift in (("real", 0), ("twin", 0.25))
    )
    figure = mean_variance(table)
    assert figure is not None
    assert figure.findings == ("largest distance of the twin from real: 0.250 log10 units",)


def test_the_ellipses_hold_what_they_say():
    rng = np.random.default_rng(3)
    covariance = np.array([[4.0, 1.5], [1.5, 1.0]])
    points = rng.multivariate_normal([10, -5], covariance, 4000)
    groups = pd.DataFrame([["real", "a", 400, 10, -5, 4.0, 1.5, 1.0]], columns=GROUP_COLUMNS)
    twin = pd.DataFrame({"label": "a", "pc1": points[:, 0], "pc2": points[:, 1]})
    figure = pca(groups, twin, None)
    assert figure is not None
    shares = [float(share) for share in re.findall(r"([\d.]+)\xa0%", figure.findings[0])]
    assert shares == pytest.approx([50, 90], abs=2)
    inner = np.array([figure.panels[0].data[1]["x"], figure.panels[0].data[1]["y"]]) - [[10], [-5]]
    squared = np.einsum("ij,ik,kj->j", inner, np.linalg.inv(covariance), inner)
    assert squared == pytest.approx(np.full(73, 2 * np.log(2)), rel=0.01)


GROUP_COLUMNS = ["source", "label", "n", "mean1", "mean2", "cov11", "cov12", "cov22"]


def test_small_real_groups_are_withheld():
    groups = pd.DataFrame(
        [["real", "a", 30, 0, 0, 1, 0, 1], ["real", "rare", 2, 77.7, 0, 1, 0, 1]], columns=GROUP_COLUMNS
    )
    figure = pca(groups, None, None)
    assert figure is not None
    assert len(figure.panels[0].data) == 2
    assert figure.findings == ("1 group of fewer than 5 real samples not drawn",)
    assert "77.7" not in str(figure.panels[0])
    assert pca(None, None, None) is None


def test_a_flat_group_does_not_break_the_ellipse(tables):
    groups = pd.DataFrame([["real", "normal", 9, 0, 0, 0.0, 0.0, 0.0]], columns=GROUP_COLUMNS)
    figure = pca(groups, tables["pca_twin"], tables["pca_axes"])
    assert figure is not None
    assert figure.panels[0].layout["xaxis"]["title"]["text"] == "PC1 (30\xa0% of variance)"


def test_the_areas_under_roc_curves_are_the_audits_own():
    table = pd.DataFrame(
        {"train_on": "real", "panel": "top100", "model": "logistic", "fpr": [0, 0, 1], "tpr": [0, 0.5, 1]}
    )
    figure = roc(table, {"tstr_auc_top100_logistic": (0.91, 0.93)})
    assert figure is not None
    assert figure.findings[0].endswith("twin against real: logistic 0.910 against 0.930")
    assert roc(table, {}).findings == ()
    assert roc(table.assign(train_on="something else"), {}) is None


def test_the_spectrum_keeps_the_order_of_sources(tables):
    figure = spectrum(tables["eigenvalues"].iloc[::-1])
    assert figure is not None
    assert [key.meaning for key in figure.legend] == ["real", "hold-out", "twin"]


def test_levels_that_look_alike_stay_apart():
    table = pd.DataFrame(
        {
            "covariate": "site",
            "level_or_bin": ["x" * 100 + "1", "x" * 100 + "2", "3"],
            "real_share": [0.5, 0.3, 0.2],
            "twin_share": [0.4, 0.35, np.nan],
        }
    )
    figure = covariate_shares(table)
    assert figure is not None
    assert figure.panels[0].data[0]["y"] == [0, 1, 2]
    assert "10.0 percentage points" in figure.findings[0]
