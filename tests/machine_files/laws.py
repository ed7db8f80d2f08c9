"""Functions and classes at the top of a module, which files can name."""

import equinox as eqx
import jax.numpy as jnp
from jax import Array

import coldspot as cs

OFFSET = 0.25


def energies(values):
    """Two levels, one of which a drive moves."""
    return jnp.stack([0.0 * values["gate"], OFFSET + values["gate"]])


def hot(values):
    return cs.HeatBath(2.0 + 0.1 * values["gate"])


class Ramp(cs.Drive):
    """A class of one's own, with a number of its own."""

    height: Array = cs.parameter(dimension="energy")

    def __call__(self, phase):
        return self.height * jnp.sin(phase)


class Stiff(eqx.Module):
    """A potential whose number is an array without a converter."""

    strength: Array

    def __call__(self, x):
        return self.strength * jnp.sum(x**4)


class Mixed(cs.Machine):
    """A machine of one's own: a list, a drive, a choice."""

    name = "mixed"
    summary = "a machine of one's own"
    levels: Array = cs.parameter((0.0, 1.0, 2.0), dimension="energy", shape=(3,))
    gate: cs.Drive = Ramp(0.5)
    period: Array = cs.parameter(20.0, dimension="time", positive=True)
    forward: bool = eqx.field(static=True, default=True)

    def dynamics(self):
        first = 0 if self.forward else 2
        return cs.JumpNetwork(
            energies=cs.jump.LinearEnergies(self.levels, {"gate": [0.0, 1.0, 0.0]}),
            baths={"hot": cs.HeatBath(2.0), "cold": cs.HeatBath(1.0)},
            channels=[cs.Channel("hot", first, 1, cs.Glauber(0.5)), cs.Channel("cold", 1, 2 - first, cs.Glauber(0.5))],
            drives={"gate": self.gate},
            period=self.period,
        )


def build(level):
    return cs.machines.QuantumDot(level=level)
