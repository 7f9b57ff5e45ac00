"""Which modules of the package a command can reach, found by reading the code without running it."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path

import nociomics

PACKAGE = Path(nociomics.__file__).parent
_Target = tuple[str, str | None]


@dataclass
class _Module:
    """One source file: its definitions, and what it imports when it is loaded."""

    name: str
    definitions: dict[str, ast.AST] = field(default_factory=dict)
    imports: dict[str, _Target] = field(default_factory=dict)


def reached(module: str, function: str) -> set[str]:
    """Name every file that a function can run, relative to the package.

    Followed are the names that a definition uses, through imports at the top of a module and inside a function;
    a module that is loaded on the way counts as reached. Imports for type checkers alone do not count.
    """
    walk = _Walk()
    walk.visit(module, function)
    return {_path(name).relative_to(PACKAGE).as_posix() for name in walk.loaded}


class _Walk:
    def __init__(self) -> None:
        self.loaded: set[str] = set()
        self._modules: dict[str, _Module] = {}
        self._seen: set[tuple[str, str]] = set()

    def visit(self, module: str, name: str) -> None:
        """Follow one definition of a module."""
        self._load(module)
        known = self._module(module)
        if (module, name) in self._seen:
            return
        self._seen.add((module, name))
        if name in known.imports:
            self._follow(known.imports[name])
        elif name in known.definitions:
            node = known.definitions[name]
            for target in _imports(node).values():
                self._follow(target)
            local = {*_imports(node), *_parameters(node)}
            for used in {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)} - {name, *local}:
                self.visit(module, used)

    def _follow(self, target: _Target) -> None:
        module, name = target
        if name is not None and _exists(f"{module}.{name}"):
            self._load(f"{module}.{name}")
        elif name is not None:
            self.visit(module, name)
        else:
            self._load(module)

    def _load(self, module: str) -> None:
        if module in self.loaded:
            return
        self.loaded.add(module)
        for target, name in self._module(module).imports.values():
            self._load(f"{target}.{name}" if name is not None and _exists(f"{target}.{name}") else target)

    def _module(self, name: str) -> _Module:
        if name not in self._modules:
            self._modules[name] = _read(name)
        return self._modules[name]


def _read(name: str) -> _Module:
    module = _Module(name)
    for node in ast.parse(_path(name).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            module.definitions[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                module.definitions |= {part.id: node for part in ast.walk(target) if isinstance(part, ast.Name)}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            module.imports |= _imports(node)
    return module


def _parameters(node: ast.AST) -> set[str]:
    """What a function is given: such a name hides a definition of the module."""
    if not isinstance(node, ast.FunctionDef):
        return set()
    return {one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}


def _imports(node: ast.AST) -> dict[str, _Target]:
    """Imports of our own package below a node: name here -> module, name there."""
    found: dict[str, _Target] = {}
    for inner in ast.walk(node):
        if isinstance(inner, ast.ImportFrom) and (inner.module or "").split(".")[0] == "nociomics":
            found |= {alias.asname or alias.name: (str(inner.module), alias.name) for alias in inner.names}
        elif isinstance(inner, ast.Import):
            ours = [alias for alias in inner.names if alias.name.split(".")[0] == "nociomics"]
            found |= {alias.asname or alias.name: (alias.name, None) for alias in ours}
    return found


def _path(module: str) -> Path:
    place = PACKAGE.joinpath(*module.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _exists(module: str) -> bool:
    return _path(module).is_file()
