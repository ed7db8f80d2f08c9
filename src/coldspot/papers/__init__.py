"""Published papers, computed again: figures and numbers. A new one is a module here and an entry in `PAPERS`."""

from collections.abc import Iterable

from .._checks import unknown_name
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


def chosen(names: Iterable[str]) -> list[Paper]:
    """The papers of these names, each once; all of them if there is no name."""
    wanted = list(dict.fromkeys(names)) or list(PAPERS)
    for name in wanted:
        if name not in PAPERS:
            raise unknown_name("reproduce", "paper", name, PAPERS)
    return [PAPERS[name] for name in wanted]


__all__ = ["PAPERS", "Figure", "Number", "Paper", "chosen"]
