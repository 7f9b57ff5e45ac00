"""Small drawing words for the pictures of docs/figures: boxes, lines and text as SVG, without any library."""

from __future__ import annotations

from html import escape

SANS = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', Arial, sans-serif"
MONO = "ui-monospace, 'SFMono-Regular', Menlo, 'Liberation Mono', monospace"

# One pair of colours per role: on white paper, and on dark paper.
_COLOURS = {
    "paper": ("#ffffff", "#14181d"),
    "ink": ("#1c2733", "#e8edf2"),
    "soft": ("#5b6b7b", "#9fb0c0"),
    "line": ("#b8c4cf", "#4a5866"),
    "box": ("#f4f7fa", "#1f262e"),
    "room": ("#e3eef8", "#1d3448"),
    "room-line": ("#4a86b8", "#6fb1e4"),
    "disk": ("#fdf1dc", "#3d3017"),
    "disk-line": ("#c48a1a", "#e3b04f"),
    "final": ("#e4f3e6", "#1d3a24"),
    "final-line": ("#3f8f4f", "#74c585"),
}
_NARROW, _WIDE = "iljtf.,:;'|! ()[]", "mwMW@%"


def text_width(words: str, size: float, mono: bool = False) -> float:
    """Estimate how wide a text is, in pixels, a little on the safe side."""
    if mono:
        return 0.605 * size * len(words)
    units = sum(0.34 if sign in _NARROW else 0.95 if sign in _WIDE else 0.61 for sign in words)
    return size * (units + 0.08 * sum(sign.isupper() for sign in words))


def wrapped(words: str, width: float, size: float) -> list[str]:
    """Break a sentence into lines that fit a width."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def fitted(words: str, width: float, size: float, most: int) -> list[str]:
    """Break a sentence into at most so many lines; three dots stand for what does not fit."""
    lines = wrapped(words, width, size)
    if len(lines) <= most:
        return lines
    last = lines[most - 1]
    while " " in last and text_width(f"{last} …", size) > width:
        last = last.rsplit(" ", 1)[0]
    return [*lines[: most - 1], f"{last.rstrip(',')} …"]


def text(
    x: float,
    y: float,
    words: str,
    size: float = 12,
    role: str = "ink",
    anchor: str = "start",
    mono: bool = False,
    bold: bool = False,
) -> str:
    """Write one line; ``y`` is its baseline."""
    family = ' class="mono"' if mono else ""
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="var(--{role})" text-anchor="{anchor}"{family}{weight}>'
        f"{escape(words)}</text>"
    )


def box(x: float, y: float, width: float, height: float, role: str, line: str | None = None, radius: float = 6) -> str:
    """Draw a rounded box."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" fill="var(--{role})" '
        f'stroke="var(--{line or role + "-line"})" stroke-width="1.2"/>'
    )


def path(points: str, role: str = "line", width: float = 1.4, arrow: bool = False, dash: str | None = None) -> str:
    """Draw a line along an SVG path."""
    end = f' marker-end="url(#arrow-{role})"' if arrow else ""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="{points}" fill="none" stroke="var(--{role})" stroke-width="{width:g}"{dashed}{end}/>'


def dot(x: float, y: float, role: str, radius: float = 4.5) -> str:
    """Draw a filled dot."""
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="var(--{role})"/>'


def picture(width: float, height: float, title: str, description: str, parts: list[str]) -> str:
    """Put the parts on paper that follows the reader's light or dark setting.

    Returns
    -------
    str
        A whole SVG file, the same bytes for the same parts.
    """
    light = "".join(f"--{role}:{pair[0]};" for role, pair in _COLOURS.items())
    dark = "".join(f"--{role}:{pair[1]};" for role, pair in _COLOURS.items())
    arrows = "".join(
        f'<marker id="arrow-{role}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto-start-reverse"><path d="M0 0.6L7.4 4L0 7.4z" fill="var(--{role})"/></marker>'
        for role in ("line", "soft", "disk-line", "room-line")
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-labelledby="title desc" font-family="{SANS}">'
    )
    style = (
        f"<style>svg{{{light}}}.mono{{font-family:{MONO}}}@media (prefers-color-scheme: dark){{svg{{{dark}}}}}</style>"
    )
    words = f'<title id="title">{escape(title)}</title><desc id="desc">{escape(description)}</desc>'
    paper = f'<rect width="{width:g}" height="{height:g}" rx="10" fill="var(--paper)"/>'
    return "\n".join([head, words, style, f"<defs>{arrows}</defs>", paper, *parts, "</svg>"]) + "\n"
