"""The page without a server: one file for sharing, with frames for each slider that are calculated beforehand."""

from pathlib import Path
from typing import Any

import numpy as np

from .._checks import InputError
from ..files import unwritable, whole
from ..machine_files.results import check_place
from ..progress import track
from ..solution import SolveError
from . import looks, snippets, traces
from .batches import Batches
from .server import page
from .sliders import Slider, axis_of
from .subject import Subject

FRAMES = 9
"""Values of each slider, beside that of the machine."""
DIGITS = 6


def write(subject: Subject, place: Path) -> None:
    """Write the page of one machine: each slider moves through its frames while the others stay where they are."""
    if place.suffix not in (".html", ".htm"):
        raise InputError(f"`--static` must be a file that ends in `.html`, but is `{place}`.")
    check_place(place, "`--static`: ")
    try:
        with whole(place) as part:
            part.write_text(page(data(subject)), encoding="utf-8")
    except OSError as error:
        raise InputError(f"`--static`: `{place}` cannot be written: {unwritable(place, error)}.") from None


def data(subject: Subject) -> dict[str, Any]:
    """Everything that the page shows, with numbers of six digits."""
    batches, described = Batches(subject), subject.described()
    sliders, (x, y) = subject.sliders, subject.axes()
    values = dict(subject.numbers)

    def look(changed: dict[str, float]) -> Any:
        return rounded(looks.look(batches, values | changed, x, y, unit=subject.unit))

    def code(changed: dict[str, float]) -> dict[str, str]:
        try:
            machine = subject.made(values | changed)
        except InputError as error:  # what constructors refuse, a frame marks
            return dict.fromkeys(("python", "toml"), f"# {error}\n")
        return {"python": snippets.python(machine, x, y, subject.unit), "toml": snippets.toml(machine, subject.unit)}

    def trace(changed: dict[str, float]) -> Any:
        if not subject.traceable:
            return None
        try:
            machine = subject.made(values | changed)
        except InputError:
            return None  # the look says it
        try:
            return rounded(traces.trace(machine))
        except (InputError, SolveError) as error:
            return {"error": " ".join(str(error).split())}

    look({})  # tells how long a point takes
    wanted = [(s.path, value) for s in sliders for value in _values(s)]
    found = [look({path: value}) for path, value in track(wanted, total=len(wanted), label="frames")]
    frames: dict[str, Any] = {s.path: [] for s in sliders}
    for (path, value), seen in zip(wanted, found, strict=True):
        beside = {"code": code({path: value}), "trace": trace({path: value})}
        frames[path].append({"value": value, "look": seen} | beside)
    return {"machine": described, "look": look({}), "frames": frames, "code": code({}), "trace": trace({})}


def _values(s: Slider) -> list[float]:
    return sorted({s.value, *map(float, axis_of(s).points(FRAMES))})


def rounded(thing: Any) -> Any:
    """Data with floats of six digits.

    >>> rounded({"a": [1 / 3, None], "b": "text"})
    {'a': [0.333333, None], 'b': 'text'}
    """
    if isinstance(thing, dict):
        return {name: rounded(part) for name, part in thing.items()}
    if isinstance(thing, list | tuple):
        return [rounded(part) for part in thing]
    if isinstance(thing, float | np.floating):
        return float(f"{thing:.{DIGITS}g}")
    return thing
