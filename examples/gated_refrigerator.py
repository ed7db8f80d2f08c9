"""A refrigerator made of one dot and two gates, and the same gates turned round as an engine.

One gate moves the level, the other opens the barrier to one lead while it closes that to the other. If electrons
meet the cold lead while the level falls and the hot lead while it rises, heat is carried from cold to hot. Writes
docs/images/gated-refrigerator.png.
"""

from pathlib import Path

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import coldspot as cs

COLD, HOT = 0.8, 1.0

pump = cs.JumpNetwork(
    energies=lambda gate: jnp.array([0.0, 1.0]) * gate["level"],
    occupations=[0, 1],
    baths={"cold": cs.ElectronBath(COLD), "hot": cs.ElectronBath(HOT)},
    channels=[
        cs.Channel("cold", 0, 1, lambda gate: cs.Tunnelling(jnp.exp(gate["barrier"]))),
        cs.Channel("hot", 0, 1, lambda gate: cs.Tunnelling(jnp.exp(-gate["barrier"]))),
    ],
    drives={"level": cs.Cosine(2.0, mean=2.0), "barrier": cs.Cosine(5.0, phase=-np.pi / 2)},
    period=40.0,
)


def draw(path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.2), layout="constrained")

    ds = cs.sweep(pump, {"drives.barrier.phase": np.linspace(-np.pi, np.pi, 121)})
    phase = ds["drives.barrier.phase"] / np.pi
    for name, colour in (("cold", "tab:blue"), ("hot", "tab:red")):
        left.plot(phase, ds.heat.sel(bath=name), color=colour, label=f"heat from {name} lead")
    left.plot(phase, ds.work_in, color="black", label="work of the gates")
    left.axhline(0, color="grey", linewidth=0.6)
    left.set(xlabel="phase of the barrier gate / π", ylabel="rate, period 40")
    left.legend(fontsize=7)

    for opening in (3.0, 4.0, 5.0):
        ds = cs.sweep(pump, {"period": np.geomspace(1, 400, 81), "drives.barrier.amplitude": [opening]}).isel(
            {"drives.barrier.amplitude": 0}
        )
        cooling = ds.heat.sel(bath="cold").where(ds.regime == cs.regimes.code("refrigerator"))
        right.semilogx(cooling, ds.cop / cs.regimes.carnot_cop(COLD, HOT), label=f"barrier amplitude {opening:g}")
    right.set(xlabel="heat from the cold lead (periods 400 … 1)", ylabel="COP / Carnot", xlim=(1e-3, 1), ylim=(0, 1))
    right.legend(fontsize=7)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    draw(Path(__file__).parents[1] / "docs" / "images" / "gated-refrigerator.png")
