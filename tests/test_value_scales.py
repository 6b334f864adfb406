"""What is said of values that are no counts."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from twinseq.cohort import from_anndata
from twinseq.errors import CohortError
from twinseq.scales import reading


def counts(n=60, genes=40, seed=0):
    rng = np.random.default_rng(seed)
    return rng.negative_binomial(2, 0.1, (n, genes)).astype(np.float64)


def log_normalised(x, total=1e4):
    return np.log1p(x / x.sum(axis=1, keepdims=True) * total)


def scaled(x):
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    return np.minimum(z, 1.5)


CASES = {
    "log": (log_normalised, r"log-normalised values \(natural logarithms of counts normalised to 10,000 a sample\)"),
    "log2": (lambda x: log_normalised(x, 1e6) / np.log(2), r"log-normalised values \(log2 of .* 1,000,000 a sample\)"),
    "other logarithms": (lambda x: np.log10(x + 1), "log-normalised values"),
    "scaled": (scaled, r"scaled or centred values \(negative, capped at 1.5\)"),
    "centred": (lambda x: x - x.mean(axis=0), r"scaled or centred values \(negative\)"),
    "cpm": (lambda x: x / x.sum(axis=1, keepdims=True) * 1e6, r"normalised values \(1,000,000 a sample"),
    "expected": (lambda x: x + 0.25 * (x > 3), "expected counts"),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("sparse", [False, True])
def test_scales_are_told(name, sparse):
    change, words = CASES[name]
    values = change(counts())
    x = sp.csr_matrix(values) if sparse else values
    obs = pd.DataFrame({"kind": ["a", "b"] * 30}, index=[f"c{row}" for row in range(60)])
    with pytest.raises(CohortError, match=f"The values read like .*{words}.*Raw counts are needed"):
        from_anndata(ad.AnnData(x, obs=obs), cell_type="kind")


def test_a_single_bad_value_is_no_other_scale():
    x = counts()
    x[3, 4] = -1.0
    assert reading(x) == "counts otherwise"


@pytest.mark.parametrize(("dtype", "bound"), [(np.uint8, 255), (np.int8, 127), (np.uint16, 65_535)])
def test_counts_cut_at_the_end_of_a_small_type(dtype, bound):
    x = np.minimum(counts() * (1 if bound < 256 else 300) * 6, bound).astype(dtype)
    obs = pd.DataFrame({"kind": ["a", "b"] * 30}, index=[f"c{row}" for row in range(60)])
    with pytest.raises(CohortError, match=rf"no count is above {bound:,}, and \d+ are exactly {bound:,}.*capped"):
        from_anndata(ad.AnnData(sp.csr_matrix(x), obs=obs), cell_type="kind")


def test_counts_that_end_near_a_bound_are_welcome():
    x = counts()
    x[x > 200] = 200
    x[:4, 0] = (255, 254, 253, 240)
    obs = pd.DataFrame({"kind": ["a", "b"] * 30}, index=[f"c{row}" for row in range(60)])
    assert from_anndata(ad.AnnData(x, obs=obs), cell_type="kind").n_samples == 60
