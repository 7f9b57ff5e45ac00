"""Do strata matter for treatment, and can a few bedside variables tell them? Words and rows of the strata page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nociomics.report.formats import count, interval, is_null, listed, number, share
from nociomics.report.measurement_names import plain_column
from nociomics.report.strata_tables import p_words

_SIDES = {"strata": "strata (their probabilities)", "factors": "dimensions (factor scores)"}
_CHANCE_OF_STRATUM = "points of probability"


def interaction_view(report: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Strata by treatment, with the continuous factor scores as competitor; None when it was not looked at.

    Parameters
    ----------
    report : mapping or None
        As in ``strata/report.json``.
    """
    asked = None if report is None else report.get("interaction")
    if not asked:
        return None
    if asked.get("reason"):
        return {"sentence": f"Not asked: {asked['reason']}.", "finding": "", "rows": [], "facts": []}
    rows = [
        {
            "side": words,
            "terms": str(asked[side]["terms"]),
            "f": number(asked[side]["f"]),
            "p": p_words(asked[side]["p"]),
            "gain": _gain(asked[side]["gain"]),
        }
        for side, words in _SIDES.items()
        if asked.get(side) is not None
    ]
    facts = [
        ("People with an outcome", count(asked["n"])),
        ("Treatments", ", ".join(f"{name} ({count(people)})" for name, people in asked["arms"].items())),
        ("Drawn by lot", "yes" if asked["randomised"] else "no"),
        ("Outcome", asked["outcome"]),
    ]
    if asked.get("strata_ahead") is not None:
        facts.append(("Strata explain more than dimensions by", _ahead(asked["strata_ahead"])))
    finding = asked["words"] if asked["better"] in ("dimensions", "strata", "either") else ""
    return {"sentence": asked["words"], "finding": finding, "rows": rows, "facts": facts}


def _ahead(ahead: Mapping[str, float]) -> str:
    value, lower, upper = (_gain(ahead[name]) for name in ("value", "lower", "upper"))
    return f"{value} ({lower} to {upper})"


def _gain(gain: float | None) -> str:
    """Write a share of variance that may be below zero."""
    return "not measured" if is_null(gain) else f"{number(100 * float(gain or 0.0), 1, signed=True)}%"


def agreement_rows(report: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Say how far halves of the people, and other seeds, find the same strata."""
    told = (report or {}).get("agreement") or {}
    names = {"halves": "Found in halves of the people", "seeds": "Found with other seeds"}
    return [(words, _agreement(told[side])) for side, words in names.items() if side in told]


def _agreement(side: Mapping[str, Any]) -> str:
    if "reason" in side:
        return f"not measured: {side['reason']}"
    found = sorted({int(k) for pair in side["k"] for k in pair})
    strata = f"{listed([str(k) for k in found])} {'stratum' if found == [1] else 'strata'}"
    alike = f"factor scores correlate by {number(side['factors'])}"
    if side["ari"] is None:
        return f"{strata}; not every model finds more than one, so labels cannot be compared; {alike}"
    return f"{strata}; adjusted Rand index {number(side['ari'])}, lowest {number(side['ari_low'])}; {alike}"


def scorecard_view(card: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Lay out a card of at most six bedside variables, how far it agrees and what it loses.

    Parameters
    ----------
    card : mapping or None
        As in ``strata/scorecard.json``.
    """
    if not card:
        return None
    if card.get("reason"):
        return {"sentence": f"No scorecard: {card['reason']}.", "kind": "none", "note": ""}
    names = [_variable(entry) for entry in card["variables"]]
    made = {"tree": _tree, "points": _points, "weights": _weights}[card["kind"]](card, names)
    filled = [
        f"{name} {_typical(entry['filled_with'], entry['level'])}"
        for name, entry in zip(names, card["variables"], strict=True)
    ]
    return {
        "sentence": _weights_sentence(card, names) if card["kind"] == "weights" else _sentence(card, names),
        "kind": card["kind"],
        "note": f"Not measured at the bedside counts as: {', '.join(filled)}. {_upper(card['method'])}.",
        **made,
    }


def _typical(value: float, level: str | None) -> str:
    if level is None:
        return number(value, 1)
    return "yes" if value >= 0.5 else "no"


def _variable(entry: Mapping[str, Any]) -> str:
    name = plain_column(entry["feature"])
    return f"{name} is {entry['level']}" if entry["level"] is not None else name


def _started(names: Sequence[str]) -> str:
    """Begin a sentence with variables; a category keeps its own letters."""
    return _upper(listed(list(names)))


def _upper(words: str) -> str:
    return words[:1].upper() + words[1:]


def _sentence(card: Mapping[str, Any], names: Sequence[str]) -> str:
    kappa, loses = card["kappa"], card["loses"]
    return (
        f"{_started(names)} place {share(card['agreement'])} of {count(card['n'])} people as the full "
        f"model does (kappa {interval(kappa['value'], kappa['lower'], kappa['upper'])}). The card loses "
        f"{share(loses['placed_otherwise'])} of people to another stratum, and {number(100 * loses['probability'], 0)} "
        f"{_CHANCE_OF_STRATUM} on average."
    )


def _weights_sentence(card: Mapping[str, Any], names: Sequence[str]) -> str:
    told = [
        f"{share(max(value, 0.0))} of {name.replace('_', ' ')}"
        for name, value in card["r2"].items()
        if value is not None
    ]
    return f"{_started(names)} tell, in people not learned from, {listed(told) or 'nothing'}."


def _tree(card: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Write a tree as questions, each indented below the answer that leads to it."""
    lines: list[dict[str, Any]] = []
    nodes = card["rule"]["nodes"]

    def follow(number_: int, depth: int, answer: str) -> None:
        node = nodes[number_]
        if "stratum" in node:
            lines.append({"depth": depth, "answer": answer, "stratum": node["stratum"]})
            return
        if answer:
            lines.append({"depth": depth, "answer": answer, "stratum": ""})
        low, high = _answers(card["variables"][node["variable"]], names[node["variable"]], node["at_most"])
        below = depth + 1 if answer else depth
        follow(node["then"], below, low)
        follow(node["otherwise"], below, high)

    follow(0, 0, "")
    return {"lines": lines, "by_stratum": _by_stratum(card)}


def _answers(entry: Mapping[str, Any], name: str, limit: float) -> tuple[str, str]:
    if entry["level"] is not None:
        return f"{name}: no", f"{name}: yes"
    return f"{name} at most {_cut(limit)}", f"{name} above {_cut(limit)}"


def _cut(value: float) -> str:
    """Write a cut without noughts at its end.

    >>> _cut(3.5), _cut(24.0), _cut(0.0625)
    ('3.5', '24', '0.06')
    """
    text = number(value, 2)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _points(card: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Write points per answer: level 0 brings none, level 1 the points once, level 2 twice."""
    rule, strata = card["rule"], card["strata"]
    rows = []
    for place, (name, entry) in enumerate(zip(names, card["variables"], strict=True)):
        points = [int(rule["points"][index][place]) for index in range(len(strata))]
        for words, level in _levels(entry, rule["cuts"][place]):
            rows.append({"variable": name, "answer": words, "points": [str(level * each) for each in points]})
    start = [str(int(value)) for value in rule["start"]]
    return {"strata": strata, "rows": rows, "start": start, "by_stratum": _by_stratum(card), "ties": rule["by_size"]}


def _levels(entry: Mapping[str, Any], cuts: Sequence[float]) -> list[tuple[str, int]]:
    """Answers of one variable with their level; a yes or no has two."""
    low, high = cuts
    if entry["level"] is not None:
        reached = [sum(answer > cut for cut in cuts) for answer in (0, 1)]
        return [("no", reached[0]), ("yes", reached[1])]
    if low == high:
        return [(f"at most {_cut(low)}", 0), (f"above {_cut(low)}", 2)]
    return [(f"at most {_cut(low)}", 0), (f"above {_cut(low)}, at most {_cut(high)}", 1), (f"above {_cut(high)}", 2)]


def _by_stratum(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, share(value)) for name, value in card["by_stratum"].items()]


def _weights(card: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    factors = list(card["rule"])
    rows = [
        {"variable": name, "weights": [_slope(card["rule"][factor]["weights"][place]) for factor in factors]}
        for place, name in enumerate(names)
    ]
    return {
        "factors": [factor.replace("_", " ") for factor in factors],
        "rows": rows,
        "start": [_slope(card["rule"][factor]["start"]) for factor in factors],
        "r2": [number(card["r2"][factor]) for factor in factors],
    }


def _slope(value: float) -> str:
    return number(value, 3 if abs(value) < 0.1 else 2, signed=True)
