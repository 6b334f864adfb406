"""The class of samples that come without one, as told by real samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import CohortError
from ..metrics._registry import NotComputableError
from ..metrics.paper.classifiers import OneVsRest, scaled


def told_classes(
    values: NDArray[np.float64], labels: NDArray[np.str_], others: NDArray[np.float64]
) -> NDArray[np.str_]:
    """Return the class of each of ``others``, as told by the benchmark's classifier trained on real samples.

    Parameters
    ----------
    values, labels
        Real profiles, ``n × n_genes``, and their classes.
    others
        ``n_others × n_genes``.

    Raises
    ------
    CohortError
        There is one class only.
    """
    try:
        classifier = OneVsRest.fit(scaled(values, values), labels)
    except NotComputableError as error:
        raise CohortError(f"Classes cannot be told: {error}.") from error
    return np.asarray(classifier.predict(scaled(values, others))[0], dtype=str)
