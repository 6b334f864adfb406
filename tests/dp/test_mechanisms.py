"""Mechanisms: noise of the size and shape that the ledger is charged with, from no seed, around bounded answers."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from twinseq.dp import Ledger, LedgerError
from twinseq.dp.ledger import GAUSSIAN, LAPLACE, NOISY_MAX
from twinseq.dp.mechanisms import GRID, clipped, donor_weights, gaussian, laplace, noisy_max, symmetric

# The noise has no seed: what true noise does once in ten million runs must not fail them.
RARE, FAR = 1e-7, 5.5


@pytest.mark.parametrize(
    ("mechanism", "shape", "deviation"),
    [(gaussian, "norm", 1.0), (laplace, "laplace", np.sqrt(2.0))],
)
def test_noise_has_the_size_and_the_shape_that_was_charged(mechanism, shape, deviation):
    n, ledger = 20_000, Ledger()
    answer = np.linspace(-500.0, 900.0, n)
    noise = mechanism(answer, 2.0, 3.0, ledger, "test") - answer
    (query,) = ledger.queries
    assert query.noise == pytest.approx(6.0, rel=1e-3)
    assert query.multiplier == pytest.approx(3.0, rel=1e-12)
    assert stats.kstest(noise / query.noise, shape).pvalue > RARE
    assert noise.std() == pytest.approx(deviation * query.noise, rel=0.04)
    assert abs(noise.mean()) < FAR * deviation * query.noise / np.sqrt(n)
    if mechanism is gaussian:
        assert abs(stats.kurtosis(noise)) < 0.2
    # Neither the answer nor neighbouring noise can be seen in it.
    assert abs(np.corrcoef(noise, answer)[0, 1]) < FAR / np.sqrt(n)
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < FAR / np.sqrt(n)


@pytest.mark.parametrize("mechanism", [gaussian, laplace])
def test_answers_lie_on_a_grid_that_says_nothing_of_the_value(mechanism):
    ledger = Ledger()
    value = np.full(500, np.pi)
    noisy = mechanism(value, 1.0, 2.0, ledger, "test")
    steps = noisy / (ledger.queries[0].noise / GRID)
    np.testing.assert_array_equal(steps, np.rint(steps))
    # All residues of the grid occur: the lowest digits are noise.
    assert len(np.unique(np.mod(steps, 64))) > 50


@pytest.mark.parametrize(
    ("mechanism", "norm"),
    [(gaussian, lambda steps: np.linalg.norm(steps)), (laplace, lambda steps: np.abs(steps).sum())],
)
def test_the_charge_covers_what_rounding_adds(mechanism, norm):
    rng, size, ledger = np.random.default_rng(0), 400, Ledger()
    mechanism(np.zeros(size), 1.0, 5.0, ledger, "test")
    (query,) = ledger.queries
    step = query.noise / GRID
    assert query.sensitivity > 1.0
    for _ in range(200):
        one = rng.normal(0, 100, size)
        apart = rng.normal(size=size)
        apart /= norm(apart)
        exact = (np.rint((one + apart) / step) - np.rint(one / step)) * step
        assert norm(exact) <= query.sensitivity
    worst = np.full(size, 0.5 + 1e-9)
    assert norm((np.rint(worst) - np.rint(worst - 2e-9)) * step) <= query.sensitivity - 1.0 + 1e-12


def test_symmetric_noise_is_that_of_the_frobenius_norm():
    k, runs, ledger = 5, 400, Ledger()
    matrix = np.add.outer(np.arange(k), np.arange(k)) * 10.0
    noise = np.stack([symmetric(matrix, 4.0, 0.5, ledger, "test") - matrix for _ in range(runs)])
    np.testing.assert_array_equal(noise, noise.transpose(0, 2, 1))
    deviation = ledger.queries[0].noise
    assert deviation == pytest.approx(2.0, rel=1e-6)
    own, off = noise[:, np.arange(k), np.arange(k)], noise[:, *np.triu_indices(k, 1)]
    assert own.std() == pytest.approx(deviation, rel=FAR / np.sqrt(2 * own.size))
    assert off.std() == pytest.approx(deviation / np.sqrt(2), rel=FAR / np.sqrt(2 * off.size))
    squares = (noise**2).sum(axis=(1, 2)) / deviation**2
    assert stats.kstest(squares, stats.chi2(k * (k + 1) // 2).cdf).pvalue > RARE


def test_a_sum_of_outer_products_moves_by_no_more_than_the_square_of_the_length():
    """What `symmetric` is charged with: the vector it asks for is as long as the matrix is in Frobenius norm."""
    import opendp.measurements as measurements

    asked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurements, "make_gaussian", lambda *_: lambda whole: asked.append(whole) or whole)
        for row in (np.zeros(6), np.full(6, 3.0 / np.sqrt(6))):
            symmetric(np.outer(row, row), 9.0, 2.0, ledger := Ledger(), "test")
    (query,) = ledger.queries
    moved = np.linalg.norm(np.subtract(*asked)) * query.noise / GRID
    assert moved == pytest.approx(9.0, rel=1e-6)
    assert moved <= query.sensitivity


@pytest.mark.parametrize("gap", [0.0, 1.0, 3.0])
def test_two_candidates_are_reported_as_permute_and_flip_does(gap):
    """Either is looked at first with even chance; the lower one is then kept with chance exp(−gap / scale)."""
    runs, scale, ledger = 3000, 2.0, Ledger()
    chosen = np.array([noisy_max(np.array([gap, 0.0]), 1.0, scale, ledger, "test") for _ in range(runs)])
    expected = 0.5 * np.exp(-gap / scale)
    assert abs((chosen == 1).mean() - expected) < FAR * np.sqrt(expected * (1 - expected) / runs)
    assert ledger.queries[0].mechanism == NOISY_MAX


@pytest.mark.parametrize("n", [3, 6])
def test_many_candidates_are_reported_as_permute_and_flip_does(n):
    scores, scale, runs = np.linspace(0.0, 3.0, n), 1.5, 3000
    chosen = np.array([noisy_max(scores, 1.0, scale, Ledger(), "test") for _ in range(runs)])
    expected = _permute_and_flip(np.exp((scores - scores.max()) / scale))
    found = np.bincount(chosen, minlength=n)
    assert expected.sum() == pytest.approx(1.0)
    assert stats.chisquare(found, runs * expected).pvalue > RARE


def _permute_and_flip(keep: np.ndarray) -> np.ndarray:
    """Return the chance of each candidate: an integral over the place in the order (McKenna & Sheldon 2020)."""
    t, weight = np.polynomial.legendre.leggauss(40)
    t, weight = (t + 1) / 2, weight / 2
    others = 1 - t[:, None] * keep
    return np.array([keep[i] * (weight @ np.prod(np.delete(others, i, axis=1), axis=1)) for i in range(len(keep))])


def test_no_seed_has_a_say_in_the_noise():
    answers = []
    for _ in range(2):
        np.random.seed(0)  # noqa: NPY002  (a stream that the noise must not come from)
        answers.append(gaussian(np.zeros(5), 1.0, 1.0, Ledger(), "test"))
    assert not np.isin(*answers).any()


FORKS = """
import os
import numpy as np
from twinseq.dp import Ledger
from twinseq.dp.mechanisms import gaussian

gaussian(np.zeros(2), 1.0, 1.0, Ledger(), "whatever is drawn ahead is drawn")
for _ in range(3):
    if not (child := os.fork()):
        print(*gaussian(np.zeros(2), 1.0, 1.0, Ledger(), "test"), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
print(*gaussian(np.zeros(2), 1.0, 1.0, Ledger(), "test"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="processes are not forked here")
def test_forked_processes_draw_noise_of_their_own():
    # In a process of its own, since threads of other tests' libraries may not be forked.
    ended = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True)
    assert len(set(ended.stdout.split())) == 8


@pytest.mark.parametrize(("mechanism", "name"), [(gaussian, GAUSSIAN), (laplace, LAPLACE), (noisy_max, NOISY_MAX)])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e18])
def test_what_cannot_be_noised_is_neither_answered_nor_charged(mechanism, name, bad):
    ledger = Ledger()
    with pytest.raises(LedgerError, match="not finite, or far too large"):
        mechanism(np.array([0.0, bad]), 1.0, 1.0, ledger, "test")
    assert not ledger.queries
    mechanism(np.array([0.0, 1.0]), 1.0, 1.0, ledger, "test")
    assert [query.mechanism for query in ledger.queries] == [name]


@pytest.mark.parametrize("mechanism", [gaussian, laplace, noisy_max])
@pytest.mark.parametrize(
    ("sensitivity", "multiplier"),
    [(0.0, 1.0), (-1.0, 1.0), (np.nan, 1.0), (np.inf, 1.0), (1.0, 0.0),
     (1.0, -2.0), (1.0, np.nan), (1.0, np.inf), (1.0, 1e12)],
)  # fmt: skip
def test_noise_that_is_none_is_refused(mechanism, sensitivity, multiplier):
    ledger = Ledger()
    with pytest.raises(LedgerError, match="No noise can be found"):
        mechanism(np.zeros(3), sensitivity, multiplier, ledger, "test")
    assert not ledger.queries


@pytest.mark.parametrize(
    ("mechanism", "maker"), [(gaussian, "gaussian"), (laplace, "laplace"), (noisy_max, "noisy_max")]
)
def test_an_answer_that_gets_lost_is_charged_all_the_same(mechanism, maker, monkeypatch):
    def broken(*_):
        raise MemoryError

    monkeypatch.setattr(f"opendp.measurements.make_{maker}", broken)
    ledger = Ledger()
    with pytest.raises(MemoryError):
        mechanism(np.zeros(3), 1.0, 1.0, ledger, "test")
    assert len(ledger.queries) == 1


def test_rounding_is_by_at_most_a_step_for_every_answer_that_is_taken():
    """Beyond 2⁵³ steps neighbouring numbers are several steps apart."""
    ledger = Ledger()
    step = gaussian(np.zeros(1), 1.0, 1.0, ledger, "test") * 0 + ledger.queries[0].noise / GRID
    largest = 2.0**53 * step
    with pytest.raises(LedgerError):
        gaussian(1.001 * largest, 1.0, 1.0, ledger, "test")
    assert np.spacing(0.999 * largest / step) <= 1.0
    assert abs(gaussian(0.999 * largest, 1.0, 1.0, ledger, "test") - 0.999 * largest) < 10.0


def test_an_empty_answer_stays_empty():
    assert gaussian(np.zeros((0, 3)), 1.0, 1.0, Ledger(), "test").shape == (0, 3)


@pytest.mark.parametrize("scale", [0.0, 1e-310, 1e-200, 1e-3, 1.0, 1e3, 1e150])
def test_clipped_rows_are_no_longer_than_stated(scale):
    rows = scale * np.random.default_rng(0).normal(size=(50, 7))
    cut = clipped(rows, 2.0)
    assert (np.linalg.norm(cut, axis=1) <= 2.0 * (1 + 1e-12)).all()
    short = np.linalg.norm(rows, axis=1) <= 2.0
    np.testing.assert_array_equal(cut[short], rows[short])
    lengths = np.linalg.norm(cut[~short], axis=1)
    np.testing.assert_allclose(lengths, 2.0)


def test_a_row_that_is_no_number_reaches_no_answer():
    for bad in (np.nan, np.inf):
        rows = np.ones((4, 3))
        rows[1, 2] = bad
        with np.errstate(invalid="ignore"):
            cut = clipped(rows, 1.0)
        with pytest.raises(LedgerError):
            gaussian(cut.sum(axis=0), 1.0, 1.0, Ledger(), "test")


def test_weights_of_a_donor_add_up_to_one():
    donors = np.array(["b", "a", "b", "c", "b", "a"])
    weights = donor_weights(donors)
    np.testing.assert_allclose(weights, [1 / 3, 1 / 2, 1 / 3, 1, 1 / 3, 1 / 2])
    rows = clipped(np.random.default_rng(0).normal(0, 9, (6, 4)), 1.5)
    for donor in "abc":
        kept = donors != donor
        less = donor_weights(donors[kept]) @ rows[kept]
        assert np.linalg.norm(weights @ rows - less) <= 1.5 * (1 + 1e-12)
