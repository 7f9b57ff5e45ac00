"""Read the body of a request: as a stream, up to a size, and as JSON without surprises."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from pydantic_core import from_json

from nociomics.service.limits import Limits
from nociomics.service.refusal import Refusal

_UNSURE = object()
_BOXES = frozenset((dict, list))
JSON_TYPES = ("application/json", "application/fhir+json", "application/json+fhir")


def require_json_type(content_type: str | None) -> None:
    """Refuse anything but JSON in UTF-8.

    Examples
    --------
    >>> require_json_type("application/json; charset=utf-8")
    """
    kind, *parameters = [part.strip().lower() for part in (content_type or "").split(";")]
    charset = [part.removeprefix("charset=").strip('"') for part in parameters if part.startswith("charset=")]
    if kind not in JSON_TYPES or any(name not in ("utf-8", "utf8") for name in charset):
        raise Refusal(415, "wrong_content_type", f"Send JSON in UTF-8, with Content-Type: {JSON_TYPES[0]}.")


async def read_body(headers: Mapping[str, str], stream: AsyncIterator[bytes], limits: Limits) -> bytes:
    """Collect a body, and stop as soon as it is known to be too long or too slow.

    A length that is announced is believed when it is too large; what arrives is counted in any case, so a body in
    chunks without a length, or one longer than it said, is stopped too.

    Raises
    ------
    Refusal
        413 for a body that is too long, 408 for one that does not arrive, 415 for one that is packed, 400 for one that
        breaks off: the client went away, which is no fault of ours.
    """
    from starlette.requests import ClientDisconnect

    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(415, "packed_body", "Send the body as it is, without Content-Encoding.")
    announced = headers.get("content-length")
    if announced is not None and announced.isdecimal() and int(announced[:18]) > limits.body_bytes:
        raise _too_large(limits)
    parts: list[bytes] = []
    length = 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in stream:
                length += len(part)
                if length > limits.body_bytes:
                    raise _too_large(limits)
                parts.append(part)
    except TimeoutError:
        raise Refusal(408, "too_slow", f"The body did not arrive within {limits.body_seconds:g} seconds.") from None
    except ClientDisconnect:
        raise Refusal(400, "broken_off", "The body broke off before its end. Send it whole.") from None
    return b"".join(parts)


def _too_large(limits: Limits) -> Refusal:
    return Refusal(
        413,
        "too_large",
        f"The body is longer than {limits.body_bytes} bytes. Send fewer people in each request.",
    )


def parse_json(body: bytes, limits: Limits) -> dict[str, Any]:
    """Parse a body that must be one JSON object.

    NaN and infinity as words, a name that stands twice in one object, text that is no Unicode, and nesting beyond the
    limit are refused: each would be read differently by different programs. A number too large for a float is left to
    the gate, which names the person and the variable.

    Examples
    --------
    >>> parse_json(b'{"rows": []}', Limits())
    {'rows': []}
    """
    value = _read_at_once(body, limits)
    if value is _UNSURE:
        value = _read_with_care(body, limits)
        require_shallow(value, limits)
    if not isinstance(value, dict):
        raise Refusal(400, "not_an_object", "The body must be one JSON object.")
    return value


def _read_at_once(body: bytes, limits: Limits) -> Any:
    """Read a body by the parser of pydantic, four times as fast; what it cannot vouch for is `_UNSURE`.

    It keeps the last of two equal names. Every name has a colon of its own, so there were no two where the objects hold
    as many names as the body has colons; colons within texts only send a body the slow way.
    """
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError:
        return _UNSURE
    boxes = body.count(b"[") + body.count(b"{")
    return value if require_shallow(value, limits, boxes) == body.count(b":") else _UNSURE


def _read_with_care(body: bytes, limits: Limits) -> Any:
    try:
        return json.loads(body, parse_constant=_no_constant, object_pairs_hook=_unique)
    except RecursionError:
        raise _too_deep(limits) from None
    except UnicodeDecodeError:
        raise Refusal(400, "not_json", "The body is no text in UTF-8.") from None
    except json.JSONDecodeError as error:
        raise Refusal(400, "not_json", f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    except ValueError as error:
        raise Refusal(400, "not_json", f"The body is not usable as JSON: {_told(error)}.") from None


class _Unusable(ValueError):
    """JSON that is syntactically right and cannot be used; its text holds no value."""


def _told(error: ValueError) -> str:
    # Other errors of the parser (a number of 5,000 digits) may quote what they met.
    return str(error) if isinstance(error, _Unusable) else "a number is too long"


def _no_constant(_: str) -> Any:
    raise _Unusable("NaN and Infinity are no JSON; leave the value out, or send null")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Unusable("an object has the same name twice")
    return found


def require_shallow(value: Any, limits: Limits, boxes: int | None = None) -> int:
    """Refuse nesting beyond the limit, without recursion, and return how many names all objects have.

    ``boxes`` is the most objects and lists that there can be: where all of them were seen, nobody looks deeper.
    """
    level, depth, names, seen = [value], 0, 0, 0
    while level:
        depth += 1
        if depth > limits.depth:
            raise _too_deep(limits)
        names += sum(len(one) for one in level if isinstance(one, dict))
        seen += sum(isinstance(one, dict | list) for one in level)
        level = _inner(level) if seen != boxes else []
    return names


def _inner(level: list[Any]) -> list[Any]:
    """Return the objects and lists that stand directly within others."""
    found: list[Any] = []
    for one in level:
        inside = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        # most lists and objects of a table hold none: their kinds are seen faster than their values
        if not _BOXES.isdisjoint(map(type, inside)):
            found += [inner for inner in inside if isinstance(inner, dict | list)]
    return found


def _too_deep(limits: Limits) -> Refusal:
    return Refusal(400, "too_deep", f"The JSON is nested deeper than {limits.depth} levels.")
