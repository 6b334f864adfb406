"""What the registry entries of the community benchmark have in common."""

from __future__ import annotations

from typing import Any

REFERENCE = "Health Privacy Challenge, starter kit and paper: github.com/PMBio/Health-Privacy-Challenge"
SHARED: dict[str, Any] = {"group": "paper", "reference": REFERENCE, "unit": "samples"}
