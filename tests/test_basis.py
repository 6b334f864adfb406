"""Public bases: what they learn, how they fit another cohort, and their files."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import twinseq as ts
from twinseq.basis import build_basis, read_basis
from twinseq.cohort import Cohort
from twinseq.errors import CohortError, ConfigError
from twinseq.private import basis_built


def planted(n: int = 90, n_genes: int = 40, seed: int = 0, genes: list[str] | None = None) -> Cohort:
    """Samples of two factors of variance 9 and 4 on orthogonal axes, and noise of variance 1."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(np.random.default_rng(99).standard_normal((n_genes, 2)))[0].T
    factors = rng.standard_normal((n, 2)) * [9.0, 6.0]
    x = 8.0 + factors @ axes + rng.standard_normal((n, n_genes))
    names = genes or [f"g{gene}" for gene in range(n_genes)]
    obs = pd.DataFrame(index=[f"s{seed}_{row}" for row in range(n)])
    return Cohort(AnnData(x, obs=obs, var=pd.DataFrame(index=names)), kind="continuous", source=f"cohort {seed}")


def test_planted_axes_are_found():
    public, other = planted(), planted(seed=1)
    basis = build_basis(public, 5)
    standard = (other.dense() - basis.location) / basis.spread
    captured = ((standard @ basis.axes[:2].T) ** 2).sum() / (standard**2).sum()
    best = np.linalg.svd(standard, compute_uv=False)[:2] ** 2
    assert captured > 0.95 * best.sum() / (standard**2).sum()
    assert basis.axes @ basis.axes.T == pytest.approx(np.eye(5), abs=1e-9)
    # Cross-validated: close to what an unseen cohort shows, and never falling.
    assert basis.explained[1] == pytest.approx(captured, abs=0.05)
    assert (np.diff(basis.explained) >= 0).all()


def test_residual_and_axes_add_up_to_the_variance():
    public = planted()
    basis = build_basis(public, 25)
    assert basis.residual() + basis.variances @ basis.axes**2 == pytest.approx(np.ones(40), abs=0.06)


def test_genes_are_matched_by_name_and_in_any_order():
    basis = build_basis(planted(), 4)
    cohort = planted(seed=2)
    order = np.random.default_rng(0).permutation(40)
    shuffled = cohort.with_adata(cohort.adata[:, order].copy())
    aligned = basis.aligned(shuffled)
    assert aligned.genes == tuple(shuffled.genes)
    assert np.array_equal(aligned.location, basis.location[order])
    assert np.array_equal(aligned.axes, basis.axes[:, order])


def test_some_genes_only():
    basis = build_basis(planted(), 4)
    some = planted(seed=2).adata[:, :15].copy()
    aligned = basis.aligned(planted(seed=2).with_adata(some))
    assert aligned.axes.shape == (4, 15)
    assert aligned.axes @ aligned.axes.T == pytest.approx(np.eye(4), abs=1e-9)
    # The covariance that the axes stand for is that of the whole basis, on these genes.
    whole = (basis.axes * basis.variances[:, None]).T @ basis.axes
    part = (aligned.axes * aligned.variances[:, None]).T @ aligned.axes
    assert part == pytest.approx(whole[:15, :15], abs=1e-9)


def labelled(n: int = 600, rare: int = 30, seed: int = 0) -> Cohort:
    """`planted` samples of which few form a class of their own, away from the others along every gene."""
    plain = planted(n, seed=seed)
    away = np.tile([1.0, -1.0], 20)
    obs = pd.DataFrame({"group": ["common"] * (n - rare) + ["rare"] * rare}, index=plain.adata.obs_names)
    x = plain.dense() + np.where(obs[["group"]] == "rare", 0.7, 0.0) * away
    return Cohort(AnnData(x, obs=obs, var=plain.adata.var), kind="continuous", label="group", source=plain.source)


def test_classes_count_alike_so_that_a_rare_one_stands_apart_in_few_axes():
    public = labelled()
    away = np.tile([1.0, -1.0], 20) / np.sqrt(40)
    kept = []
    for cohort in (public, dataclasses.replace(public, label=None)):
        basis = build_basis(cohort, 3)
        kept.append(float(np.linalg.norm(basis.axes @ (away / basis.spread) / np.linalg.norm(away / basis.spread))))
    assert kept[0] > 0.9
    assert kept[1] < 0.85


def test_variation_within_classes_is_that_of_the_public_samples():
    public = labelled(400, rare=150)
    basis = build_basis(public, 20)
    apart = [public.dense()[public.labels() == name] for name in ("common", "rare")]
    apart = np.concatenate([rows - rows.mean(axis=0) for rows in apart]) / basis.spread
    real = apart.T @ apart / (400 - 2)
    made = basis.shared.T @ basis.shared + np.diag(basis.own)
    assert np.diag(made) == pytest.approx(np.diag(real), rel=0.1)
    upper = np.triu_indices(40, 1)
    assert np.corrcoef(made[upper], real[upper])[0, 1] > 0.95
    assert build_basis(planted()).shared is None


def test_genes_of_a_labelled_basis_keep_the_order_of_its_axes():
    basis = build_basis(labelled(), 4)
    some = basis.of_genes(basis.genes[5:30])
    assert some.axes @ some.axes.T == pytest.approx(np.eye(4), abs=1e-9)
    for k in range(1, 5):
        both = np.vstack([some.axes[:k], basis.axes[:k, 5:30]])
        assert np.linalg.matrix_rank(both, tol=1e-8) == k
    assert np.array_equal(some.shared, basis.shared[:, 5:30])
    assert np.array_equal(some.own, basis.own[5:30])


def test_files_of_a_labelled_basis_come_back_and_damaged_ones_do_not(tmp_path):
    basis = build_basis(labelled(), 3)
    back = read_basis(basis.save(tmp_path / "x.basis"))
    assert np.array_equal(back.shared, basis.shared)
    assert np.array_equal(back.own, basis.own)
    for name, value in {"shared": basis.shared[:, :5], "own": basis.own[:5]}.items():
        with pytest.raises(CohortError, match=r"x\.basis"):
            read_basis(dataclasses.replace(basis, **{name: value}).save(tmp_path / "x.basis"))
    for value in (np.nan, -1.0, 0.0):
        with pytest.raises(CohortError, match=r"x\.basis"):
            read_basis(dataclasses.replace(basis, own=np.full(40, value)).save(tmp_path / "x.basis"))


def test_what_does_not_fit_is_refused():
    basis = build_basis(planted(), 3)
    with pytest.raises(CohortError, match="no gene in common"):
        basis.aligned(planted(genes=[f"ENSG{gene}" for gene in range(40)]))
    lacking = [f"g{gene}" for gene in range(39)] + ["new"]
    with pytest.raises(CohortError, match="1 of the cohort's 40 genes are not in the basis cohort 0, such as 'new'"):
        basis.aligned(planted(genes=lacking))
    counts = ts.datasets.simulate_cohort(10, 10, 50, seed=0)
    with pytest.raises(CohortError, match=r"continuous profiles; .* counts"):
        basis.aligned(counts)
    with pytest.raises(CohortError, match="too few for a basis"):
        build_basis(planted(n=9))
    with pytest.raises(ConfigError, match="80 axes cannot be built from 90 samples; 30 would do"):
        build_basis(planted(), 80)


def test_files_come_back(tmp_path):
    basis = build_basis(planted(), 3)
    back = read_basis(basis.save(tmp_path / "x.basis"))
    assert (back.genes, back.kind, back.n_samples, back.source) == (basis.genes, "continuous", 90, "cohort 0")
    for name in ("location", "spread", "axes", "variances", "explained"):
        assert np.array_equal(getattr(back, name), getattr(basis, name))


def test_foreign_files_are_refused(tmp_path):
    with pytest.raises(CohortError, match="no such file"):
        read_basis(tmp_path / "none.basis")
    (tmp_path / "text.basis").write_text("hello")
    with pytest.raises(CohortError, match=r"text\.basis"):
        read_basis(tmp_path / "text.basis")
    skewed = dataclasses.replace(build_basis(planted(), 3), axes=np.ones((3, 40)))
    with pytest.raises(CohortError, match="not orthonormal"):
        read_basis(skewed.save(tmp_path / "skewed.basis"))
    model = ts.generators.create("mvn").fit(planted()).save(tmp_path / "model.npz")
    with pytest.raises(CohortError, match=r"model\.npz"):
        read_basis(model)


def test_library_sizes_come_along(tmp_path):
    public = ts.datasets.simulate_cohort(30, 30, 50, seed=0)
    logs = np.log10(public.dense().sum(axis=1))
    basis = build_basis(public)
    assert basis.library_sizes == pytest.approx((logs.mean(), logs.std(ddof=1)))
    assert read_basis(basis.save(tmp_path / "b.basis")).library_sizes == basis.library_sizes
    few = np.log10(public.dense()[:, :10].sum(axis=1))
    assert basis.of_genes(list(public.genes[:10])).library_sizes[0] == pytest.approx(few.mean(), abs=0.15)
    assert build_basis(planted()).library_sizes is None
    without = dataclasses.replace(basis, library_sizes=None)
    assert read_basis(without.save(tmp_path / "old.basis")).library_sizes is None


@pytest.mark.parametrize("told", [(float("nan"), 0.1), (7.0, -1.0), (1e300, 0.1), (7.0,), "7"])
def test_library_sizes_that_no_cohort_has_are_refused(told, tmp_path):
    basis = dataclasses.replace(build_basis(ts.datasets.simulate_cohort(10, 10, 20, seed=0)), library_sizes=told)
    with pytest.raises(CohortError, match="not a twinseq model file, or a damaged one"):
        read_basis(basis.save(tmp_path / "b.basis"))


@pytest.mark.parametrize(("values", "known"), [("group", True), ("gaps", False), ("names", False), ("absent", False)])
def test_a_public_file_with_the_private_label_gives_a_labelled_basis(values, known, tmp_path):
    public = labelled(60, rare=20)
    adata = public.adata.copy()
    group = adata.obs.pop("group")
    columns = {"group": group, "gaps": group.where(np.arange(60) > 5), "names": adata.obs_names}
    if values in columns:
        adata.obs["kind"] = columns[values]
    ts.write(Cohort(adata, kind="continuous"), tmp_path / "public.h5ad")
    private = labelled(60, rare=20, seed=5)
    private = dataclasses.replace(
        private, adata=AnnData(private.dense(), obs=private.obs.rename(columns={"group": "kind"}), var=adata.var),
        label="kind",
    )  # fmt: skip
    with basis_built(tmp_path / "public.h5ad", private, tmp_path / "b.basis"):
        assert (read_basis(tmp_path / "b.basis").shared is not None) == known
