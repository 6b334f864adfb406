"""Attacks of the Health Privacy Challenge (CAMDA 2025) as its starter kit runs them and with its faults.

Written anew from reading the public kit (PMBio/Health-Privacy-Challenge, ``src/mia``), the DOMIAS package from which
it takes most attacks (van Breugel et al. 2023), and a contestant's port (steveng9/MIA_on_bulkRNAseq_CAMDA2026). Each
function takes targets, twin and reference on a log scale (``n × G``, genes in one order) and a seed, and gives one
score per target, higher for likelier members.

All of them share one fault: every set is standardised by its own means and deviations, so that whatever tells
members' side from the others by location or spread is wiped out, and a target's score depends on who else is a target.
"""

from collections.abc import Callable

import numpy as np
from scipy.stats import gaussian_kde
from sklearn.decomposition import PCA
from sklearn.neural_network import MLPClassifier

Scores = Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]
COMPONENTS = 150
BATCH = 256


def standardised(values: np.ndarray) -> np.ndarray:
    """Return a set in units of its own means and deviations, constant genes at 0."""
    deviation = values.std(axis=0)
    scaled: np.ndarray = (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    return scaled


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return squared distances of the rows of ``a`` from those of ``b``."""
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
    floored: np.ndarray = np.maximum(squares, 0.0)
    return floored


def nearest(targets: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the squared distance of each target to the nearest of ``others``."""
    closest: np.ndarray = squared_distances(standardised(targets), standardised(others)).min(axis=1)
    return closest


def gan_leaks(targets: np.ndarray, twin: np.ndarray, reference: np.ndarray, seed: int) -> np.ndarray:
    """``exp(−d²)`` of the nearest twin sample (Chen et al. 2020).

    Fault: ``d²`` grows with the number of genes and ``exp(−d²)`` is 0 in floating point from 745 on, so with a
    thousand genes nearly all scores are equal.
    """
    return np.exp(-nearest(targets, twin))


def gan_leaks_scaled(targets: np.ndarray, twin: np.ndarray, reference: np.ndarray, seed: int) -> np.ndarray:
    """``exp(−d² / median d²)``, the kit's later mend of `gan_leaks`.

    It scores in the order of the nearest distance. The median is that of the targets, members among them.
    """
    distance = nearest(targets, twin)
    return np.exp(-distance / max(float(np.median(distance)), np.finfo(float).tiny))


def gan_leaks_calibrated(targets: np.ndarray, twin: np.ndarray, reference: np.ndarray, seed: int) -> np.ndarray:
    """``exp(d²_R − d²_S)``: nearest reference against nearest twin sample.

    Fault: the difference of squared distances is in the hundreds, so scores underflow to 0 or overflow. The DOMIAS
    package stops at the first infinity; here it is kept, as the largest score. Forks put a logistic function in the
    place of the exponential, which ties at 1 instead.
    """
    with np.errstate(over="ignore"):
        return np.exp(nearest(targets, reference) - nearest(targets, twin))


def monte_carlo(targets: np.ndarray, twin: np.ndarray, reference: np.ndarray, seed: int) -> np.ndarray:
    """Share of twin samples within ε, the 10th percentile of the targets' nearest distances (after Hilprecht 2019).

    Fault: by this choice of ε nine targets in ten have no twin sample within it and all score 0. The kit then reads the
    true-positive rate at the first point of the ROC curve past the wanted false-positive rate, which the ties move to
    the upper right corner: its README reports a TPR of 1.0000 at FPR 0.1 with an AUC of 0.51.
    """
    distances = squared_distances(standardised(targets), standardised(twin))
    epsilon = np.percentile(distances.min(axis=1), 10)
    share: np.ndarray = (distances < epsilon).mean(axis=1)
    return share


def logan_d1(targets: np.ndarray, twin: np.ndarray, reference: np.ndarray, seed: int) -> np.ndarray:
    """Score of a net that tells twin from reference samples (Hayes et al. 2019).

    Fault: batches are drawn from the first ``num`` rows of twin and reference stacked, where ``num`` is the size of
    the smaller set, and these are twin rows without exception. The net never sees a reference sample and learns to
    call everything twin. The number of steps grows with that of the targets.

    scikit-learn's multilayer perceptron stands in for the kit's torch net, with the same layers, optimiser, step size,
    batches and number of steps; one logistic output takes the place of two softmax ones.
    """
    rng = np.random.default_rng(seed)
    num = min(len(twin), len(reference))
    rows = np.vstack([standardised(twin)[:num], standardised(reference)[:num]])
    is_twin = np.repeat([1, 0], num)
    net = MLPClassifier((256, 256), solver="adam", learning_rate_init=1e-3, alpha=0.0, random_state=seed)
    for _ in range(max(1, 300 * len(targets) // BATCH)):
        batch = rng.choice(num, BATCH)
        net.partial_fit(rows[batch], is_twin[batch], classes=[0, 1])
    hidden = standardised(targets)
    for weights, offset in zip(net.coefs_[:-1], net.intercepts_[:-1], strict=True):
        hidden = np.maximum(hidden @ weights + offset, 0.0)
    logit: np.ndarray = (hidden @ net.coefs_[-1] + net.intercepts_[-1])[:, 0]
    return logit


def domias_kde(targets: np.ndarray, twin: np.ndarray, reference: np.ndarray, seed: int) -> np.ndarray:
    """Ratio of kernel densities of twin and reference at the target (van Breugel et al. 2023).

    Fault: 150 principal components are fitted to targets, twin and reference separately. The three sets of coordinates
    have nothing in common, not even the sign of an axis, and densities are compared at points of another space. In 150
    dimensions densities lie far below the 10⁻¹⁰ that is added to the divisor, so that the reference cancels out.

    The kit fails with fewer than 150 samples in a set; here the number of components is the largest that works.
    """
    sets = [standardised(values) for values in (targets, twin, reference)]
    n_components = min(COMPONENTS, *(int(np.linalg.matrix_rank(values)) for values in sets))
    at, of_twin, of_reference = (PCA(n_components, random_state=seed).fit_transform(values).T for values in sets)
    ratio: np.ndarray = gaussian_kde(of_twin)(at) / (gaussian_kde(of_reference)(at) + 1e-10)
    return ratio


ATTACKS: dict[str, Scores] = {
    "gan_leaks": gan_leaks,
    "gan_leaks_scaled": gan_leaks_scaled,
    "gan_leaks_calibrated": gan_leaks_calibrated,
    "mc": monte_carlo,
    "logan_d1": logan_d1,
    "domias_kde": domias_kde,
}
