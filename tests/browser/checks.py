"""What a page must keep, as lists of what is wrong with it: an empty list is a sound page."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_LEVELS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice")

# Everything that Tab must reach, in document order, and what is scrolled by hand.
_REACHABLE = """() => {
  const wanted = 'a[href], button, input, select, textarea, summary, [tabindex]:not([tabindex="-1"])';
  window.reachable = [...document.querySelectorAll(wanted)]
    .filter(one => one.checkVisibility({visibilityProperty: true}));
  return window.reachable.map(one => one.tagName.toLowerCase() + ' ' +
    (one.getAttribute('aria-label') || one.textContent).trim().slice(0, 40));
}"""
_FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body || one === document.documentElement) return null;
  const box = one.getBoundingClientRect(), style = getComputedStyle(one);
  return {
    place: window.reachable.indexOf(one), name: one.outerHTML.slice(0, 60),
    ring: one.matches(':focus-visible') && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1,
    seen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight
      && box.right > 0 && box.left < innerWidth,
  };
}"""
_TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth, wrong = [];
  const boxed = one => { for (let up = one.parentElement; up; up = up.parentElement)
    if (['auto', 'scroll'].includes(getComputedStyle(up).overflowX)) return up; return null; };
  const whole = document.documentElement.scrollWidth;
  if (whole > width) wrong.push(`the page is ${whole} wide`);
  for (const one of document.querySelectorAll('body *')) {
    const box = one.getBoundingClientRect();
    if (!box.width || !box.height || one.closest('.skip')) continue;
    const name = one.tagName.toLowerCase() + ' ' + (one.textContent || '').trim().slice(0, 40);
    if ((box.right > width + 1 || box.left < -1) && !boxed(one))
      wrong.push(`${name}: ${Math.round(box.left)} to ${Math.round(box.right)}`);
    const style = getComputedStyle(one);
    const hides = ['hidden', 'clip'].includes(style.overflowX) && !(one instanceof SVGElement);
    if (hides && one.scrollWidth > one.clientWidth + 1)
      wrong.push(`${name}: cut`);
  }
  return [...new Set(wrong)].slice(0, 12);
}"""
# Text and marks of drawings, which axe does not read: contrast with the paper behind them.
_DRAWN = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05); };
  const behind = one => { for (let up = one; up; up = up.parentElement) {
    const c = rgb(getComputedStyle(up).backgroundColor);
    if (c[3] > 0) return c; } return rgb('Canvas'); };
  const over = ([r, g, b, a], opacity, paper) =>
    [r, g, b].map((v, i) => v * a / 255 * opacity + paper[i] * (1 - a / 255 * opacity));
  const told = new Map(), note = (key, value) => { if (!told.has(key) || told.get(key) > value) told.set(key, value); };
  for (const svg of document.querySelectorAll('svg')) {
    if (!svg.checkVisibility()) continue;
    const paper = behind(svg.parentElement);
    for (const one of svg.querySelectorAll('text, path, circle, rect, line, polyline, polygon, ellipse, use')) {
      const style = getComputedStyle(one), name = one.tagName + '.' + [...one.classList].join('.');
      if (one.tagName === 'text') { note(name, ratio(rgb(style.fill), paper)); continue; }
      const inks = [['fill', style.fill], ['stroke', style.stroke]]
        .filter(([kind, ink]) => ink !== 'none' && style.opacity * style[kind + 'Opacity'] > 0)
        .filter(([kind]) => !(one.tagName === 'line' && kind === 'fill'))
        .filter(([kind]) => !/--(rule|paper|faint)/.test((one.closest(`[${kind}]`) || one).getAttribute(kind)))
        .map(([kind, ink]) => over(rgb(ink), style.opacity * style[kind + 'Opacity'], paper));
      if (inks.length) note(name, Math.max(...inks.map(ink => ratio(ink, paper))));
    }
  }
  return Object.fromEntries(told);
}"""
_DECORATION = ("track", "grid", "middle", "heat-", "guide", "reference", "axis", "halo", "reached")
_COLOURS = """() => { const style = getComputedStyle(document.body);
  return [style.backgroundColor, style.color].map(c => c.match(/[\\d.]+/g).slice(0, 3).map(Number)); }"""


@cache
def _axe() -> str:
    from axe_playwright_python.base import AXE_FILE_PATH  # the file comes with the package: no network

    return str(AXE_FILE_PATH.read_text(encoding="utf-8"))


def barriers(page: Any, only: str | None = None) -> list[str]:
    """What axe finds against WCAG 2.1 A and AA and its own good practice; ``only`` names a single rule."""
    run = {"type": "rule", "values": [only]} if only else {"type": "tag", "values": list(_LEVELS)}
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_axe())
    found = page.evaluate("run => axe.run({exclude: [['svg > *']]}, {runOnly: run, resultTypes: ['violations']})", run)
    return [
        f"{one['id']}: {one['help']}: {node['html'][:120]}: {node['failureSummary'][:160]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def blocked_ways(page: Any) -> list[str]:
    """Walk through the page with Tab alone: what is not reached, out of order, not seen, or without a ring."""
    names = page.evaluate(_REACHABLE)
    wrong, places = [], []
    for _ in range(2 * len(names) + 20):
        page.keyboard.press("Tab")
        at = page.evaluate(_FOCUSED)
        if at is None or at["place"] in places:
            break
        if at["place"] >= 0:  # Chromium lets the keyboard scroll any box that needs it, too
            places.append(at["place"])
        wrong += [f"{at['name']}: no ring" for _ in [0] if not at["ring"]]
        wrong += [f"{at['name']}: out of sight" for _ in [0] if not at["seen"]]
    else:
        wrong.append(f"Tab does not come out of {at['name']}")
    wrong += [f"never reached: {names[place]}" for place in range(len(names)) if place not in places]
    return wrong + ([] if places == sorted(places) else ["not in the order of the page"])


def too_wide(page: Any) -> list[str]:
    """What sticks out of the page or is cut; a box of its own that scrolls may hold something wider."""
    return list(page.evaluate(_TOO_WIDE))


def faint_drawings(page: Any) -> list[str]:
    """Text of drawings below 4.5 to 1, and marks below 3 to 1, against the paper; lines that guide do not count."""
    return [
        f"{name}: {ratio:.2f}"
        for name, ratio in page.evaluate(_DRAWN).items()
        if ratio < (4.5 if name.startswith("text") else 3) and not any(word in name for word in _DECORATION)
    ]


def luminances(page: Any) -> tuple[float, float]:
    """Mean of red, green and blue of paper and ink, 0 (black) to 1."""
    paper, ink = (sum(colour) / 765 for colour in page.evaluate(_COLOURS))
    return paper, ink


def printed(page: Any) -> bytes:
    """The page on A4, as PDF."""
    page.emulate_media(media="print")
    return bytes(page.pdf(format="A4", prefer_css_page_size=True))


def sheets(paper: bytes) -> int:
    """Number of sheets of a PDF."""
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", paper))
