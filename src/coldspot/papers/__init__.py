"""Published papers, computed again: figures and numbers. A new one is a module here and an entry in `PAPERS`."""

from ..reproduction.paper import Figure, Number, Paper
from . import exceptional_point, kramers_cooling, pair_baths, quantum_dot_anomalies, two_classical_pumps

PAPERS: dict[str, Paper] = {
    paper.name: paper
    for paper in (
        quantum_dot_anomalies.PAPER,
        two_classical_pumps.PAPER,
        kramers_cooling.PAPER,
        pair_baths.PAPER,
        exceptional_point.PAPER,
    )
}

__all__ = ["PAPERS", "Figure", "Number", "Paper"]
