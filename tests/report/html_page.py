"""Read a page as a strict reader would: balanced tags, text by section, first sentence, reading grade."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_VOID = {"meta", "br", "wbr", "link", "img", "hr", "input"}
_SILENT = {"style", "title", "svg"}
_BLOCKS = set("p li h1 h2 h3 td th dt dd div tr caption figcaption small section".split())


class Page(HTMLParser):
    """Collect text, ids and attributes; an unbalanced tag is an error."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, str | None]] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._text: dict[str, list[str]] = {"": []}
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag in _BLOCKS:
            self._write("\n")
        if tag not in _VOID:
            self.open.append((tag, given.get("id")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1][0] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()
        if tag in _BLOCKS:
            self._write("\n")

    def handle_data(self, data: str) -> None:
        if not any(tag in _SILENT for tag, _ in self.open):
            self._write(data)

    def _write(self, data: str) -> None:
        for id_ in {"", *(id_ for _, id_ in self.open if id_)}:
            self._text.setdefault(id_, []).append(data)

    def text(self, id_: str = "") -> str:
        """Text of one element by id, or of the whole page; one line per block."""
        lines = (re.sub(r"\s+", " ", line).strip() for line in "".join(self._text[id_]).split("\n"))
        return "\n".join(line for line in lines if line)

    def first_sentence(self) -> str:
        """The first sentence of the finding; a point within a number does not end it."""
        return re.split(r"(?<=[.])\s+(?=[A-Z])", self.text("finding"))[0]


def reading_grade(text: str) -> float:
    """Flesch-Kincaid grade level; a line is at least one sentence, a number is one word of one syllable."""
    lines = [line for line in text.split("\n") if len(line.split()) > 2]
    sentences = [part for line in lines for part in re.split(r"[.!?:]+(?:\s+|$)", line) if part.strip()]
    words = [word for part in sentences for word in re.findall(r"[A-Za-z']+|\d+(?:\.\d+)?", part)]
    syllables = sum(_syllables(word) for word in words)
    return 0.39 * len(words) / len(sentences) + 11.8 * syllables / len(words) - 15.59


def _syllables(word: str) -> int:
    letters = re.sub(r"[^a-z]", "", word.lower())
    if not letters:
        return 1
    groups = len(re.findall(r"[aeiouy]+", letters))
    silent = letters.endswith("e") and not letters.endswith(("le", "ee")) and groups > 1
    return max(1, groups - silent)
