"""The HTML page of a report: one file without scripts, fonts or images from elsewhere."""

import base64
import html
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from .paper import Figure, Number, Paper


@final
@dataclass(frozen=True)
class Shown:
    """A figure as the page needs it: its SVG, the names of its files, and the numbers of its features."""

    figure: Figure
    svg: bytes
    files: str
    numbers: Sequence[Number]


@final
@dataclass(frozen=True)
class Section:
    """A paper on the page: the numbers that belong to no figure, and its figures."""

    paper: Paper
    numbers: Sequence[Number]
    shown: Sequence[Shown]

    @property
    def all_numbers(self) -> list[Number]:
        return [*self.numbers, *(number for one in self.shown for number in one.numbers)]


def page(sections: Sequence[Section], version: str) -> str:
    """The whole report: the summary of numbers first, then each paper with its figures."""
    good, count = _count([number for section in sections for number in section.all_numbers])
    verdict = "" if good == count else f' <strong class="bad">{count - good} do not; they are marked ✗.</strong>'
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Papers, computed again</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<header>
<h1>Papers, computed again</h1>
<p class="lead"><strong class="{_mood(good == count)}">{good} of {count}</strong> computed values agree with the
papers within their tolerance.{verdict}</p>
<p class="note">Computed with coldspot {html.escape(version)}. A tolerance is absolute, in the unit of its quantity
(k<sub>B</sub> = ħ = e = 1). Where a paper prints no number but an equation that gives it, the equation is named.
An independent calculation is one by another numerical method, to more digits than the paper prints.
A statement counts as 1 if it holds; of a statement about all points of a figure the exceptions are counted.</p>
</header>
<section id="summary">
<h2>Summary</h2>
{_overview(sections)}
</section>
{"".join(_numbers(section) for section in sections)}
{"".join(_paper(section) for section in sections)}
</main>
</body>
</html>
"""


def _overview(sections: Sequence[Section]) -> str:
    lines = []
    for section in sections:
        good, count = _count(section.all_numbers)
        lines.append(
            f'<tr><td><strong class="{_mood(good == count)}">{good} of {count}</strong></td>'
            f'<td><a href="#{section.paper.name}">{_text(section.paper.title)}</a>{_beyond_link(section)}<br>'
            f'<span class="note">{_text(section.paper.authors)}</span></td>'
            f'<td class="number">{len(section.shown)}</td></tr>'
        )
    head = '<tr><th scope="col">✓</th><th scope="col">paper</th><th scope="col" class="number">figures</th></tr>'
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{"".join(lines)}</tbody></table></div>'


def _beyond_link(section: Section) -> str:
    name = section.paper.name
    beyond = any(one.figure in section.paper.beyond for one in section.shown)
    return f' · <a href="#{name}-beyond">beyond the paper</a>' if beyond else ""


def _numbers(section: Section) -> str:
    """The numbers of a paper, for the summary; of its statements only those that do not hold, and how many do."""
    groups = []
    for name, numbers in [
        ("Numbers in the text", section.numbers),
        *((f"Figure {one.figure.label}", one.numbers) for one in section.shown),
    ]:
        holding, statements = _count([number for number in numbers if number.tolerance == 0])
        label = f"{name}; {holding} of {statements} statements hold" if statements else name
        groups.append((label, [number for number in numbers if number.tolerance > 0 or not number.ok]))
    return f"<section><h3>{_text(section.paper.title)}</h3>{_table(groups)}</section>"


def _paper(section: Section) -> str:
    paper = section.paper
    figures = "".join(_figure(paper, one) for one in section.shown if one.figure not in paper.beyond)
    beyond = "".join(_figure(paper, one) for one in section.shown if one.figure in paper.beyond)
    if beyond:
        figures += f'<h2 id="{paper.name}-beyond">Beyond the paper</h2>{beyond}'
    return f"""<article id="{paper.name}">
<h2>{_text(paper.title)}</h2>
<p class="note"><a href="#summary">↑ Summary</a></p>
<p class="authors">{_text(paper.authors)}</p>
<p>{_text(paper.summary)}</p>
{figures}</article>
"""


def _figure(paper: Paper, one: Shown) -> str:
    data = base64.b64encode(one.svg).decode("ascii")
    figure = one.figure
    return f"""<section class="figure" id="{paper.name}-fig{figure.label}">
<h3><span class="label">Figure {figure.label}</span> {_text(figure.title)}</h3>
<div class="pair">
<figure>
<img alt="{html.escape(figure.alternative)}" src="data:image/svg+xml;base64,{data}">
<figcaption>{_text(figure.caption)}
<span class="note">Files: <code>{html.escape(one.files)}</code>.</span></figcaption>
</figure>
<div>{_table([("", one.numbers)])}</div>
</div>
</section>
"""


def _table(groups: Sequence[tuple[str, Sequence[Number]]]) -> str:
    head = '<th scope="col" aria-label="agrees">✓</th><th scope="col">quantity</th>' + "".join(
        f'<th scope="col" class="number">{name}</th>' for name in COLUMNS
    )
    body = []
    for name, numbers in groups:
        if name:
            body.append(f'<tr class="group"><th scope="rowgroup" colspan="5">{html.escape(name)}</th></tr>')
        for one in numbers:
            of = one.tolerance
            cells = (published(one.published, of), computed(one.computed, of), _tolerance(of))
            values = "".join(
                f'<td class="number" data-name="{column}">{cell}</td>'
                for column, cell in zip(COLUMNS, cells, strict=True)
            )
            mark = '<span aria-label="yes">✓</span>' if one.ok else '<span aria-label="no">✗</span>'
            body.append(f'<tr><td class="{_mood(one.ok)}">{mark}</td><td>{_text(one.quantity)}</td>{values}</tr>')
    table = f'<table class="numbers"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table>'
    return f'<div class="wide">{table}</div>'


def _count(numbers: Sequence[Number]) -> tuple[int, int]:
    """How many agree, and how many there are."""
    return sum(number.ok for number in numbers), len(numbers)


def _mood(ok: bool) -> str:
    return "good" if ok else "bad"


def _text(text: str) -> str:
    """Text as HTML, with `J_L` as J and an index, and relations kept on one line."""
    indexed = re.sub(r"_(L,R|th|[A-Za-z0-9])(?![A-Za-z0-9])", r"<sub>\1</sub>", html.escape(text))
    return re.sub(r" (=|&lt;|&gt;) ", "\u00a0\\1\u00a0", indexed)


def computed(value: float, tolerance: float) -> str:
    """A value to one digit beyond its tolerance, as HTML.

    >>> computed(-7.5, 1e-3), computed(3.673152e-4, 5e-9), computed(1, 0)
    ('−7.5000', '3.673152 × 10<sup>−4</sup>', '1')
    """
    if not math.isfinite(value):
        return "none"
    if tolerance == 0 or value == 0:
        return _signed(f"{value:g}")
    if abs(value) < tolerance:
        return _power(f"{value:.0e}")
    finest = 1 - math.floor(math.log10(tolerance))
    if 1e-2 <= abs(value) < 1e4:
        return _signed(f"{value:.{finest}f}")
    return _power(f"{value:.{max(0, finest + math.floor(math.log10(abs(value))))}e}")


def published(value: float, tolerance: float) -> str:
    """As `computed`, but without zeros that nobody printed.

    >>> published(-7.5, 1e-3), published(1.75e-2, 1e-5), published(3.6732e-4, 5e-9)
    ('−7.5', '0.0175', '3.6732 × 10<sup>−4</sup>')
    """
    mantissa, times, power = computed(value, tolerance).partition(" × ")
    return (mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa) + times + power


def _tolerance(value: float) -> str:
    if value == 0:
        return "exact"
    return _power(f"{value:.1e}".replace(".0e", "e")) if value < 1e-2 else f"{value:.2g}"


def _power(text: str) -> str:
    mantissa, exponent = text.split("e")
    power = f"10<sup>{int(exponent)}</sup>"
    return _signed(power if mantissa == "1" else f"{mantissa} × {power}")


def _signed(text: str) -> str:
    return text.replace("-", "−")


COLUMNS = ("paper", "computed", "tolerance")
"""Of a table of numbers, beside the sign of agreement and the quantity."""
# On a phone the three numbers of a row stand below its quantity, each with the name of its column.
STYLE = """
:root { color-scheme: light dark; --ink: #1c1f23; --soft: #5b636d; --paper: #ffffff; --line: #d9dde2; --band: #f4f6f8;
  --link: #0b5cad; --good: #0a6b45; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8ea; --soft: #a3abb5; --paper: #15181c; --line: #333a43; --band: #1d2228;
    --link: #7db7f0; --good: #5ccf9b; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .75rem; letter-spacing: -.01em; }
h2 { font-size: 1.45rem; line-height: 1.3; margin: 3rem 0 .5rem; }
h3 { font-size: 1.1rem; margin: 2rem 0 .6rem; }
p { max-width: 46rem; margin: .5rem 0; }
a { color: var(--link); }
.lead { font-size: 1.2rem; }
.note, .authors { color: var(--soft); font-size: .9rem; }
.label { color: var(--soft); font-weight: 400; margin-right: .4rem; }
article { border-top: 2px solid var(--line); margin-top: 3rem; }
sub, sup { line-height: 0; font-size: .72em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; line-height: 1.4; }
th, td { text-align: left; vertical-align: top; padding: .32rem .6rem; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; border-bottom: 2px solid var(--line); white-space: nowrap; }
.group th { background: var(--band); font-weight: 600; padding-top: .5rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 700; }
tr:has(.bad) { background: var(--band); }
.pair { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1.2fr); gap: 2rem; align-items: start; }
figure { margin: 0; }
figure img { display: block; max-width: 100%; height: auto; background: #fff; border: 1px solid var(--line);
  border-radius: 6px; padding: .6rem; }
figcaption { font-size: .9rem; margin-top: .5rem; }
code { font: .85em ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere; }
@media (max-width: 40rem) { main { padding: 1.25rem .75rem 3rem; } th, td { padding: .3rem .35rem; }
  .wide table { font-size: .8rem; } td:first-child { white-space: nowrap; }
  .numbers thead { display: none; } .numbers tbody, .numbers .group, .numbers .group th { display: block; }
  .numbers tr:not(.group) { display: grid; grid-template-columns: 1.5rem 8fr 8fr 4.4fr; padding: .2rem 0;
    border-bottom: 1px solid var(--line); }
  .numbers td { border: 0; padding: .1rem .35rem; }
  .numbers td:nth-child(2) { grid-column: 2 / -1; } .numbers td:nth-child(3) { grid-column: 2; }
  .numbers td.number { text-align: left; white-space: normal; overflow-wrap: anywhere; padding-right: 0; }
  .numbers td.number::before { content: attr(data-name); display: block; color: var(--soft); } }
@media (max-width: 60rem) { .pair { grid-template-columns: minmax(0, 1fr); gap: 1rem; } figure { max-width: 40rem; } }
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #444; --paper: #fff; --line: #bbb; --band: #f2f2f2;
    --link: #000; --good: #064; --bad: #a00; }
  body { font-size: 9.5pt; } main { max-width: none; padding: 0; }
  h2, h3 { break-after: avoid; }
  figcaption { font-size: 8.5pt; } figure, tr, .lead { break-inside: avoid; } article { break-before: page; border: 0; }
  .figure { break-inside: avoid; } .pair { grid-template-columns: 4fr 6fr; gap: 1rem; } .wide { overflow: visible; }
  th, td { padding: .15rem .35rem; } table { font-size: 8pt; }
}
"""
