"""Pictures of results, each in one call. Matplotlib is imported only when something is drawn."""

from .bars import ledger
from .flows import sankey
from .regions import regime_map
from .states import network

__all__ = ["ledger", "network", "regime_map", "sankey"]


def __dir__() -> list[str]:
    return list(__all__)
