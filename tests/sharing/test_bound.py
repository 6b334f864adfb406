"""The bound behind the words of tuning: closed form, turned around, and an experiment."""

import numpy as np
import pytest

from twinseq.attacks._tracing import expected_auc
from twinseq.attacks.roc import auc
from twinseq.sharing.bound import Room


def room(directions: float = 400.0, members: int = 50, agreement: float = 0.9) -> Room:
    return Room(np.array([members / 2] * 2), np.array([members / 4] * 2), directions, agreement)


def test_without_noise_it_is_the_closed_form_of_mean_tracing():
    one = Room(np.array([50.0]), np.array([25.0]), 400.0, 0.9)
    assert one.auc(0.0) == pytest.approx(expected_auc(400, 50, 25), abs=0.005)


@pytest.mark.parametrize("noise", [0.0, 4.0])
def test_an_experiment_agrees(noise):
    rng = np.random.default_rng(0)
    n, m, genes = 60, 40, 300
    found = []
    for _ in range(12):
        members, others, reference = (rng.standard_normal((size, genes)) for size in (n, 200, m))
        released = members.mean(axis=0) + np.sqrt(noise / n) * rng.standard_normal(genes)
        shift = released - reference.mean(axis=0)
        scores = [(side - reference.mean(axis=0)) @ shift for side in (members, others)]
        found.append(auc(*scores))
    expected = Room(np.array([60.0]), np.array([40.0]), 300.0, 0.9).auc(noise)
    assert np.mean(found) == pytest.approx(expected, abs=0.03)


def test_noise_directions_and_people_are_the_area_turned_around():
    one = room()
    noise = one.noise_for(0.7)
    assert one.auc(noise) == pytest.approx(0.7, abs=1e-3)
    assert one.best(0.7) == pytest.approx(one.replication(noise))
    few = one.directions_for(0.7)
    assert one.auc(0.0, few) <= 0.7 < one.auc(0.0, few + 1)
    assert one.people_for(0.7, 0.95) > 1.0
    assert one.people_for(0.999, 0.5) == 1.0


def test_more_people_and_smaller_panels_leave_more_room():
    assert room(members=500).best(0.6) > room(members=50).best(0.6)
    assert room(directions=50).best(0.6) > room(directions=500).best(0.6)
