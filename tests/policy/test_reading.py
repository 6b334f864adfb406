"""Policies: those of the program, those of users, and what is said of a bad one, with its line."""

import itertools
import math
from pathlib import Path

import pytest
import yaml
from dp_accounting import get_epsilon_gaussian
from scipy.stats import norm

from twinseq.errors import ConfigError
from twinseq.places import PlaceError
from twinseq.policy import PRACTICES, Floor, Limit, Policy, profiles, read_policy


@pytest.fixture
def policy(tmp_path):
    def read(text: str) -> Policy:
        path = tmp_path / "ours.yaml"
        path.write_text(text, encoding="utf-8")
        return read_policy(path)

    return read


@pytest.mark.parametrize("name", profiles())
def test_every_threshold_of_the_program_has_a_reason(name: str):
    found = read_policy(name)
    assert found.name == name
    assert found.title
    assert found.about
    assert found.attacker_why
    limits = [found.auc, found.tpr_at_1, found.groups, found.exact_copies, found.donors, found.epsilon]
    for limit in (*limits, *found.fidelity):
        assert limit is not None
        assert len(limit.why) > 40
    words = (Path(__file__).parents[2] / "src" / "twinseq" / "policies" / f"{name}.yaml").read_text(encoding="utf-8")
    assert "anonym" not in words.lower()


def test_the_policies_grow_stricter():
    found = [read_policy(name) for name in profiles()]
    for one, other in itertools.pairwise(found):
        assert other.attacker >= one.attacker
        for key in ("auc", "tpr_at_1", "groups", "epsilon"):
            assert getattr(other, key).value <= getattr(one, key).value
        assert other.donors.value > one.donors.value
        for floor, stricter in zip(one.fidelity, other.fidelity, strict=True):
            assert all(b >= a for (_, _, a), (_, _, b) in zip(floor.first_of, stricter.first_of, strict=True))


def test_a_limit_of_the_auc_and_its_reason_agree():
    for name in profiles():
        auc = read_policy(name).auc
        epsilon = get_epsilon_gaussian(1 / (math.sqrt(2) * norm.ppf(auc.value)), 1e-5)
        said = float(auc.why.partition("epsilon of about ")[2].split()[0])
        assert said == pytest.approx(epsilon, abs=0.15)


def test_a_policy_of_ones_own(policy):
    found = policy("""\
title: Ours
attacker: {level: T2, why: they know}
auc: {at_most: 0.65, why: the board says so}
epsilon: {at_most: 3, required: true}
fidelity:
  - first_of:
      - {metric: c2st_auc_trees, at_most: 0.9}
    why: it should look real
""")
    assert (found.name, found.title, found.attacker) == ("ours.yaml", "Ours", "T2")
    assert found.auc == Limit(0.65, "the board says so")
    assert (found.epsilon, found.epsilon_required) == (Limit(3.0, ""), True)
    question = "Can boosted trees, which see interactions and odd margins, tell twin samples from real ones?"
    assert found.fidelity == (Floor(question, (("c2st_auc_trees", "at most", 0.9),), "it should look real"),)
    assert found.donors is None


def test_a_policy_based_on_another_keeps_what_it_does_not_state(policy):
    found = policy("based_on: partner\ndonors: {at_least: 80}\n")
    base = read_policy("partner")
    assert found.donors == Limit(80.0, "")
    assert (found.auc, found.fidelity, found.title) == (base.auc, base.fidelity, base.title)
    # A file called partner.yaml is not the policy of that name, and does not look like it.
    assert found.name == "ours.yaml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("auk: {at_most: 0.6}\n", "line 1: unknown key 'auk'; did you mean 'auc'?"),
        ("auc: {at_least: 0.6}\n", "line 1: auc: unknown key 'at_least'; did you mean 'at_most'?"),
        ("auc: {why: x}\n", "line 1: auc: 'at_most' is missing"),
        ("title: x\nauc: {at_most: 6}\n", "line 2: auc.at_most: expected a number from 0.5 to 1"),
        ("auc: {at_most: low}\n", "expected a number, not 'low'"),
        ("donors: {at_least: 0}\n", "expected a number of at least 1"),
        ("donors: {at_least: .nan}\n", "expected a number"),
        ("attacker: {level: T5}\n", "attacker.level: 'T5' is not known"),
        ("attacker: {level: T4}\n", "attacker.level: 'T4' is not known"),
        ("epsilon: {at_most: 1, required: maybe}\n", "epsilon.required: expected true or false"),
        ("based_on: partnr\n", "did you mean 'partner'?"),
        ("fidelity: []\n", "fidelity: the list is empty"),
        ("fidelity:\n  - first_of:\n      - {metric: lfc_replicaton, at_least: 1}\n",
         "line 3: fidelity[0].first_of[0].metric: 'lfc_replicaton' is not known; did you mean 'lfc_replication'?"),
        ("fidelity:\n  - first_of:\n      - {metric: de_recall}\n", "state either at_least or at_most"),
        ("fidelity:\n  - first_of:\n      - {metric: de_recall, at_most: 0.5}\n",
         "fidelity[0].first_of[0].at_most: of 'de_recall' higher is better"),
        ("- auc\n", "line 1: expected keys"),
        ("auc: {at_most: 0.6\n", "not YAML"),
        ("auc: !!python/object/apply:os.system [ls]\n", "line 1: auc: expected keys"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(policy, text: str, said: str):
    with pytest.raises(PlaceError) as caught:
        policy(text)
    assert said in str(caught.value)
    assert "ours.yaml" in str(caught.value)


def test_a_policy_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'internal'"):
        read_policy("interna")
    with pytest.raises(PlaceError, match="cannot be read"):
        read_policy(tmp_path / "none.yaml")


def test_a_policy_is_what_it_is():
    found = read_policy("open")
    assert read_policy(found) is found


def test_the_files_hold_no_key_twice_and_the_practices_say_what_has_to_be_said():
    for name in profiles():
        path = Path(__file__).parents[2] / "src" / "twinseq" / "policies" / f"{name}.yaml"
        keys = [line.partition(":")[0] for line in path.read_text(encoding="utf-8").splitlines() if line[:1].isalpha()]
        assert sorted(keys) == sorted(yaml.safe_load(path.read_text(encoding="utf-8")))
    together = " ".join(PRACTICES)
    for word in ("many donors", "fitted model", "differential privacy", "rare diseases", "NOT-OD-25-081", "ledger"):
        assert word in together
    assert "anonym" not in together.lower()


def test_the_page_on_policies_has_the_numbers_of_the_files():
    page = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    rows = {cells[0]: cells[1:] for cells in lines}
    found = [read_policy(name) for name in profiles()]

    def said(start: str) -> list[str]:
        return next(cells for title, cells in rows.items() if title.startswith(start))

    def share(value: float) -> str:
        return f"{value:.2f}".replace("0.", ".").replace("-", "−")

    assert said("AUC of the strongest") == [f"≤ {share(one.auc.value)}" for one in found]
    assert said("members named") == [f"≤ {100 * one.tpr_at_1.value:.0f} %" for one in found]
    assert said("AUC within") == [f"> {share(one.groups.value)}" for one in found]
    assert said("donors") == [f"≥ {one.donors.value:g}" for one in found]
    assert said("ε, if") == [f"≤ {one.epsilon.value:g}" for one in found]
    for place, start in enumerate(("`lfc_replication`", "`tstr_ratio_auc`", "`lisi`")):
        for policy, cell in zip(found, said(start), strict=True):
            assert all(share(value) in cell for _, _, value in policy.fidelity[place].first_of)
