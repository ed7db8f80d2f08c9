"""What a conductor lets pass at each energy, and where a particle is in phase space."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .._checks import InputError, check_type, worded
from ..conductor.coherent import Conductor
from ..conductor.transmission import transmission as passed
from ..dynamics import as_dynamics
from ..phase_space.klein_kramers import KleinKramers
from ..style import HEIGHT, WIDTH, house_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHADES = "cividis"
"""Shades that any common colour vision tells apart, in the order of their lightness."""


@worded
def transmission(conductor: Any, energies: Any, axes: "Axes | None" = None) -> "Axes":
    """The transmission from each lead to each other one, over energy.

    **Arguments:** `conductor`, a `Conductor` or a machine whose dynamics is one; `energies`, a list; `axes`, Matplotlib
    axes to draw on, or None for a new figure, which is `axes.figure` of what is returned.

    A pair of leads is one line if both ways are alike, as they are without a magnetic flux.
    """
    known: Any = as_dynamics(conductor, "figures.transmission")
    check_type("figures.transmission", "conductor", known, Conductor)
    names, places = list(known.leads), np.asarray(energies, float)
    if len(names) < 2:
        raise InputError("figures.transmission: the conductor has one lead, and so nothing to pass to.")
    with house_style():
        axes = new_figure(WIDTH, HEIGHT).subplots() if axes is None else axes
        for k, one in enumerate(names):
            for other in names[k + 1 :]:
                there, back = (np.asarray(passed(known, places, *way)) for way in ((one, other), (other, one)))
                alike = np.allclose(there, back, rtol=1e-9, atol=1e-12)
                axes.plot(places, there, label=f"{one} {'↔' if alike else '→'} {other}")
                if not alike:
                    axes.plot(places, back, label=f"{other} → {one}")
        axes.set_xlim(places.min(), places.max())
        axes.set_ylim(bottom=0.0)
        axes.set_xlabel("energy ($E$)")
        axes.set_ylabel("transmission")
        axes.legend()
    return axes


@worded
def density(problem: Any, positions: Any, velocities: Any, axes: "Axes | None" = None) -> "Axes":
    """The density P(x, v) of a particle in phase space.

    **Arguments:** `problem`, a `KleinKramers` or a machine whose dynamics is one, at rest; `positions`, `velocities`,
    lists; `axes`, Matplotlib axes to draw on, or None for a new figure, which is `axes.figure` of what is returned.
    """
    known: Any = as_dynamics(problem, "figures.density")
    check_type("figures.density", "problem", known, KleinKramers)
    x, v = (np.asarray(values, float) for values in (positions, velocities))
    shares = np.asarray(known.state().distribution(x, v))
    with house_style():
        axes = new_figure(WIDTH + 0.8, HEIGHT).subplots() if axes is None else axes
        mesh = axes.pcolormesh(x, v, shares.T, cmap=SHADES, shading="gouraud", vmin=0.0, rasterized=True)
        axes.figure.colorbar(mesh, ax=axes, label="$P(x, v)$")
        axes.set_xlabel("position $x$")
        axes.set_ylabel("velocity $v$")
    return axes
