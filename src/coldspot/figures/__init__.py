"""Pictures of results, each in one call. Matplotlib is imported only when something is drawn."""

from .._attributes import told as _told
from .bars import ledger
from .curves import cumulants, curves, pareto, trajectories
from .flows import sankey
from .night import dark
from .regions import regime_map
from .spaces import density, transmission
from .states import network

__all__ = [
    "cumulants",
    "curves",
    "dark",
    "density",
    "ledger",
    "network",
    "pareto",
    "regime_map",
    "sankey",
    "trajectories",
    "transmission",
]


def __dir__() -> list[str]:
    return list(__all__)


__getattr__ = _told("coldspot.figures", __dir__())
