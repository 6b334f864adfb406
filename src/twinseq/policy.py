"""Policies: what must hold of a twin before it is handed on, each threshold with its reason.

Three come with the program, `internal`, `partner` and `open`; users write their own as YAML files, from scratch or
``based_on`` one of these. `judged` holds an audit against a policy and says in plain words what follows.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from . import metrics as registry
from .attacks import LEVELS
from .errors import ConfigError, shorten, suggest
from .places import Place
from .results import AuditReport
from .verdict import checks_of, outcome_of, reasons_of

PRACTICES = (
    "Train on many donors: of two twins made alike, the one of fewer donors gives each of them away more.",
    "Never release the fitted model or its parameters: who holds them attacks far better than who holds the twin. "
    "Models of private generators (dp-…) are the exception.",
    "Where it matters that no single donor can be told, ask for donor-level differential privacy (--preset dp): a "
    "proof that holds for attacks nobody has thought of, which no audit can give.",
    "Take care with small cohorts and rare diseases: there, few outsiders share a profile, and who is in the cohort "
    "may be known without any attack.",
    "Count releases: several twins of one cohort together give away more than one. Keep a ledger (--ledger).",
    "Check the data-use agreement: models trained on controlled-access data, and what they make, may themselves be "
    "controlled (for NIH data see NOT-OD-25-081). A passed audit changes nothing about that.",
)
"""What holds whatever the verdict; reports and releases show it."""

SUFFIXES = (".yaml", ".yml")
KEYS = (
    "title", "about", "based_on", "attacker", "auc", "tpr_at_1", "groups", "exact_copies", "donors", "epsilon",
    "fidelity",
)  # fmt: skip
LIMITS: dict[str, tuple[str, float, float | None]] = {
    "auc": ("at_most", 0.5, 1.0),
    "tpr_at_1": ("at_most", 0.01, 1.0),
    "groups": ("at_most", 0.5, 1.0),
    "exact_copies": ("at_most", 0.0, None),
    "donors": ("at_least", 1.0, None),
}
"""Direction and range of the thresholds that are a number alone."""


@dataclass(frozen=True)
class Limit:
    """A threshold, and why it is where it is."""

    value: float
    why: str


@dataclass(frozen=True)
class Floor:
    """What a twin must be good for.

    Parameters
    ----------
    question
        What is asked, in plain words.
    first_of
        Metric, direction (``"at least"`` or ``"at most"``) and threshold; the first that could be computed counts.
    why
        Why it is asked.
    """

    question: str
    first_of: tuple[tuple[str, str, float], ...]
    why: str


@dataclass(frozen=True)
class Policy:
    """What must hold of a twin. A threshold that is ``None`` is not asked for.

    Parameters
    ----------
    name, title, about
        What it is called, in a word and in a line, and whom it is for.
    attacker, attacker_why
        Threat level whose strongest attack counts, attacks of lower levels included.
    auc
        Largest upper end of the interval of that attack's AUC.
    tpr_at_1
        Largest upper end of the interval of the share of members named at 1 false alarm in 100.
    groups
        AUC within a class or a level of a covariate above which somebody has to look.
    exact_copies
        Most samples of the twin that are training samples; for single cells, most cells beyond what chance gives.
    donors
        Fewest donors that a twin is made of.
    epsilon, epsilon_required
        Largest ε of a claim of differential privacy, and whether there has to be a claim.
    fidelity
        What the twin must be good for.
    """

    name: str
    title: str = ""
    about: str = ""
    attacker: str = "T1"
    attacker_why: str = ""
    auc: Limit | None = None
    tpr_at_1: Limit | None = None
    groups: Limit | None = None
    exact_copies: Limit | None = None
    donors: Limit | None = None
    epsilon: Limit | None = None
    epsilon_required: bool = False
    fidelity: tuple[Floor, ...] = ()


def profiles() -> tuple[str, ...]:
    """Return the names of the policies that come with the program, the strictest last."""
    return ("internal", "partner", "open")


def read_policy(name_or_path: str | Path | Policy) -> Policy:
    """Return a policy by name, or read and check a file.

    Parameters
    ----------
    name_or_path
        ``"internal"``, ``"partner"``, ``"open"``, or a YAML file; a `Policy` is returned as it is.

    Raises
    ------
    PlaceError
        The file cannot be used; the message names file, line and key, and what was probably meant.
    ConfigError
        There is no policy of this name.
    """
    if isinstance(name_or_path, Policy):
        return name_or_path
    text = str(name_or_path)
    if text in profiles():
        return _profile(text)
    path = Path(name_or_path)
    if not path.exists() and path.suffix not in SUFFIXES:
        raise ConfigError(f"There is no policy '{shorten(text)}'{suggest(text, profiles())} Or name a .yaml file.")
    # With its ending, so that nobody takes somebody's partner.yaml for the policy of that name.
    return _read(path, path.name)


def judged(report: AuditReport, policy: Policy) -> AuditReport:
    """Return the report with the verdict of a policy on it.

    Parameters
    ----------
    report
        An audit, of a twin or of a generator.
    policy
        What must hold.

    Returns
    -------
    AuditReport
        The same report; its ``verdict`` has the keys ``policy``, ``title``, ``outcome`` (``"pass"``, ``"review"``,
        ``"fail"`` or ``"inconclusive"``), ``reasons`` (sentences, the most important first) and ``checks`` (of each a
        `twinseq.verdict.Check` as plain values).
    """
    checks = checks_of(report, policy)
    verdict = {
        "policy": policy.name,
        "title": policy.title,
        "outcome": outcome_of(checks),
        "reasons": reasons_of(checks),
        "checks": [check.to_dict() for check in checks],
    }
    return dataclasses.replace(report, verdict=verdict)


@cache
def _profile(name: str) -> Policy:
    with resources.as_file(resources.files(__package__) / "policies" / f"{name}.yaml") as path:
        return _read(path, name)


def _read(path: Path, name: str) -> Policy:
    keys = Place.of(path).keys(KEYS)
    base = _profile(keys["based_on"].text(profiles())) if "based_on" in keys else Policy(name)
    found: dict[str, Any] = {key: " ".join(keys[key].text().split()) for key in ("title", "about") if key in keys}
    if "attacker" in keys:
        stated = keys["attacker"].keys(("level", "why"), required=("level",))
        found["attacker"] = stated["level"].text([level for level in LEVELS if level != "T4"])
        found["attacker_why"] = _why(stated)
    for key, (direction, least, most) in LIMITS.items():
        if key in keys:
            found[key] = _limit(keys[key], direction, least, most)
    if "epsilon" in keys:
        stated = keys["epsilon"].keys(("at_most", "required", "why"), required=("at_most",))
        found["epsilon"] = Limit(_number(stated["at_most"], 0.0, None), _why(stated))
        found["epsilon_required"] = "required" in stated and stated["required"].truth()
    if "fidelity" in keys:
        found["fidelity"] = tuple(_floor(place) for place in keys["fidelity"].items())
    return dataclasses.replace(base, name=name, **found)


def _limit(place: Place, direction: str, least: float, most: float | None) -> Limit:
    stated = place.keys((direction, "why"), required=(direction,))
    return Limit(_number(stated[direction], least, most), _why(stated))


def _number(place: Place, least: float, most: float | None) -> float:
    value = place.number()
    if value < least or (most is not None and value > most):
        place.refuse(f"expected a number {f'of at least {least:g}' if most is None else f'from {least:g} to {most:g}'}")
    return value


def _why(stated: dict[str, Place]) -> str:
    return " ".join(stated["why"].text().split()) if "why" in stated else ""


def _floor(place: Place) -> Floor:
    stated = place.keys(("question", "first_of", "why"), required=("first_of",))
    first_of = tuple(_demand(item) for item in stated["first_of"].items())
    asked = stated["question"].text() if "question" in stated else registry.get(first_of[0][0]).question
    return Floor(asked, first_of, _why(stated))


def _demand(place: Place) -> tuple[str, str, float]:
    stated = place.keys(("metric", "at_least", "at_most"), required=("metric",))
    name = stated["metric"].text(registry.names())
    thresholds = [word for word in ("at_least", "at_most") if word in stated]
    if len(thresholds) != 1:
        place.refuse("state either at_least or at_most")
    word = thresholds[0]
    wrong = {"higher": "at_most", "lower": "at_least"}.get(registry.get(name).direction)
    if word == wrong:
        stated[word].refuse(f"of '{name}' {registry.get(name).direction} is better: state the other of the two")
    return name, word.replace("_", " "), stated[word].number()
