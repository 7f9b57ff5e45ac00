"""How the pages write numbers: digits by unit, a true minus sign, intervals beside values, words for nulls."""

from __future__ import annotations

import math
from typing import Any

NOT_MEASURED = "not measured"
_MINUS = "\N{MINUS SIGN}"
_THIN = "\N{NARROW NO-BREAK SPACE}"
_WHOLE_UNITS = frozenset({"count", "score", "points", "years", "months", "weeks"})


def is_null(value: Any) -> bool:
    """Tell whether there is nothing to print: None, NaN or an infinity.

    Examples
    --------
    >>> [is_null(value) for value in (None, float("nan"), 0, "")]
    [True, True, False, False]
    """
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def number(value: float | None, decimals: int = 2, *, signed: bool = False, null: str = NOT_MEASURED) -> str:
    """Write a number with fixed decimals; a null becomes words, never 0.

    Parameters
    ----------
    value : float or None
        NaN and infinities count as null.
    decimals : int
        Digits behind the point.
    signed : bool
        Whether a positive number carries its plus sign.
    null : str
        What a null is called.

    Examples
    --------
    >>> number(-0.804), number(-0.001), number(1.5, 1, signed=True), number(None)
    ('−0.80', '0.00', '+1.5', 'not measured')
    """
    if value is None or is_null(value):
        return null
    text = f"{float(value):.{decimals}f}"
    if float(text) == 0:
        return text.lstrip("-")
    if text.startswith("-"):
        return _MINUS + text[1:]
    return f"+{text}" if signed else text


def interval(
    value: float | None,
    lower: float | None,
    upper: float | None,
    decimals: int = 2,
    *,
    signed: bool = False,
    null: str = NOT_MEASURED,
) -> str:
    """Write a value with its interval; a missing interval is said, not left out.

    Examples
    --------
    >>> interval(0.81, 0.74, 0.87)
    '0.81 (0.74 to 0.87)'
    >>> interval(0.81, None, None)
    '0.81 (no interval)'
    """
    if is_null(value):
        return null
    shown = number(value, decimals, signed=signed)
    if is_null(lower) or is_null(upper):
        return f"{shown} (no interval)"
    return f"{shown} ({number(lower, decimals)} to {number(upper, decimals)})"


def quantity(value: Any, unit: str = "") -> str:
    """Write a measured value with the digits that its unit deserves; the unit itself is not repeated.

    Counts, scores and years are whole or have one decimal, ``0/1`` becomes yes or no, anything else
    has three significant digits.

    Examples
    --------
    >>> quantity(12.0, "score"), quantity(4.25, "points"), quantity(1.0, "0/1"), quantity(0.012345, "pg/mL")
    ('12', '4.2', 'yes', '0.0123')
    >>> quantity(None, "pg/mL"), quantity("F", "category")
    ('not measured', 'F')
    """
    if is_null(value):
        return NOT_MEASURED
    if isinstance(value, str):
        return value or NOT_MEASURED
    if unit == "0/1" and value in (0, 1):
        return "yes" if value else "no"
    if float(value) == int(value) and abs(value) < 1e6:
        return number(value, 0)
    if unit in _WHOLE_UNITS:
        return number(value, 1)
    return _significant(float(value))


def _significant(value: float, digits: int = 3) -> str:
    magnitude = math.floor(math.log10(abs(value)))
    if -4 <= magnitude < 6:
        return number(value, max(digits - 1 - magnitude, 0))
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa}e{int(exponent)}".replace("-", _MINUS)


def share(value: float | None, *, null: str = NOT_MEASURED) -> str:
    """Write a share of 0 to 1 as per cent; what is neither none nor all is never rounded to it.

    Examples
    --------
    >>> share(0.66), share(0.004), share(0.998), share(0.0), share(None)
    ('66%', '0.4%', '99.8%', '0%', 'not measured')
    """
    if value is None or is_null(value):
        return null
    percent = 100 * float(value)
    decimals = 0 if percent in (0, 100) or 0.995 <= percent < 99 else 1
    text = number(percent, decimals)
    if text == "0.0" and percent > 0:
        return "<0.1%"
    if text == "100.0" and percent < 100:
        return ">99.9%"
    return f"{text}%"


def count(value: int | None, *, null: str = NOT_MEASURED) -> str:
    """Write a count; ten thousand and more with thin separators.

    Examples
    --------
    >>> count(1234), count(1234567).replace("\N{NARROW NO-BREAK SPACE}", "_")
    ('1234', '1_234_567')
    """
    if value is None or is_null(value):
        return null
    return f"{int(value):,}".replace(",", _THIN) if value >= 10_000 else str(int(value))


def out_of(part: int | None, whole: int | None) -> str:
    """Write a count of a whole, such as 33/50.

    Examples
    --------
    >>> out_of(33, 50), out_of(None, 50)
    ('33/50', 'not measured')
    """
    if is_null(part) or is_null(whole):
        return NOT_MEASURED
    return f"{count(part)}/{count(whole)}"


def plural(amount: int, one: str, many: str | None = None) -> str:
    """Write a count with its noun.

    Examples
    --------
    >>> plural(1, "person", "people"), plural(2, "warning")
    ('1 person', '2 warnings')
    """
    noun = one if amount == 1 else (many or f"{one}s")
    return f"{count(amount)} {noun}"


def in_ten(probability: float) -> str:
    """Say a probability in whole people out of ten.

    Examples
    --------
    >>> in_ten(0.58), in_ten(0.01), in_ten(0.99)
    ('about 6 in 10', 'fewer than 1 in 10', 'more than 9 in 10')
    """
    if probability < 0.05:
        return "fewer than 1 in 10"
    if probability > 0.95:
        return "more than 9 in 10"
    return f"about {math.floor(10 * probability + 0.5)} in 10"


def listed(words: list[str]) -> str:
    """Join words as a sentence does.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
