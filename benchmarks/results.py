"""What the rows measured, as a file, and the tables that README.md shows of it: `python -m benchmarks.results`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .measure import Row, Timing

FILE = Path(__file__).with_name("results.json")
README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- results: drawn by benchmarks.run --write -->", "<!-- end of results -->"
SIZES_FILE = Path(__file__).with_name("sizes.json")
SIZES_BEGIN, SIZES_END = "<!-- sizes: drawn by benchmarks.sizes --write -->", "<!-- end of sizes -->"
SIZES_OF = {
    "states": "static network, every two states linked twice",
    "masses": "chain of oscillators between two baths",
    "points": "`coldspot.sweep` of the dot",
}
HEADER = ("row", "tool", "µs per point", "spread", "points", "target", "times coldspot", "target", "error", "met")


def content(row: Row, one_core: Timing | None, machine: dict[str, str]) -> dict[str, Any]:
    """All that is known of a row, for JSON."""
    return asdict(row) | {"one_core": None if one_core is None else asdict(one_core), "machine": machine}


def write(rows: list[dict[str, Any]]) -> None:
    """Put rows into the file, beside those of other names that it has, and draw the README anew."""
    known = {row["name"]: row for row in json.loads(FILE.read_text(encoding="utf-8"))} if FILE.exists() else {}
    known |= {row["name"]: row for row in rows}
    FILE.write_text(json.dumps(list(known.values()), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    README.write_text(redrawn(README.read_text(encoding="utf-8")), encoding="utf-8")


def redrawn(text: str) -> str:
    """A README whose figures are those of the files."""
    text = _between(text, BEGIN, END, drawn(json.loads(FILE.read_text(encoding="utf-8"))))
    return _between(text, SIZES_BEGIN, SIZES_END, sizes_drawn(json.loads(SIZES_FILE.read_text(encoding="utf-8"))))


def _between(text: str, begin: str, end: str, drawn: str) -> str:
    before, rest = text.split(begin)
    return f"{before}{begin}\n{drawn}\n{rest[rest.index(end) :]}"


def drawn(rows: list[dict[str, Any]]) -> str:
    """Rows of one run share a table, below the machine and the versions that measured them."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        runs.setdefault("; ".join(f"{name} {value}" for name, value in row["machine"].items()), []).append(row)
    parts = []
    for machine, found in runs.items():
        notes = [
            f"- {row['name']}: {note}"
            for row in found
            for note in (f"compiling takes {row['compile']:.2g} s (not in the figures).", *row["notes"])
        ]
        missed = "; ".join(m for row in found for m in _missed(row)) or "nothing"
        parts.append(
            "\n".join([f"Measured on: {machine}.", "", table(found), "", *notes, "", f"Not met: {missed}.", ""])
        )
    return "\n".join(parts)


def _missed(row: dict[str, Any]) -> list[str]:
    """Which targets of a row are not met, and by how much."""
    ours, target = row["coldspot"]["timing"]["median"], row["target"]
    found = [] if target is None or ours <= target else [f"{ours * 1e6:.3g} µs for {target * 1e6:g}"]
    for peer in row["peers"]:
        if peer["timing"] is not None and peer["target_ratio"] is not None:
            ratio = peer["timing"]["median"] / ours
            if ratio < peer["target_ratio"]:
                found.append(f"{ratio:.3g} × {peer['name']} for {peer['target_ratio']:g}")
    return [f"`{row['name']}` {miss}" for miss in found]


def table(rows: list[dict[str, Any]]) -> str:
    lines: list[tuple[str, ...]] = [HEADER]
    for row in rows:
        ours, target = row["coldspot"]["timing"], row["target"]
        goal = "" if target is None else f"≤ {target * 1e6:g}"
        met = None if target is None else ours["median"] <= target
        lines.append((row["name"], *_cells("coldspot", ours), goal, "", "", *_verdict(row["coldspot"]["error"], met)))
        if row["one_core"] is not None:
            lines.append(("", *_cells("coldspot, one core", row["one_core"]), *[""] * 5))
        for peer in row["peers"]:
            if peer["timing"] is None:
                lines.append(("", peer["name"], "not installed", *[""] * 7))
                continue
            ratio, wanted = peer["timing"]["median"] / ours["median"], peer["target_ratio"]
            goal = "" if wanted is None else f"≥ {wanted:g}"
            reached = None if wanted is None else ratio >= wanted
            cells = _cells(peer["name"], peer["timing"])
            lines.append(("", *cells, "", f"{ratio:.3g}", goal, *_verdict(peer["error"], reached)))
    widths = [max(len(line[k]) for line in lines) for k in range(len(HEADER))]
    shown = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |" for line in lines]
    shown.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(shown)


def _cells(name: str, timing: dict[str, float]) -> tuple[str, str, str, str]:
    spread = (timing["high"] - timing["low"]) / timing["median"]
    return name, f"{timing['median'] * 1e6:.3g}", f"{100 * spread:.0f} %", str(timing["points"])


def _verdict(error: float | None, met: bool | None) -> tuple[str, str]:
    return "" if error is None else f"{error:.1e}", "" if met is None else "yes" if met else "no"


def sizes_drawn(found: dict[str, Any]) -> str:
    """The figures as a table."""
    about = "; ".join(f"{name} {value}" for name, value in found["machine"].items())
    lines = [
        f"Measured on one core of: {about}.",
        "",
        "| what | size | processor time, ms | memory added, MB | exponent of the time |",
        "|------|------|--------------------|------------------|----------------------|",
    ]
    for row in found["rows"]:
        for k, size in enumerate(row["sizes"]):
            what = f"{SIZES_OF[row['kind']]}, {row['kind']}" if k == 0 else ""
            slope = f"{row['exponent']:.2f}" if k == len(row["sizes"]) - 1 else ""
            lines.append(f"| {what} | {size} | {1e3 * row['seconds'][k]:.3g} | {row['bytes'][k] / 1e6:.3g} | {slope} |")
    return "\n".join(lines)


if __name__ == "__main__":
    write([])
