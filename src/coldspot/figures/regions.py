"""Maps of regimes, with borders where the signs of heats and works change between the points of a grid."""

from typing import TYPE_CHECKING

import numpy as np

from .. import regimes
from .._checks import worded
from ..style import BLACK, HEIGHT, WIDTH, house_style, new_figure
from .borders import by_ratios, grid_of, pixels, refined, values_at
from .units import labelled
from .unknown import say_nothing_known

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

COLOURS = {
    "passive": "#DDDDDD",
    "refrigerator": "#56B4E9",
    "engine": "#E69F00",
    "heater": "#8C8C8C",
    "accelerator": "#009E73",
    "heat pump": "#CC79A7",
    "absorption refrigerator": "#0072B2",
    "unknown": "#FFFFFF",
    "chemical engine": "#D55E00",
    "chemical pump": "#F0E442",
}
"""Told apart with any common colour vision (after Okabe and Ito), and by their lightness."""


@worded
def regime_map(dataset: "xarray.Dataset", axes: "Axes | None" = None) -> "Axes":
    r"""The regimes over two parameters of a sweep, in colour.

    **Arguments:** `dataset`, of `coldspot.sweep` over a grid of two parameters (further ones selected, as by
    `dataset.sel(level=0.0, method="nearest")`); the first is drawn upwards, the second to the right; `axes`, Matplotlib
    axes to draw on, or None for a new figure, which is `axes.figure` of what is returned.

    Between the points of the grid, heats, works and differences of temperature are interpolated along straight lines,
    and a pixel has the regime of that corner of its cell whose signs it shares: borders lie where signs change, which
    is exact to second order in the steps of the grid, and not in steps. Where heat flows with particles alone (tight
    coupling) these and the heat of each are interpolated apart, so that borders may cross. A point that lies on a
    border itself has no pixels of its own. Where a corner cannot be trusted the pixels near it are white; where none
    can be, the picture says why.

    >>> import coldspot as cs, numpy as np
    >>> ds = cs.sweep(
    ...     cs.machines.QuantumDot(), {"level": np.linspace(-20, 20, 9), "left.temperature": np.linspace(6, 20, 9)}
    ... )
    >>> axes = cs.figures.regime_map(ds)
    >>> axes.get_xlabel(), axes.get_ylabel()
    ('left.temperature ($E/k_\\mathrm{B}$)', 'level ($E$)')
    """
    grid = grid_of(dataset)
    rows, columns = (pixels(values) for values in (grid.y, grid.x))
    codes = refined(grid, rows, columns)
    with house_style():
        import matplotlib
        from matplotlib.colors import BoundaryNorm, ListedColormap
        from matplotlib.patches import Patch

        if axes is None:
            axes = new_figure(WIDTH + 1.4, HEIGHT + 0.6).subplots()
        colours = ListedColormap([COLOURS[name] for name in regimes.NAMES])
        norm = BoundaryNorm(np.arange(len(regimes.NAMES) + 1) - 0.5, len(regimes.NAMES))
        x, y = (values_at(values, places) for values, places in ((grid.x, columns), (grid.y, rows)))
        axes.pcolormesh(x, y, codes, cmap=colours, norm=norm, shading="nearest", rasterized=True)
        for name, values in (("x", grid.x), ("y", grid.y)):
            if by_ratios(values):
                getattr(axes, f"set_{name}scale")("log")
            getattr(axes, f"set_{name}lim")(values.min(), values.max())
        # Thin lines along the borders help where colours are near to each other, or printed without.
        for code in np.unique(codes)[1:]:
            axes.contour(x, y, codes >= code, levels=[0.5], colors=BLACK, linewidths=0.6, linestyles="-")
        axes.set_xlabel(labelled(dataset[grid.x_name], grid.x_name))
        axes.set_ylabel(labelled(dataset[grid.y_name], grid.y_name))
        present = [regimes.NAMES[code] for code in np.unique(codes)]
        edge = matplotlib.rcParams["axes.edgecolor"]
        handles = [Patch(facecolor=COLOURS[name], edgecolor=edge, linewidth=0.6, label=name) for name in present]
        say_nothing_known(axes, dataset)
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
    return axes
