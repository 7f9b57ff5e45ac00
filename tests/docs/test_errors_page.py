"""docs/errors.md quotes messages that the package really gives."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_OPEN = "…"


def _text(node: ast.expr) -> str:
    """Return what a string expression says, with dots for what is only known when it runs."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return _OPEN


def _said() -> str:
    """Return every text of the package, one after the other."""
    texts = []
    for file in sorted((_ROOT / "src" / "nociomics").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp):
                texts.append(" ".join(_text(node).split()))
    return "\n".join(texts)


def _quoted() -> list[str]:
    page = (_ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    return [quote for row in rows for quote in re.findall(r"`([^`]+)`", row) if "(Snakemake)" not in row]


def test_every_quoted_message_is_in_the_code() -> None:
    said = _said()
    quoted = _quoted()
    strangers = [
        quote for quote in quoted if any(part.strip(' "') not in said for part in quote.split(_OPEN) if len(part) > 3)
    ]
    assert len(quoted) > 50
    assert strangers == []


@pytest.mark.parametrize(
    "kind", ["study file", "Reading", "Ids", "too late", "Questionnaires", "Learning", "exported model"]
)
def test_the_page_has_a_part_for_each_kind_of_error(kind: str) -> None:
    headings = re.findall(r"^## (.*)$", (_ROOT / "docs" / "errors.md").read_text(encoding="utf-8"), re.M)
    assert any(kind in heading for heading in headings)
