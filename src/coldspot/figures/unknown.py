"""What a picture says where nothing can be drawn."""

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 44


def say_nothing_known(axes: "Axes", dataset: Any) -> None:
    """Write on the picture of a sweep that none of its points can be trusted, and why, if that is so."""
    if np.any(np.asarray(dataset.status) == 0):
        return
    why = textwrap.shorten(str(dataset.attrs.get("untrusted", "look at its `status`")), 4 * COLUMNS, placeholder="…")
    words = "\n".join(["no point of this sweep can be trusted:", *textwrap.wrap(why, COLUMNS)])
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", fontsize=9)
