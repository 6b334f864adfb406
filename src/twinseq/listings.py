"""The rows of ``twinseq list``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any


def generator_rows() -> list[dict[str, Any]]:
    """Return what is known of each generator."""
    from . import generators
    from .generators._extras import missing

    return [
        {
            "name": info.name,
            "title": info.title,
            "family": info.family,
            "kinds": list(info.kinds),
            "in_parts": info.in_parts,
            "guarantee": info.guarantee,
            "extra": info.extra,
            "missing": missing(info.extra),
            "presets": list(generators.get(info.name).presets),
            "settings": generators.defaults(info.name),
            "reference": info.reference,
        }
        for info in map(generators.info, generators.names())
    ]


def metric_rows() -> list[dict[str, Any]]:
    """Return what is known of each metric."""
    from . import metrics

    return [
        {
            "name": metric.name,
            "group": metric.group,
            "better": metric.direction,
            "ideal": metric.ideal,
            "question": metric.question,
        }
        for metric in map(metrics.get, metrics.names())
    ]


def attack_rows() -> list[dict[str, Any]]:
    """Return what is known of each attack."""
    from . import attacks

    return [
        {
            "name": attack.name,
            "levels": list(attack.levels),
            "threat": attack.threat,
            "settings": [setting for setting in attack.settings if setting],
            "slow": attack.slow,
            "reference": attack.reference,
        }
        for attack in map(attacks.get, attacks.names())
    ]


def policy_rows() -> list[dict[str, Any]]:
    """Return what each policy of the program asks for, and why."""
    from .policy import profiles, read_policy

    return [asdict(read_policy(name)) for name in profiles()]


def dataset_rows() -> list[dict[str, Any]]:
    """Return what is known of each dataset."""
    from .datasets import listing

    return [{"name": str(name), **row} for name, row in listing().iterrows()]
