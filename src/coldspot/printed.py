"""How a solution prints: its balance with errors beside the numbers, what the machine does, and whether to trust it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import show

IN_STANDARD_ERRORS = ("drift",)
"""Residuals that are counted in standard errors; the others are relative to the largest entry of the ledger."""


def text(s: Any, status: str, remarks: Sequence[str]) -> str:
    """A solution of one point as a small table with the lines below it."""
    rows = _balance(s) if s.baths else []
    return "\n".join([*(_aligned(rows) if rows else []), *_facts(s, status, remarks)])


def html(s: Any, status: str, remarks: Sequence[str]) -> str:
    """The same for notebooks."""
    rows = _balance(s) if s.baths else []
    parts = [show.table(rows[0], rows[1:])] if rows else []
    return show.box("Solution", *parts, show.lines(*_facts(s, status, remarks)))


def _balance(s: Any) -> list[tuple[str, ...]]:
    """Baths with what comes from each of them; the first row is the head; columns without entries are left out."""
    rows = [("bath", "kind", "T", "μ", "heat", "particles", "chemical work")]
    for k, name in enumerate(s.baths):
        carries = s.kinds[k] in ("electron", "particle")
        mu = show.number(s.chemical_potentials[k]) if carries else ""
        n = _measured(s, "particles", name) if carries else ""
        # Its error is that of the particles times μ: the line stays short enough for a terminal.
        w = show.number(s.chemical_work[name]) if carries else ""
        rows.append((name, s.kinds[k], show.number(s.temperatures[k]), mu, _measured(s, "heat", name), n, w))
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    return list(zip(*columns, strict=True))


def _measured(s: Any, entry: str, name: str | None = None) -> str:
    value, error = getattr(s, entry), getattr(s.error, entry)
    if name is not None:
        value, error = value[name], error[name]
    return show.measured(value, error, s.stochastic)


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [c.ljust(w) if k < 2 else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return [lines[0], "─" * max(map(len, lines)), *lines[1:]]


def _facts(s: Any, status: str, remarks: Sequence[str]) -> list[str]:
    lines = []
    if s.drives:
        lines.append("work by drive: " + ", ".join(f"{d} {_measured(s, 'work', d)}" for d in s.drives))
    if s.baths:
        facts = [f"regime {s.regime}", f"work_in {_measured(s, 'work_in')}", f"σ {_measured(s, 'entropy_production')}"]
        for label in ("cop", "efficiency"):
            value = float(getattr(s, label))
            if value == value:
                facts.append(f"{label} {show.number(value)}")
        lines.append(", ".join(facts))
    if len(s.observables):
        known = [name for name in s.observables if name in s.observable_errors]
        errors = {name: s.observable_errors[name] for name in known}
        lines.append(
            ", ".join(f"{n} {show.measured(s.observables[n], errors.get(n, 0.0), s.stochastic)}" for n in s.observables)
        )
    if s.modes is not None:
        for k in range(s.modes.frequencies.shape[-1]):
            frequency, damping = show.number(s.modes.frequencies[k]), show.number(s.modes.dampings[k])
            lines.append(f"mode {k + 1}: frequency {frequency}, damping {damping}")
        lines.append(f"overlap of the modes {show.number(s.modes.overlap)}")
    raised = [name for name, on in s.flags.items() if bool(on)]
    if raised:
        lines.append("flags: " + ", ".join(raised))
    if s.stochastic:
        lines.append("± are standard errors")
    residuals = ", ".join(_residual(name, float(s.residuals[name])) for name in s.residuals)
    lines.append(f"status {status}" + (f"; residuals: {residuals}" if residuals else ""))
    return [*lines, *remarks]


def _residual(name: str, value: float) -> str:
    if name in IN_STANDARD_ERRORS:
        return f"{name} {value:.1f} standard errors"
    return f"{name} {value:.0e}"


# --------------------------------------------------------------------------- ledgers


def ledger_rows(ledger: Any) -> list[tuple[str, ...]]:
    """The entries of a ledger (or of its errors) at one point, a row per bath and per drive; the first is the head."""
    entries = ("heat", "particles", "chemical_work", "energy", "entropy_flow", "work")
    rows = [("", *(name.replace("_", " ") for name in entries))]
    for name in (*ledger.baths, *(d for d in ledger.drives if d not in ledger.baths)):
        cells = []
        for entry in entries:
            values = getattr(ledger, entry)
            cells.append(show.number(values[name]) if name in values else "")
        rows.append((name, *cells))
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    return list(zip(*columns, strict=True))


def ledger_text(ledger: Any) -> str:
    if np.ndim(ledger.storage) or not ledger.baths:
        return _in_short(ledger)
    return "\n".join(_aligned(ledger_rows(ledger)))


def ledger_html(ledger: Any) -> str:
    name = type(ledger).__name__
    if np.ndim(ledger.storage) or not ledger.baths:
        return show.box(name, show.lines(_in_short(ledger)))
    rows = ledger_rows(ledger)
    return show.box(name, show.table(rows[0], rows[1:]))


def _in_short(ledger: Any) -> str:
    baths, drives = ", ".join(ledger.baths) or "none", ", ".join(ledger.drives) or "none"
    return f"{type(ledger).__name__}(batch {np.shape(ledger.storage)}; baths {baths}; drives {drives})"


# --------------------------------------------------------------------------- sheets: other results of one point

MOST_ROWS = 20
"""Longer tables are cut in texts."""
Table = tuple[Sequence[str], Sequence[tuple[str, ...]]]
"""A head and its rows."""


def sheet(title: str, tables: Sequence[Table], facts: Sequence[str]) -> str:
    """A title, tables and lines as text."""
    lines = [title]
    for head, rows in tables:
        if rows:
            lines += ["", *_aligned([tuple(head), *rows[:MOST_ROWS]])]
            lines += [f"… {len(rows)} rows in all"] if len(rows) > MOST_ROWS else []
    return "\n".join([*lines, "", *facts])


def sheet_html(title: str, tables: Sequence[Table], facts: Sequence[str]) -> str:
    """The same for notebooks."""
    return show.box(title, *(show.table(head, rows) for head, rows in tables if rows), show.lines(*facts))
