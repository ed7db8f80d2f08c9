"""Particles in two wells between which they hop more slowly than they are followed: whether it matters in which.

Their shares are those of the mean potential's equilibrium, in which they begin; drives may change them, unseen. Heat
and work are between those of the particles that begin on either side, whatever the shares are.
"""

from typing import NamedTuple

import numpy as np

from .outset import HOPS, Outset

SURELY = 3.0
"""Standard errors."""
FEW, RARE = 16, 1e-2
"""So many at least begin in each well to be compared; a share below this one is not asked for."""


class Sides(NamedTuple):
    """What the shares of the wells may change in each flow, with its standard error.

    `unmixed`: whether shares are an assumption; `words` on it, where they matter.
    """

    unmixed: bool
    changes: np.ndarray
    doubts: np.ndarray
    words: str

    def differ(self, allowed: np.ndarray) -> bool:
        """Whether some flow changes by more than is `allowed`, surely."""
        return self.unmixed and bool(np.any(self.changes - SURELY * self.doubts > allowed))


MIXED = Sides(False, np.zeros(0), np.zeros(0), "")


def sides_of(start: Outset, begun: np.ndarray, flows: np.ndarray) -> Sides:
    """From first positions (lane) and flows (flow, lane)."""
    right = begun > start.top
    shares, groups = start.sides(), (flows[:, ~right], flows[:, right])
    few, changes, doubts = min(group.shape[1] for group in groups), np.zeros(len(flows)), np.zeros(len(flows))
    if few >= FEW:
        changes = max(shares) * np.abs(groups[0].mean(1) - groups[1].mean(1))
        doubts = max(shares) * np.sqrt(sum(group.var(1, ddof=1) / group.shape[1] for group in groups))
        worst = int(np.argmax(changes))
        matters, more = f"heat or work would change by {changes[worst]:.2g} ± {doubts[worst]:.1g} with others", ""
    else:
        # Too few to tell; of a well that is as good as empty nothing is asked.
        changes = changes + (np.inf if min(shares) >= RARE else 0.0)
        matters, more = f"only {few} begin on one side, too few to tell what others would change", "a larger `n`, "
    words = (
        f"particles hop over x = {start.top:.4g} in a time of {start.longest:.2g} or so, by the mean potential, and "
        "the transient is too short for it: the shares on either side are those of its equilibrium, an assumption, and "
        f"{matters}; give a `transient` of {HOPS * start.longest:.2g} or more, {more}or ask `steady_state`, which "
        "finds the shares."
    )
    return Sides(True, changes, doubts, words)
