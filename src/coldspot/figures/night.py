"""Pictures for dark pages."""

from typing import TYPE_CHECKING

from .._checks import worded
from ..style import BLACK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GROUND, INK = "#15171C", "#E4E6EB"


@worded
def dark(axes: "Axes") -> "Axes":
    """The picture that `axes` belong to, in light ink on a dark ground; its colours stay, so that meanings do.

    Call it last, on what any function of `coldspot.figures` returns.

    >>> import coldspot as cs
    >>> axes = cs.figures.dark(cs.figures.ledger(cs.steady_state(cs.machines.QuantumDot())))
    >>> axes.xaxis.label.get_color()
    '#E4E6EB'
    """
    from matplotlib.axes import Axes as AnyAxes
    from matplotlib.colors import to_hex, to_rgba
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    def turned(colour: object) -> object:
        """Ink for black and dark greys of lines and texts, the ground for white."""
        red, green, blue, alpha = to_rgba(colour)  # type: ignore[arg-type]
        if alpha == 0 or to_hex(colour) == "none":  # type: ignore[arg-type]
            return colour
        if max(red, green, blue) < DARKEST:
            return (*to_rgba(INK)[:3], alpha)
        return (*to_rgba(GROUND)[:3], alpha) if min(red, green, blue) == 1.0 else colour

    figure = axes.figure
    for artist in figure.findobj():
        if isinstance(artist, Figure | AnyAxes):
            artist.set_facecolor(GROUND)
            continue
        box = artist.get_bbox_patch() if isinstance(artist, Text) else None
        if box is not None:
            box.set_facecolor(GROUND)
        for name in ("color", "facecolor", "edgecolor", "markeredgecolor", "markerfacecolor"):
            getter, setter = getattr(artist, f"get_{name}", None), getattr(artist, f"set_{name}", None)
            if getter is None or setter is None:
                continue
            given = getter()
            if isinstance(given, str | tuple) and given not in ("none", "auto"):
                setter(turned(given))
            elif getattr(given, "ndim", 0) == 2 and len(given):
                setter([turned(tuple(row)) for row in given])
    for part in figure.axes:
        for axis in (part.xaxis, part.yaxis):
            axis.label.set_color(INK)
        part.tick_params(which="both", color=INK, labelcolor=INK)
    return axes


DARKEST = 0.05 + max(int(BLACK[k : k + 2], 16) / 255 for k in (1, 3, 5))
"""Brightness up to which a colour is ink."""
