"""Text for people: names from data made harmless and short, numbers as they are printed in a paper."""

from __future__ import annotations

import json
import math
import unicodedata
from numbers import Real
from typing import Any, TypeGuard

DASH = "–"


def shown(name: object, width: int = 60) -> str:
    """Return a name from data for display: one line, no control characters, at most ``width`` characters.

    Control and direction-changing characters (Unicode categories C*) could reorder or hide what surrounds
    them, and lone surrogates cannot be written as UTF-8; both become ``�``. The result is still plain text:
    the template escapes it for HTML, `in_plot` for plotly.
    """
    raw = str(name)
    text = "".join(_visible(character) for character in raw[: width + 1])
    text = " ".join(text.split())
    return text if len(raw) <= width else text[: width - 1] + "…"


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    return "�" if unicodedata.category(character).startswith("C") else character


def in_plot(name: object, width: int = 28) -> str:
    """Return a name for a plotly label, where a subset of HTML would otherwise be drawn."""
    text = shown(name, width)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def json_block(value: Any) -> str:
    """Return JSON that can stand inside a ``<script>`` element whatever text it holds.

    ``<``, ``>`` and ``&`` are written as escapes, so that neither ``</script>`` nor ``<!--`` can occur;
    everything outside ASCII is escaped too, U+2028 and U+2029 among it.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def number(value: float | None, digits: int = 3) -> str:
    """Return ``value`` with ``digits`` decimals below 10, else significant digits; a dash for what is no number."""
    if value is None or not math.isfinite(value):
        return DASH
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 10_000 or size < 1e-3:
        if size >= 10_000 and size < 1e9:
            text = f"{value:,.0f}"
        else:
            mantissa, exponent = f"{value:.{digits - 2}e}".split("e")
            text = f"{mantissa}\xa0×\xa010{_superscript(int(exponent))}"
    else:
        decimals = max(0, digits - 1 - math.floor(math.log10(size))) if size >= 10 else digits
        text = f"{value:.{decimals}f}"
    return text.replace("-", "−")


def _superscript(exponent: int) -> str:
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def is_number(value: object) -> TypeGuard[float]:
    """Whether ``value`` is a finite number, from whichever library."""
    return isinstance(value, Real) and math.isfinite(value)


def count(value: float) -> str:
    """Return a whole number with thousands separated."""
    return f"{round(value):,}"


def percent(share: float) -> str:
    """Return a share as per cent, with one decimal near both ends, where it matters."""
    if not math.isfinite(share):
        return DASH
    value = 100 * share
    near_an_end = 0 < value < 5 or 90 < value < 100
    text = f"{value:.1f}".removesuffix(".0") if near_an_end else f"{value:.0f}"
    return f"{text}\xa0%"


def interval(ci: tuple[float, float] | None) -> str:
    """Return ``lower to upper``, or nothing where there is no interval."""
    if ci is None or not all(math.isfinite(end) for end in ci):
        return ""
    return f"{number(ci[0])} to {number(ci[1])}"
