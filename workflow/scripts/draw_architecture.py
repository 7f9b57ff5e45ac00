"""Draw the three pictures of docs/figures from the code: what it does, its rooms, its rules.

python workflow/scripts/draw_architecture.py            # rewrites docs/figures/*.svg
python workflow/scripts/draw_architecture.py --check    # exit 1 when a committed picture is out of date
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from draw_layers import Placed, placed_in_layers
from draw_sources import Room, Rule, closest, input_tables, room_of, rooms, rules, stage_files, stage_meaning
from draw_svg import box, dot, fitted, path, picture, text, text_width

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ROOT / "docs" / "figures"

# Which stages share a card of the overview; every stage of the Snakefile must stand on one.
_CARDS = {
    "Read and harmonise": ("ingest", "pharmacogenomics", "harmonise", "quality"),
    "Learn and test": ("strata", "response", "adverse", "resampling", "evaluate"),
    "Explain and hand over": ("export", "explain", "report", "track"),
}
_RULE_WIDTH = 264.0
# What a reader opens, where the run writes it, and in which words.
_RESULTS = (
    ("quality/report.html", "what was found in the tables"),
    ("report.html", "the cohort on one page"),
    ("strata/report.html", "strata, or dimensions"),
    ("profiles", "one page per patient"),
    ("explanations/shap.parquet", "what moved each prediction"),
    ("export/model/manifest.json", "the model, for other programs"),
    ("tracking.json", "where the run is in MLflow"),
)


def draw_overview(root: Path) -> str:
    """Tables in, stages in three cards, results out: the picture of the README."""
    _require_all_stages(root)
    width, height, top = 1180, 394, 52
    parts = []
    tables = input_tables(root)
    parts.append(text(24, 34, "Your tables", 14, bold=True))
    step = (height - top - 24) / len(tables)
    for place, name in enumerate(tables):
        y = top + place * step
        parts += [box(24, y, 128, step - 6, "disk"), text(88, y + step / 2 + 1, name, 12, anchor="middle")]
    lefts = (196, 456, 716)
    for (title, stages), left in zip(_CARDS.items(), lefts, strict=True):
        parts += _card(root, title, stages, left, top, 216, height - top - 30)
    for x in (156, 416, 676, 936):
        parts.append(path(f"M{x} {height / 2 + 14:g}h34", "soft", 2, arrow=True))
    parts += _result_cards(976, top, height)
    words = (
        "A study file names the tables; stages read, harmonise, learn and explain; pages, tables and a model come out."
    )
    return picture(width, height, "What nociomics does with a study", words, parts)


def _require_all_stages(root: Path) -> None:
    shown = sorted(stage for stages in _CARDS.values() for stage in stages)
    if shown != sorted(stage_files(root)):
        raise SystemExit(f"the overview shows the stages {shown}, the Snakefile has {sorted(stage_files(root))}")
    written = {output for rule in rules(root).values() for output in rule.outputs}
    absent = [file for file, _ in _RESULTS if file not in written]
    if absent:
        raise SystemExit(f"no rule writes {absent}, which the overview shows")


def _card(
    root: Path, title: str, stages: tuple[str, ...], x: float, top: float, width: float, height: float
) -> list[str]:
    parts = [text(x, 34, title, 14, bold=True), box(x, top, width, height, "box", "line")]
    step = height / len(stages)
    for place, stage in enumerate(stages):
        y = top + place * step
        if place:
            parts.append(path(f"M{x + 14:g} {y:g}h{width - 28:g}", "line", 1))
        parts.append(text(x + 14, y + 22, stage, 13, "room-line", bold=True))
        for line, words in enumerate(
            fitted(_short(stage_meaning(root, stage)), width - 28, 11.5, max(2, 7 - len(stages)))
        ):
            parts.append(text(x + 14, y + 40 + 15 * line, words, 11.5))
    return parts


def _short(sentence: str) -> str:
    """Cut a sentence at its first semicolon or full stop."""
    return re.split(r"[;.] ?", sentence)[0]


def _result_cards(x: float, top: float, height: float) -> list[str]:
    parts = [text(x, 34, "What you get", 14, bold=True)]
    step = (height - top - 24) / len(_RESULTS)
    for place, (file, words) in enumerate(_RESULTS):
        y = top + place * step
        name = {"profiles": "profiles/", "explanations/shap.parquet": "explanations/"}.get(file, file)
        name = name.removesuffix("manifest.json")
        parts.append(box(x, y, 186, step - 6, "final"))
        parts.append(text(x + 8, y + 18, name, 11, mono=True))
        parts.append(text(x + 8, y + 35, words, 10.5, "soft"))
    return parts


def draw_rooms(root: Path) -> str:
    """Rooms by import rule, then rooms in the data's order with the tables on disk between them."""
    known, all_rules = rooms(root), rules(root)
    upper, bottom = _import_rows(known, 24, 64, 1232)
    lower, right, end = _staircase(known, all_rules, 24, bottom + 76)
    parts = [
        text(24, 34, "Who may import whom", 15, bold=True),
        text(
            24, 52, "A room imports only from rows below its own. In small: what its files import today.", 11.5, "soft"
        ),
        *upper,
        text(24, bottom + 42, "How the rooms meet: tables on disk", 15, bold=True),
        text(
            24,
            bottom + 60,
            "In the data's order. A box: written by the room of this row. A dot: read by it.",
            11.5,
            "soft",
        ),
        *lower,
    ]
    words = (
        "Rooms in rows, importing only from rows below; then a staircase of rooms with the folders they write and read."
    )
    return picture(max(1260, right + 24), end + 16, "The rooms of nociomics", words, parts)


def _import_rows(known: dict[str, Room], x: float, y: float, width: float) -> tuple[list[str], float]:
    parts = []
    for layer in range(max(room.layer for room in known.values()) + 1):
        row = [room for room in known.values() if room.layer == layer]
        below = {room.name for room in known.values() if room.layer > layer}
        words = [_imports_in_words(room, below) for room in row]
        widths = _widths(words, width)
        left = x + (width - sum(widths)) / 2
        for room, imports, each in zip(row, words, widths, strict=True):
            centre = left + (each - 10) / 2
            parts += [box(left, y, each - 10, 46, "room")]
            parts.append(text(centre, y + 19, room.name, 13, anchor="middle", bold=True))
            parts.append(text(centre, y + 36, imports, 10, "soft", anchor="middle"))
            left += each
        y += 54
    return parts, y


def _widths(words: list[str], width: float) -> list[float]:
    """Share a row: alike, but for a room whose words need more."""
    needs = [text_width(line, 10) + 30 for line in words]
    each = min(width / len(words), 400.0)
    wide = [need for need in needs if need > each]
    others = min((width - sum(wide)) / max(len(words) - len(wide), 1), 400.0)
    return [need if need > each else others for need in needs]


def _imports_in_words(room: Room, below: set[str]) -> str:
    if not room.imports:
        return "imports no room"
    sideways = room.imports - below
    if sideways:
        raise SystemExit(f"{room.name} imports {sorted(sideways)}, which do not lie below it")
    absent = sorted(below - room.imports)
    if len(below) > 4 and len(absent) <= 2:
        return "every room below" + (f" but {' and '.join(absent)}" if absent else "")
    return ", ".join(sorted(room.imports))


def _folder(output: str) -> str:
    if output.startswith("export/model"):
        return "export/model/"
    return output if "/" not in output and "." in output else f"{output.split('/')[0]}/"


def _staircase(
    known: dict[str, Room], all_rules: dict[str, Rule], x: float, y: float
) -> tuple[list[str], float, float]:
    """Lay rooms out as rows and folders as columns that begin where they are first written."""
    order: list[str] = []
    writes: dict[str, list[str]] = {}
    reads: dict[str, set[str]] = {}
    outputs = {
        rule.name: {_folder(output) for output in rule.outputs} - {"tracking_store.json"} for rule in all_rules.values()
    }
    for rule in all_rules.values():
        room = room_of(rule, known)
        writes.setdefault(room, [])
        writes[room] += sorted(outputs[rule.name] - set(writes[room]))
        reads.setdefault(room, set()).update(*(outputs[source] for source in rule.reads))
    order = sorted(writes, key=lambda room: _last_place(room, known, all_rules))
    columns = ["study files", *dict.fromkeys(folder for room in order for folder in writes[room])]
    lefts, left = {}, x + 226
    for name in columns:
        lefts[name] = left
        left += text_width(name, 10.5, mono=True) + (32 if name == "response/" else 19)
    reads[order[0]] = {"study files"}
    rows = {room: y + 52 + 60 * place for place, room in enumerate(order)}
    parts = [box(lefts["study files"], y, text_width("study files", 10.5, mono=True) + 12, 26, "disk")]
    parts.append(text(lefts["study files"] + 6, y + 17, "study files", 10.5, mono=True))
    parts += _lifelines(columns, lefts, rows, order, writes, reads, y)
    for room in order:
        parts += _room_row(
            known[room], x, rows[room], writes[room], reads[room] - set(writes[room]), lefts, order, writes
        )
    return parts, left, rows[order[-1]] + 52


def _last_place(room: str, known: dict[str, Room], all_rules: dict[str, Rule]) -> int:
    return max(place for place, rule in enumerate(all_rules.values()) if room_of(rule, known) == room)


def _first_writer(folder: str, order: list[str], writes: dict[str, list[str]]) -> str | None:
    return next((room for room in order if folder in writes[room]), None)


def _lifelines(
    columns: list[str],
    lefts: dict[str, float],
    rows: dict[str, float],
    order: list[str],
    writes: dict[str, list[str]],
    reads: dict[str, set[str]],
    top: float,
) -> list[str]:
    parts = []
    for folder in columns:
        writer = _first_writer(folder, order, writes)
        start = top + 26 if writer is None else rows[writer] + 37
        users = [
            rows[room] + 25 for room in order if folder in reads[room] | set(writes[room]) and rows[room] + 25 > start
        ]
        if users:
            parts.append(path(f"M{lefts[folder] + 14:g} {start:g}V{max(users):g}", "disk-line", 1.3))
    return parts


def _room_row(
    room: Room,
    x: float,
    y: float,
    written: list[str],
    read: set[str],
    lefts: dict[str, float],
    order: list[str],
    writes: dict[str, list[str]],
) -> list[str]:
    parts = [box(x, y, 206, 50, "room"), text(x + 10, y + 16, room.name, 13, bold=True)]
    parts += [text(x + 10, y + 30 + 12 * n, line, 10, "soft") for n, line in enumerate(_in_two_lines(room.meaning))]
    parts.append(
        path(f"M{x + 206:g} {y + 25:g}H{max(lefts[folder] for folder in written) - 1:g}", "room-line", 1.2, arrow=True)
    )
    parts += [dot(lefts[folder] + 14, y + 25, "disk-line") for folder in sorted(read)]
    for folder in written:
        new = _first_writer(folder, order, writes) == room.name
        label = folder if new else f"+{folder}"
        parts.append(box(lefts[folder], y + 13, text_width(label, 10.5, mono=True) + 12, 24, "disk"))
        parts.append(text(lefts[folder] + 6, y + 29, label, 10.5, mono=True))
    return parts


def _in_two_lines(sentence: str) -> list[str]:
    """Cut a sentence at its first colon, semicolon or comma, and break it."""
    return fitted(re.split(r"[:;,]", sentence)[0], 192, 10, 2)


def draw_rules(root: Path) -> str:
    """Draw every rule with what it reads from, edges that follow from others left out."""
    all_rules = rules(root)
    edges = closest({name: rule.reads for name, rule in all_rules.items()})
    layout = placed_in_layers(edges, box_width=_RULE_WIDTH, gap=22, layer_height=90)
    parts = [
        text(24, 34, "The rules of the workflow", 15, bold=True),
        text(
            24,
            52,
            "Each calls one command. An arrow leads to a reader; arrows that follow from others are left out.",
            11.5,
            "soft",
        ),
    ]
    parts += [path(_curve(points), "soft", 1.4, arrow=True) for points in layout.lines(24, 76, 62)]
    for name, rule in all_rules.items():
        parts += _rule_box(rule, layout, name)
    return picture(
        layout.width + 48,
        layout.height + 84,
        "The rules of the workflow",
        "Rules from reading the tables to logging the run, with arrows for what each reads.",
        parts,
    )


def _rule_box(rule: Rule, layout: Placed, name: str) -> list[str]:
    x, y = layout.corner(name, 24, 76)
    final = not any(True for _ in layout.readers(name))
    parts = [
        box(x, y, _RULE_WIDTH, 62, "final" if final else "room"),
        text(x + 10, y + 18, name, 12, mono=True, bold=True),
    ]
    lines = fitted(_short(rule.meaning), _RULE_WIDTH - 18, 10.5, 2)
    return parts + [text(x + 10, y + 35 + 14 * n, line, 10.5, "soft") for n, line in enumerate(lines)]


def _curve(points: list[tuple[float, float]]) -> str:
    """Draw a smooth line that leaves and enters boxes upright."""
    words = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        words += f"C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}"
    return words


PICTURES: dict[str, Callable[[Path], str]] = {
    "overview.svg": draw_overview,
    "architecture.svg": draw_rooms,
    "workflow.svg": draw_rules,
}


def main(arguments: list[str]) -> int:
    """Write the pictures, or compare them with those that are there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=FIGURES, help="folder of the pictures")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a picture is out of date")
    asked = parser.parse_args(arguments)
    stale = []
    for name, draw in PICTURES.items():
        drawn, file = draw(ROOT), asked.output / name
        if not asked.check:
            asked.output.mkdir(parents=True, exist_ok=True)
            file.write_text(drawn, encoding="utf-8")
        elif not file.is_file() or file.read_text(encoding="utf-8") != drawn:
            stale.append(name)
    if stale:
        sys.stderr.write(f"out of date: {', '.join(stale)}. Run `make figures`.\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
