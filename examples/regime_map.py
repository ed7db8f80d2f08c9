"""What a single quantum dot does between a hot and a cold lead, over its level and the bias.

Colours are the regimes that coldspot reads off the signs of heat and work; lines are the coefficient of performance
of the refrigerators and the efficiency of the engines, as fractions of Carnot's. Writes docs/images/regimes.png.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

import coldspot as cs

HOT, COLD = 10.0, 5.0
COLOURS = {"refrigerator": "#9ecae1", "engine": "#a1d99b", "heater": "#fdd0a2", "accelerator": "#e4e4e4"}


def dot(level, bias):
    """The dot with the level and the difference of chemical potentials, left (hot) minus right (cold)."""
    return cs.machines.QuantumDot(
        level=level, left=cs.ElectronBath(HOT, bias / 2), right=cs.ElectronBath(COLD, -bias / 2)
    )


def draw(path: Path) -> None:
    levels, biases = np.linspace(-30, 30, 481), np.linspace(-30, 30, 480)
    ds = cs.sweep(dot, {"bias": biases, "level": levels})
    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    names = list(COLOURS)
    codes = np.select([ds.regime == cs.regimes.code(name) for name in names], range(len(names)), np.nan)
    axes.pcolormesh(
        levels, biases, codes, cmap=ListedColormap(list(COLOURS.values())), vmin=-0.5, vmax=3.5, rasterized=True
    )
    for ratio, colour in (
        (ds.cop / cs.regimes.carnot_cop(COLD, HOT), "#08519c"),
        (ds.efficiency / cs.regimes.carnot_efficiency(COLD, HOT), "#006d2c"),
    ):
        lines = axes.contour(levels, biases, ratio, [0.2, 0.4, 0.6, 0.8], colors=colour, linewidths=0.9)
        axes.clabel(lines, fmt=lambda x: f"{100 * x:.0f} %", fontsize=7)
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in COLOURS.values()]
    figure.legend(handles, names, loc="outside upper center", ncols=4, frameon=False)
    axes.set(xlabel="level ε (mean chemical potential 0)", ylabel="bias μ_left − μ_right")
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    draw(Path(__file__).parents[1] / "docs" / "images" / "regimes.png")
