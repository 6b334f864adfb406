import numpy as np
import pytest

from twinseq.de import smallmatrix


@pytest.fixture(params=[1, 2, 5])
def matrix(request):
    root = np.random.default_rng(request.param).normal(size=(request.param, request.param + 2))
    return root @ root.T


def test_solve_inverse_norm_and_determinant_match_numpy(matrix):
    p = len(matrix)
    vector = np.arange(1.0, p + 1)
    factor = matrix.copy()
    assert smallmatrix.cholesky(factor, p)

    solution = vector.copy()
    smallmatrix.solve_in_place(factor, solution, p)
    np.testing.assert_allclose(solution, np.linalg.solve(matrix, vector), rtol=1e-9)

    inverse = np.empty((p, p))
    smallmatrix.inverse(factor, inverse, p, np.empty(p))
    np.testing.assert_allclose(inverse, np.linalg.inv(matrix), rtol=1e-9)

    norm = smallmatrix.half_solved_norm(factor, vector, p, np.empty(p))
    assert norm == pytest.approx(vector @ np.linalg.solve(matrix, vector), rel=1e-9)


@pytest.mark.parametrize("bad", [[[1.0, 2.0], [2.0, 1.0]], [[np.nan, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])
def test_a_matrix_that_is_not_positive_definite_is_refused(bad):
    assert not smallmatrix.cholesky(np.array(bad), 2)
