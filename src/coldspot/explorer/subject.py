"""A machine that is explored: its words, its sliders, and the machine that a user's settings make of it."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

from .. import machines, paths
from .._checks import InputError, unknown_name
from ..command_text import name_of
from ..dynamics import as_dynamics
from ..machine_files.decode import Content
from ..machine_files.kinds import made_again
from ..units import check_energy_unit, to_number
from . import traces
from .sliders import Axis, axis_of, scalars, sliders


class Subject:
    """One machine, or the content of a file, with what the page shows of it."""

    def __init__(self, name: str, content: Content):
        self.name, self.machine, self.unit = name, content.machine, content.unit
        self.numbers = scalars(self.machine)
        self.dynamics = as_dynamics(self.machine)
        self.sliders = sliders(self.machine)
        if not self.sliders:
            raise InputError(f"explore: `{name}` has no numbers to move.")

    @property
    def traceable(self) -> bool:
        """Whether there are time traces: of driven jump networks, and of driven linear oscillators."""
        return traces.is_traceable(self.dynamics)

    def described(self) -> dict[str, Any]:
        """Everything about it that does not depend on settings, for the page."""
        return {
            "name": self.name,
            "unit": self.unit,
            "words": words(self.machine),
            "source": f"{type(self.machine).__module__}.{type(self.machine).__qualname__}",
            "sliders": [slider._asdict() for slider in self.sliders],
            "baths": list(self.dynamics.reservoirs()),
            "drives": list(self.dynamics.workers()),
            "traceable": self.traceable,
            "axes": {name: axis._asdict() for name, axis in zip("xy", self.axes(), strict=True)},
        }

    def axes(self) -> tuple[Axis, Axis]:
        """What the first map is over: phases first, then numbers in the machine's order."""
        order = sorted(self.sliders, key=lambda slider: slider.dimension != "angle")
        x, y = (order[min(k, len(order) - 1)] for k in range(2))
        return axis_of(x), axis_of(y)

    def values(self, settings: Any, unit: str | None) -> dict[str, float]:
        """All numbers of the machine: its own, and in their place those that a user set, as numbers or texts."""
        if unit is not None:
            check_energy_unit(unit, "unit")
        if not isinstance(settings, Mapping):
            raise InputError(f"`values` must be an object {{path: value}}, but is {settings!r}.")
        found = dict(self.numbers)
        for path, given in settings.items():
            if path not in found:
                raise unknown_name(self.name, "parameter", str(path), found)
            dimension = paths.dimension(self.machine, path)
            advice = "choose the unit of energy, such as `meV`, above the sliders"
            found[path] = to_number(_text(given), dimension=dimension, unit=unit, argument=path, advice=advice)
        return found

    def made(self, values: Mapping[str, float]) -> Any:
        """The machine with these numbers, checked by its constructors."""
        machine = self.machine
        for path, value in values.items():
            if value != self.numbers[path]:
                machine = paths.replace(machine, path, value)
        return made_again(machine)


def _text(given: Any) -> str:
    return given if isinstance(given, str) else repr(given)


def ready(name: str) -> Subject:
    """A ready-made machine by its name."""
    if name not in machines.BY_NAME:
        raise unknown_name("explore", "machine", name, machines.BY_NAME)
    return Subject(name, Content(machines.BY_NAME[name](), None))


def words(machine: Any) -> list[str]:
    """The paragraphs of a machine's docstring, examples left out: its equation, its units, its source."""
    text = inspect.cleandoc(type(machine).__doc__ or name_of(machine))
    text = re.sub(r"^>>> .*?(?=\n\n|\Z)", "", text, flags=re.MULTILINE | re.DOTALL)
    # A sentence may go on behind the first line; one that ends in a comma leads to an equation, which stands alone.
    text = re.sub(r"\A(.*[^.:;,!?\n])\n\n(?=[^A-Z\s*>-])", r"\1 ", text)
    # Lines that begin with blanks or as items stand for themselves; headings of arguments are for those who write code.
    parts = (re.sub(r"\n(?! |- )", " ", part).strip() for part in text.split("\n\n"))
    return [part for part in parts if part and not part.startswith("**")]
