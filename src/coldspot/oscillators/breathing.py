"""An overdamped particle in a trap that breathes between two temperatures: a heat engine in closed form."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from .._checks import Scalar, parameter
from ..baths import HeatBath
from ..drives import Drive
from ..dynamics import Dynamics, Outcome, Rates
from ..numerics.dense import EPS
from ..pytrees import Table


class Stiffness(Drive):
    """λ(θ) of a trap in which √⟨x²⟩ changes evenly in time: from √w_a to √w_b while hot, back while cold.

    λ = T/w − γ ẇ/2w in each stroke, and sudden changes between them.
    """

    start: Scalar = parameter(positive=True)
    stop: Scalar = parameter(positive=True)
    friction: Scalar = parameter(positive=True)
    hot_time: Scalar = parameter(positive=True)
    cold_time: Scalar = parameter(positive=True)
    hot_temperature: Scalar = parameter(positive=True)
    cold_temperature: Scalar = parameter(positive=True)

    def __call__(self, phase: Any) -> Array:
        share = jnp.mod(phase, 2 * jnp.pi) / (2 * jnp.pi)
        time = share * (self.hot_time + self.cold_time)
        narrow, wide = jnp.sqrt(self.start), jnp.sqrt(self.stop)
        hot = time < self.hot_time
        speed = (wide - narrow) * jnp.where(hot, 1 / self.hot_time, -1 / self.cold_time)
        width = jnp.where(hot, narrow + speed * time, wide + speed * (time - self.hot_time))
        temperature = jnp.where(hot, self.hot_temperature, self.cold_temperature)
        return temperature / width**2 - self.friction * speed / width

    def borders(self) -> Array:
        return (self.hot_time / (self.hot_time + self.cold_time))[None]


class BreathingTrap(Dynamics):
    """γẋ = −λ(t)x + η, ⟨η(t)η(t′)⟩ = 2γT(t)δ(t−t′): hot for `hot_time`, then cold for `cold_time`, and again.

    While hot the variance w = ⟨x²⟩ goes from `start` to `stop`, while cold back, by the stiffness λ that loses least
    work: √w changes evenly in time. Temperature and stiffness change suddenly between the strokes. With
    S = ½ ln(w_b/w_a) and A = γ(√w_b−√w_a)²,

        Q_hot = T_h S − A/t_h,   Q_cold = −T_c S − A/t_c,   W = −(T_h−T_c) S + A(1/t_h+1/t_c)   per cycle

    ("Efficiency at maximum power: an analytically solvable model for stochastic heat engines", Schmiedl and Seifert).
    Power is largest at t_h = t_c = 4A/((T_h−T_c)S), where the efficiency is 2η/(4−η) with Carnot's η. The kinetic
    energy, which changes with the temperature at once, is not counted, as in any overdamped limit. Rates are per time;
    the drive is `trap`. With `stop` below `start` it is a refrigerator, if slow enough.
    """

    hot: HeatBath
    cold: HeatBath
    start: Scalar = parameter(positive=True)
    stop: Scalar = parameter(positive=True)
    friction: Scalar = parameter(positive=True)
    hot_time: Scalar = parameter(dimension="time", positive=True)
    cold_time: Scalar = parameter(dimension="time", positive=True)

    @property
    def baths(self) -> Table:
        return Table({"hot": self.hot, "cold": self.cold})

    @property
    def drives(self) -> Table:
        times = self.friction, self.hot_time, self.cold_time
        return Table({"trap": Stiffness(self.start, self.stop, *times, self.hot.temperature, self.cold.temperature)})

    @property
    def entropy(self) -> Array:
        """S = ½ ln(w_b/w_a), which the particle takes up while hot."""
        return jnp.log(self.stop / self.start) / 2

    @property
    def loss(self) -> Array:
        """A: a stroke of duration t loses the work A/t."""
        return self.friction * (jnp.sqrt(self.stop) - jnp.sqrt(self.start)) ** 2

    def solve(self, tolerance: Array) -> Outcome:
        del tolerance  # closed forms: exact up to rounding
        cycle = self.hot_time + self.cold_time
        reversible = jnp.stack([self.hot.temperature, -self.cold.temperature], axis=-1) * self.entropy[..., None]
        lost = self.loss[..., None] / jnp.stack([self.hot_time, self.cold_time], axis=-1)
        heats = (reversible - lost) / cycle[..., None]
        works = -jnp.sum(heats, axis=-1, keepdims=True)
        # The logarithm and the difference of roots lose digits where both variances are nearly the same.
        gross = self.hot.temperature + self.cold.temperature + jnp.sqrt(self.loss * self.friction * self.stop)
        rounding = 8 * EPS * (jnp.abs(reversible).sum(-1) + lost.sum(-1) + 4 * gross)[..., None] / cycle[..., None]
        return Outcome(
            Rates(heats, None, works), Rates(rounding * jnp.ones_like(heats), None, 2 * rounding * jnp.ones_like(works))
        )
