"""Read the body of a request: as a stream, up to a size, and as JSON without surprises."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from nociomics.service.limits import Limits
from nociomics.service.refusal import Refusal

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
        {"Connection": "close"},
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
    try:
        value = json.loads(body, parse_constant=_no_constant, object_pairs_hook=_unique)
    except RecursionError:
        raise _too_deep(limits) from None
    except UnicodeDecodeError:
        raise Refusal(400, "not_json", "The body is no text in UTF-8.") from None
    except json.JSONDecodeError as error:
        raise Refusal(400, "not_json", f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    except ValueError as error:
        raise Refusal(400, "not_json", f"The body is not usable as JSON: {_told(error)}.") from None
    if not isinstance(value, dict):
        raise Refusal(400, "not_an_object", "The body must be one JSON object.")
    require_shallow(value, limits)
    return value


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


def require_shallow(value: Any, limits: Limits) -> None:
    """Refuse nesting beyond the limit, without recursion."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > limits.depth:
            raise _too_deep(limits)
        deeper: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                deeper += [inner for inner in one.values() if isinstance(inner, dict | list)]
            elif isinstance(one, list):
                deeper += [inner for inner in one if isinstance(inner, dict | list)]
        level = deeper


def _too_deep(limits: Limits) -> Refusal:
    return Refusal(400, "too_deep", f"The JSON is nested deeper than {limits.depth} levels.")
