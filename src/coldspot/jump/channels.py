"""Channels of a jump network: which bath causes which transitions, and by which law."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import numpy as np
from jax import Array

from .._checks import InputError, Named, Numbers, as_float
from ..pytrees import opened
from .graph import States
from .kinetics import Kinetics


class Share(Named):
    """What a transition takes from one of its baths: energy and particles (negative: it gives them)."""

    energy: Numbers = eqx.field(converter=as_float)
    particles: Numbers = eqx.field(converter=as_float, default=0.0)


class Channel(Named):
    """Transitions initial → final (and back) that one bath causes, or several together.

    - `bath`: a bath's name; or a mapping {name: Share} for a transition that exchanges with several baths at once,
      whose shares must add up to the change of the system's energy and particle number;
    - `initial`, `final`: a state's index or equally long lists of them (numbers in `kinetics` and in the shares
      may then be lists, too);
    - `kinetics`: the law for the rates; or a function of the drives' values that returns it.

    >>> from coldspot import Channel, Tunnelling
    >>> Channel("left", 0, 1, Tunnelling(0.1)).baths
    ('left',)
    """

    baths: tuple[str, ...] = eqx.field(static=True)
    initial: States = eqx.field(static=True)
    final: States = eqx.field(static=True)
    kinetics: Kinetics | Callable[[Mapping[str, Array]], Kinetics]
    shares: tuple[Share, ...] | None

    def __init__(self, bath: str | Mapping[str, Share], initial: Any, final: Any, kinetics: Any):
        if isinstance(bath, str):
            self.baths, self.shares = (bath,), None
        elif isinstance(bath, Mapping) and bath and all(isinstance(s, Share) for s in bath.values()):
            self.baths, self.shares = tuple(bath), tuple(bath.values())
        else:
            raise InputError(
                f"Channel: `bath` must be a bath's name or a mapping from names to Share, but is {bath!r}."
            )
        self.initial, self.final = (x if isinstance(x, States) else States(x) for x in (initial, final))
        self.kinetics = opened(kinetics)
        if len(self.initial) != len(self.final):
            raise InputError(
                "Channel: `initial` and `final` must have the same length, "
                f"but have {len(self.initial)} and {len(self.final)}."
            )
        if isinstance(kinetics, type) or not (callable(kinetics) or isinstance(kinetics, Kinetics)):
            actual = f"the class {kinetics.__name__}" if isinstance(kinetics, type) else type(kinetics).__name__
            raise InputError(
                "Channel: `kinetics` must be a Kinetics, such as Tunnelling(0.1), or a function of the drives' values "
                f"that returns one, but is {actual}."
            )
        if isinstance(kinetics, Kinetics):
            for field in dataclasses.fields(kinetics):
                shape = np.shape(getattr(kinetics, field.name)) if eqx.is_array(getattr(kinetics, field.name)) else ()
                if shape not in ((), (self.size,)):
                    raise InputError(
                        f"Channel: `{field.name}` of {type(kinetics).__name__} must be one number or one for "
                        f"each of the {self.size} transitions, but has shape {shape}."
                    )
        if self.shares is None and np.any(self.initial.array == self.final.array):
            raise InputError(f"Channel: `initial` and `final` are the same state ({self.initial}) of one bath.")

    def arguments(self) -> dict[str, Any]:
        """What the constructor takes, for files."""
        bath = self.baths[0] if self.shares is None else dict(zip(self.baths, self.shares, strict=True))
        return {"bath": bath, "initial": self.initial.plain, "final": self.final.plain, "kinetics": self.kinetics}

    @property
    def size(self) -> int:
        return len(self.initial)
