"""Noise that is the same in every run of the tests.

The noise of private generators comes from the operating system and has no seed, so that a test of what a noisy twin is
like would fail once in a while. Outside ``tests/dp``, where the true noise is tested, draws of the same distributions
come from a generator that each test and each fixture seeds with its own name, in whatever order they run.
"""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
from opendp import measurements

from twinseq.dp import entropy

Mechanism = Callable[[list[int]], Any]


class SeededNoise:
    """What `twinseq.dp` asks of OpenDP and of the operating system, from a seed."""

    def __init__(self) -> None:
        self.reseed("")

    def reseed(self, name: str) -> None:
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))

    def make_gaussian(self, domain: Any, metric: Any, scale: float) -> Mechanism:
        return lambda whole: self._added(whole, self.rng.normal(0.0, scale, len(whole)))

    def make_laplace(self, domain: Any, metric: Any, scale: float) -> Mechanism:
        return lambda whole: self._added(whole, self.rng.laplace(0.0, scale, len(whole)))

    def make_noisy_max(self, domain: Any, metric: Any, measure: Any, scale: float) -> Mechanism:
        # Permute-and-flip is the largest score after exponential noise (Ding et al. 2021).
        return lambda whole: int(np.argmax(np.asarray(whole) + self.rng.exponential(scale, len(whole))))

    def urandom(self, size: int) -> bytes:
        return self.rng.bytes(size)

    def _added(self, whole: list[int], noise: np.ndarray) -> list[int]:
        return (np.asarray(whole, dtype=np.int64) + np.rint(noise).astype(np.int64)).tolist()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Take the place of the true noise."""
        names = ("make_gaussian", "make_laplace", "make_noisy_max")
        true, system = {name: getattr(measurements, name) for name in names}, entropy.os
        try:
            for name in names:
                setattr(measurements, name, getattr(self, name))
            entropy.os = SimpleNamespace(urandom=self.urandom)
            yield
        finally:
            for name in names:
                setattr(measurements, name, true[name])
            entropy.os = system
