"""How coldspot's figures look, and the picture of a ledger.

Matplotlib is an extra and is imported only when something is drawn. Figures are made as objects, without pyplot:
nothing global is changed, and no window is needed.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#AA4499"
AMBER, SKY, BLACK, GREY = "#E69F00", "#56B4E9", "#000000", "#6B6B6B"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY)
"""Colours of curves, in order; told apart with any common colour vision (after Okabe and Ito)."""
DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.6)),
    (0, (5, 1.4, 1, 1.4)),
    (0, (1.2, 1.2)),
    (0, (8, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)
"""Line styles of curves, in order, so that a print without colour still tells them apart."""
TINTS = {"engine": "#D6E6F4", "refrigerator": "#FBE3CF", "heater": "#E9E9E9", "accelerator": "#D8EFE4"}
"""Backgrounds of the regimes."""

BETWEEN = (AMBER, SKY, GREY)
"""Baths that are neither the coldest nor the hottest."""
WORKS = (GREEN, PURPLE, AMBER, SKY)
"""Drives, and reservoirs of work."""

WIDTH, HEIGHT = 5.6, 3.7
"""Size of a figure with one panel, in inches."""
DPI = 200


def bath_colours(temperatures: Any) -> list[str]:
    """One colour for each bath, the same in all pictures of a machine: the coldest is blue, the hottest orange.

    Of equal temperatures the first counts as the colder one.

    >>> bath_colours([2.0, 1.0, 3.0]) == [AMBER, BLUE, ORANGE]
    True
    """
    order = sorted(range(len(temperatures)), key=lambda k: float(temperatures[k]))
    found = dict(zip(order[1:-1], cycle(BETWEEN), strict=False))
    return [BLUE if k == order[0] else ORANGE if k == order[-1] else found[k] for k in range(len(order))]


def require_matplotlib() -> None:
    """Raise an error that says how to install Matplotlib, if it is missing."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise ModuleNotFoundError(
            'Drawing needs Matplotlib, which is not installed; install it with: pip install "coldspot[figures]"',
            name="matplotlib",
        ) from None


@contextmanager
def house_style() -> Iterator[None]:
    """Within this context Matplotlib draws and saves figures in coldspot's style; afterwards all is as before."""
    require_matplotlib()
    import matplotlib
    from cycler import cycler

    style: dict[Any, Any] = {
        "axes.axisbelow": False,
        "axes.formatter.limits": (-3, 4),
        "axes.formatter.use_mathtext": True,
        "axes.labelsize": 11,
        "axes.linewidth": 0.8,
        "axes.prop_cycle": cycler(color=COLOURS) + cycler(linestyle=DASHES),
        "axes.titlesize": 11,
        "figure.constrained_layout.use": True,
        "figure.facecolor": "white",
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "legend.fontsize": 9,
        "legend.frameon": False,
        "legend.handlelength": 2.6,
        "lines.linewidth": 1.7,
        "mathtext.fontset": "dejavusans",
        "savefig.dpi": DPI,
        "svg.fonttype": "path",
        "svg.hashsalt": "coldspot",
        "xtick.direction": "in",
        "xtick.labelsize": 9.5,
        "xtick.top": True,
        "ytick.direction": "in",
        "ytick.labelsize": 9.5,
        "ytick.right": True,
    }
    with matplotlib.rc_context(style):
        yield


def new_figure(width: float = WIDTH, height: float = HEIGHT) -> "Figure":
    """An empty figure (sizes in inches) that belongs to no window."""
    require_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))


def image(figure: "Figure", format: str) -> bytes:
    """The figure as PNG or SVG (`format`); equal figures give equal bytes.

    A date or the name of a program would make them differ, and so neither is written. Axes are laid out once and stay:
    a layout that starts from the one before differs from it in the last digits. The canvases are called by themselves:
    `savefig` draws everything twice.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    stream = io.BytesIO()
    with house_style():
        canvas = FigureCanvasAgg(figure)
        figure.set_dpi(DPI)  # for the layout too: texts are measured once for each resolution
        _plain_ticks(figure)
        engine = figure.get_layout_engine()
        if engine is not None:
            engine.execute(figure)
            figure.set_layout_engine("none")
        if format == "png":
            canvas.print_png(stream, metadata={"Software": None})
        else:
            FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None})
    return stream.getvalue()


def _plain_ticks(figure: "Figure") -> None:
    """Numbers at ticks as plain text: as formulas they look the same, and reading them takes half the time of all."""
    from matplotlib.ticker import ScalarFormatter

    class Plain(ScalarFormatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return super().__call__(x, pos).removeprefix(r"$\mathdefault{").removesuffix("}$")

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if type(axis.get_major_formatter()) is ScalarFormatter:
                axis.set_major_formatter(Plain())
