"""What the pictures are drawn from: the rooms and their imports, and the rules of the workflow; read, never run."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from textwrap import dedent

PACKAGE = "nociomics"
_ABOVE = ("cli", "config", "preparation")  # rooms that put others together: none of them is a stage
_RULE = re.compile(r"^(?:use rule (?P<base>\w+) as (?P<copy>\w+) with|rule (?P<name>\w+)):$", re.M)
_SECTION = re.compile(r"^    (\w+):(?: \d+)?$", re.M)  # `priority: 10` stands on one line
_STAGE = re.compile(r"nociomics (\w+) ")
# What the .smk files give a name to: a constant on one line or in brackets, and a function.
_NAMED = re.compile(r"^([A-Z_]+) = ([(\[{]\n.*?^[)\]}]|.+?$)|^def (\w+)\(.*?:\n(.*?)(?=^\S|\Z)", re.M | re.S)
_FOLDERS = {"RESULTS": "", "BUNDLE": "/export/model", "STORES": "/ingested/genotype"}


@dataclass(frozen=True)
class Room:
    """One room: a folder or module of the package.

    Attributes
    ----------
    layer : int
        Row in the import rules, 0 at the top.
    imports : frozenset of str
        Rooms that its files really import.
    """

    name: str
    layer: int
    meaning: str
    imports: frozenset[str]


@dataclass
class Rule:
    """One rule of the workflow.

    Attributes
    ----------
    file : str
        Stem of its .smk file.
    reads : set of str
        Names of rules whose output it reads.
    outputs : list of str
        What it writes, relative to results/<study>/.
    stage : str
        Word behind ``nociomics`` in its command.
    rooms : list of str
        Rooms whose code it depends on (``code_digest``).
    """

    name: str
    file: str
    meaning: str = ""
    reads: set[str] = field(default_factory=set)
    outputs: list[str] = field(default_factory=list)
    read_paths: set[str] = field(default_factory=set)
    stage: str = ""
    rooms: list[str] = field(default_factory=list)


def layers(root: Path) -> list[list[str]]:
    """Rows of rooms, top first, as import-linter checks them."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    rows = next(contract["layers"] for contract in settings["contracts"] if contract["type"] == "layers")
    return [[name.strip() for name in row.split("|")] for row in rows]


def rooms(root: Path) -> dict[str, Room]:
    """Every room with its row, its first docstring line and what it imports."""
    found = {}
    for place, row in enumerate(layers(root)):
        for name in row:
            files = _files(root / "src" / PACKAGE, name)
            imports = {other for file in files for other in _imports(file)} - {name}
            found[name] = Room(name, place, first_line(files[0]), frozenset(imports))
    return found


def _files(package: Path, room: str) -> list[Path]:
    module = package / f"{room}.py"
    return [module] if module.is_file() else sorted((package / room).rglob("*.py"))


def first_line(file: Path) -> str:
    """First line of a module's docstring, without its full stop."""
    words = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return words.split("\n")[0].rstrip(".")


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            yield from (alias.name for alias in node.names if not alias.name.startswith("_"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
            yield (node.module or "").split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith(f"{PACKAGE}."))


def stage_files(root: Path) -> list[str]:
    """Stems of the .smk files with rules, in the order in which the Snakefile includes them."""
    text = (root / "workflow" / "Snakefile").read_text(encoding="utf-8")
    return [name for name in re.findall(r'include: "rules/(\w+)\.smk"', text) if name != "common"]


def stage_meaning(root: Path, stage: str) -> str:
    """First sentence of a .smk file's docstring."""
    text = (root / "workflow" / "rules" / f"{stage}.smk").read_text(encoding="utf-8")
    return text.removeprefix('"""').split('"""')[0].split("\n")[0].rstrip(".")


def rules(root: Path) -> dict[str, Rule]:
    """Every rule, in the order of the Snakefile, with the rules that it reads from."""
    found: dict[str, Rule] = {}
    texts = {stage: _smk(root, stage) for stage in ["common", *stage_files(root)]}
    named = {name: paths for text in texts.values() for name, paths in _named_paths(text)}
    for stage in stage_files(root):
        for head, body in _blocks(texts[stage]):
            base = found.get(head["base"] or "")
            name = head["name"] or head["copy"]
            rule = Rule(name, stage)
            if base is not None:
                rule.meaning, rule.reads, rule.rooms = base.meaning, set(base.reads), base.rooms
                rule.read_paths, rule.stage = set(base.read_paths), base.stage
            _fill(rule, body, named)
            found[name] = rule
    _connect(found)
    return found


def _smk(root: Path, stage: str) -> str:
    return (root / "workflow" / "rules" / f"{stage}.smk").read_text(encoding="utf-8")


def _named_paths(text: str) -> Iterator[tuple[str, list[str]]]:
    """Give the paths that a constant or a function of a .smk file stands for."""
    for constant, value, function, body in _NAMED.findall(text):
        mentions = _found(ast.parse(value if constant else dedent(body)), {})
        paths = [path for path in mentions if "/" in path or path.startswith("call ")]
        if paths:
            yield constant or function, paths


def _blocks(text: str) -> Iterator[tuple[dict[str, str | None], str]]:
    heads = list(_RULE.finditer(text))
    for place, head in enumerate(heads):
        end = heads[place + 1].start() if place + 1 < len(heads) else len(text)
        yield head.groupdict(), text[head.end() : end]


def _fill(rule: Rule, body: str, named: Mapping[str, list[str]]) -> None:
    parts = _SECTION.split(body)
    doc = re.search(r'"""(.+?)"""', parts[0], re.S)
    rule.meaning = doc[1].strip().rstrip(".") if doc else rule.meaning
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    if "input" in sections:
        rule.read_paths = set(_mentions(sections["input"], named))
    written = _mentions(sections.get("output", ""), {})
    rule.outputs = [path for path in written if not path.startswith(("rule ", "call "))]
    if "call ingested_tables" in written:
        rule.outputs.append("ingested/*.parquet")
    if command := _STAGE.search(sections.get("shell", "")):
        rule.stage = command[1]
    if digest := re.search(r"code_digest\((.*?)\)", sections.get("params", ""), re.S):
        parts = re.findall(r'"([\w./]+)"', digest[1])
        rule.rooms = list(dict.fromkeys(part.split("/")[0].removesuffix(".py") for part in parts))


def _mentions(section: str, named: Mapping[str, list[str]]) -> list[str]:
    """Return paths below results/<study>/, ``rule NAME`` and ``call NAME`` for what a section names."""
    return _found(ast.parse(f"f({section})", mode="eval"), named) if section.strip() else []


def _found(tree: ast.AST, named: Mapping[str, list[str]]) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            found.append(_template(node))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "rules":
            found.append(f"rule {node.attr}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.startswith("ingested"):
            found.append(f"call {node.func.id}")
        elif isinstance(node, ast.Name):
            found += named.get(node.id, [])
    return found


def _template(node: ast.JoinedStr) -> str:
    words = ""
    for part in node.values:
        if isinstance(part, ast.Constant):
            words += str(part.value)
        elif isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
            words += _FOLDERS.get(part.value.id, "*")
    return re.sub(r"\{.*?\}", "*", words).removeprefix("/")


def _connect(found: dict[str, Rule]) -> None:
    writers = {path: rule.name for rule in found.values() for path in rule.outputs}
    reader = next(rule.name for rule in found.values() if "ingested/*.parquet" in rule.outputs)
    for rule in found.values():
        for mention in rule.read_paths:
            kind, _, name = mention.partition(" ")
            if kind == "rule":
                rule.reads.add(name)
            elif kind == "call":
                rule.reads.add(reader)
            else:
                rule.reads.update(writer for path, writer in writers.items() if _fits(path, mention))
        rule.reads.discard(rule.name)


def _fits(path: str, mention: str) -> bool:
    """Whether a mention, perhaps with a ``*`` for the name of a file or folder, means a written path."""
    return path.count("/") == mention.count("/") and (path == mention or PurePosixPath(path).match(mention))


def room_of(rule: Rule, known: dict[str, Room]) -> str:
    """Return the room that does a rule's work: the one its command is named after, else the highest of its rooms."""

    def shared(room: str) -> int:
        length = 0
        while length < min(len(room), len(rule.stage)) and room[length] == rule.stage[length]:
            length += 1
        return length

    working = [room for room in rule.rooms if room not in _ABOVE]
    named = max(working, key=shared)
    return named if shared(named) >= 5 else min(working, key=lambda room: known[room].layer)


def closest(edges: dict[str, Iterable[str]]) -> dict[str, set[str]]:
    """Leave out what follows from other edges: a reader keeps only those that none of its other sources reads."""
    before = {name: set(sources) for name, sources in edges.items()}

    def all_before(name: str) -> set[str]:
        return before[name].union(*(all_before(source) for source in before[name]))

    return {
        name: sources - set().union(*(all_before(source) for source in sources)) for name, sources in before.items()
    }


def input_tables(root: Path) -> list[str]:
    """Names of the tables that a study may have, in the order of the study model."""
    tree = ast.parse((root / "src" / PACKAGE / "tables" / "study.py").read_text(encoding="utf-8"))
    model = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Tables")
    return [
        node.target.id for node in model.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
