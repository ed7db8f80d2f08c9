"""A particle pushed over a parabolic barrier, which cools the bath uphill: Kramers' problem in closed form."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from .._checks import Scalar, parameter
from ..baths import HeatBath, ParticleBath
from ..dynamics import Dynamics, Outcome, Rates
from ..numerics.dense import EPS
from ..numerics.error_functions import erfcx, log_mixture, log_scaled_mixture, logit
from ..pytrees import Table
from ..solution import Status

TINY = 1e-290
"""Rates below this lose their digits to underflow."""
NEWTON_STEPS = 6
WEAK = 10.0
"""Friction is weak where a particle loses less than this many T on its way through a well and back (`Barrier.loss`):

particles above the top are so much fewer than in equilibrium that the flux is 5 % smaller than Kramers', by the factor
Υ²(δ)/Υ(2δ) with Υ(δ) = exp ∫ ln(1−e^{−δ(y²+¼)})/(y²+¼) dy/2π of Mel'nikov and Meshkov for two equal wells ("Theory of
activated rate processes: exact solution of the Kramers problem")."""
BATHS = ("cold", "hot", "left", "right")


class Barrier(Dynamics):
    """A particle in a bath crosses the parabolic barrier V = −½mω²x², driven by a difference of population:

    ∂_tP = −v ∂_xP + (V′/m) ∂_vP + γ ∂_v(vP + (T/m) ∂_vP). Here γ is a rate (the friction force is −mγv).

    - `friction` γ, `frequency` ω, `mass` m, `temperature` T, `height` E_B of the barrier;
    - `population` λ: share of the particles in the left well; right 1−λ. ½ is equilibrium, 1 an empty right well.

    Kramers' stationary solution is P = λP_LR + (1−λ)P_RL with P_LR = 2P_eq Φ(√(2c)(v−ax)) and P_RL = 2P_eq − P_LR,
    where P_eq = P_B exp(−mv²/2T + mω²x²/2T), a = γ/2 + √(γ²/4+ω²), c = mω²/(2γTa). It needs a high barrier, E_B ≫ T.
    The formulas use ξ = ωx√(m/2T) and κ = ω/a = √((a−γ)/a), the share of transition-state theory that
    friction leaves; a−γ is written ω²/a, which keeps its digits at any friction.

    **Normalisation.** One particle in all, in two wells that are as curved as the barrier:
    P_B = (mω/4πT)e^{−E_B/T}. Then J = (2λ−1)k with Kramers' rate k = κ(ω/2π)e^{−E_B/T}. COP, effective temperature and
    energy per particle do not depend on it; for N particles in wells of frequency ω₀, multiply rates by Nω₀/ω.

    **Ledger.** `left`, `right`: particle reservoirs at ±Δμ/2, Δμ = T ln(λ/(1−λ)), whose carriers bring no energy, so
    that each receives the heat JΔμ/2. `cold`, `hot`: the bath at −x_B < x < 0 and at 0 < x < x_B, mω²x_B²/2 = E_B;
    these are labels, all temperatures are T. heat[cold] = −heat[hot] = J E_B γ/a. Then work_in = ΔμJ, σ = ΔμJ/T, and
    COP = (γ/a)(E_B/T)/ln(λ/(1−λ)). For λ < ½ the flux and both heats turn round. At λ = ½ all rates are exactly zero
    and there is no COP; at λ = 0 and 1 Δμ is infinite, and the status is `INVALID` (the profiles remain).
    The division into a cold and a hot segment, and the cut at x_B, are heuristic.

    **Validity.** E_B ≫ T, and a friction that is strong enough to replace the fast particles that leave: the `loss` δ
    must be large. The flag `weak friction` stands where it is below `WEAK`; the true flux is smaller there (by a third
    at δ = 3, and ∝ γ as γ → 0), and heat and work with it.

    `observables`: `transmission` κ; `lowest temperature`, the smallest effective one, at `coldest position`.

    Source: Kramers' solution of the barrier problem; heat, work and COP by eqs. 11–22 of the paper that `coldspot
    reproduce kramers-cooling` computes again.

    >>> import coldspot as cs
    >>> barrier = Barrier(friction=1, frequency=1, mass=1, temperature=1, population=0.75, height=10)
    >>> s = cs.steady_state(barrier)
    >>> s.regime, f"{float(s.cop):.9f}"
    ('heat pump', '5.625587799')
    """

    friction: Scalar = parameter(dimension="rate", positive=True)
    frequency: Scalar = parameter(dimension="rate", positive=True)
    mass: Scalar = parameter(positive=True)
    temperature: Scalar = parameter(dimension="temperature", positive=True)
    population: Scalar = parameter(minimum=0.0, maximum=1.0)
    height: Scalar = parameter(dimension="energy", positive=True)

    @property
    def baths(self) -> Table:
        half = self.chemical_potential_difference / 2
        heat = HeatBath(self.temperature)
        reservoirs = (ParticleBath(self.temperature, half), ParticleBath(self.temperature, -half))
        return Table(dict(zip(BATHS, (heat, heat, *reservoirs), strict=True)))

    @property
    def drives(self) -> Table:
        return Table({})

    # ------------------------------------------------------------------ numbers
    @property
    def growth_rate(self) -> Array:
        """a = γ/2 + √(γ²/4+ω²): e^{(a−γ)t} is how a particle at rest beside the top falls."""
        half = self.friction / 2
        return half + jnp.sqrt(half**2 + self.frequency**2)

    @property
    def transmission(self) -> Array:
        """κ = ω/a, from 1 without friction to ω/γ at large friction."""
        return self.frequency / self.growth_rate

    @property
    def excess(self) -> Array:
        """2λ−1, from −1 to 1; zero in equilibrium."""
        return 2 * self.population - 1

    @property
    def log_density_at_top(self) -> Array:
        """ln P_B, the equilibrium density in phase space at x = 0, v = 0."""
        return jnp.log(self.mass * self.frequency / (4 * math.pi * self.temperature)) - self.height / self.temperature

    @property
    def edge(self) -> Array:
        """x_B, where the barrier is E_B below its top."""
        return jnp.sqrt(2 * self.height / self.mass) / self.frequency

    @property
    def current(self) -> Array:
        """J = 2(2λ−1)P_B(T/m)κ, the particles that cross to the right per time."""
        rate = self.frequency / (2 * math.pi) * jnp.exp(-self.height / self.temperature)
        return self.excess * self.transmission * rate

    @property
    def loss(self) -> Array:
        """δ = γI/T, the energy (in T) that a particle at the top loses on its way through a well and back.

        The action I = (4+π)E_B/ω is that of wells as curved as the barrier: between top and bottom a cosine, beyond the
        bottom a parabola.
        """
        return self.friction * (4 + math.pi) * self.height / (self.frequency * self.temperature)

    @property
    def chemical_potential_difference(self) -> Array:
        """Δμ = μ_L−μ_R = T ln(λ/(1−λ)), without cancellation beside λ = ½."""
        return self.temperature * logit(self.population)

    @property
    def heat(self) -> Array:
        """Q = J E_B γ/a, absorbed between −x_B and the top (and given back between the top and x_B)."""
        return self.current * self.height * self.friction / self.growth_rate

    @property
    def work(self) -> Array:
        """W = ΔμJ, the least work that keeps the populations as they are."""
        return self.chemical_potential_difference * self.current

    # ------------------------------------------------------------------ profiles
    def reduced(self, x: Any) -> Array:
        """ξ = ωx√(m/2T)."""
        return self.frequency * jnp.asarray(x, float) * jnp.sqrt(self.mass / (2 * self.temperature))

    def position(self, reduced: Any) -> Array:
        """x at a given ξ."""
        return jnp.asarray(reduced, float) * jnp.sqrt(2 * self.temperature / self.mass) / self.frequency

    def log_density(self, x: Any) -> Array:
        """ln n(x), n = 2P_B√(2πT/m) e^{ξ²}[λΦ(−√2ξ) + (1−λ)Φ(√2ξ)]: particles per length; independent of γ."""
        width = 0.5 * jnp.log(2 * math.pi * self.temperature / self.mass)
        return self.log_density_at_top + width + log_scaled_mixture(self.reduced(x), self.population)

    def log_distribution(self, x: Any, v: Any) -> Array:
        """ln P(x, v); P_LR and P_RL are those of `population` 1 and 0."""
        a = self.growth_rate
        # √(2c)(v−ax)
        z = self.frequency * jnp.sqrt(self.mass / (self.friction * self.temperature * a)) * (v - a * jnp.asarray(x))
        boltzmann = self.reduced(x) ** 2 - self.mass * jnp.asarray(v) ** 2 / (2 * self.temperature)
        return self.log_density_at_top + math.log(2) + boltzmann + log_mixture(z, self.population)

    def energy_exchange(self, x: Any) -> Array:
        """e(x) = −2(2λ−1)γT P_B κ(a−γ)x: energy that the particles absorb from the bath per length and time.

        Positive uphill. Linear in x, since the density grows without bound: hence the cut at x_B.
        """
        slope = 2 * self.excess * self.friction * self.temperature * self.transmission**2 * self.frequency
        return -slope * jnp.exp(self.log_density_at_top) * jnp.asarray(x, float)

    def energy_per_particle(self, x: Any) -> Array:
        """e(x)/n(x) = γ(T − T_eff(x)): energy absorbed per particle and time; largest where it is coldest."""
        return self.friction * self.temperature * self._deficit(self.reduced(x))

    def effective_temperature(self, x: Any) -> Array:
        """T_eff(x) = m⟨v²⟩ (the drift is not subtracted): below T uphill, above T downhill."""
        return self.temperature * (1 - self._deficit(self.reduced(x)))

    def coldest_position(self) -> Array:
        """Where T_eff is lowest (and e/n largest), on the uphill side; its ξ does not depend on γ.

        ξ = −0.593916 at λ = 1, and tends to −1/√2 at λ = ½, where T_eff is T everywhere.
        """
        return self.position(self._coldest())

    def _deficit(self, xi: Array) -> Array:
        """1−T_eff/T = −(2/√π)(2λ−1)κ²ξ/w."""
        scale = 2 / math.sqrt(math.pi) * self.excess * self.transmission**2
        return -scale * xi * jnp.exp(-log_scaled_mixture(xi, self.population))

    def _coldest(self) -> Array:
        """ξ/w is stationary where (1−2ξ²)w = −(2/√π)(2λ−1)ξ; Newton's steps for y = |ξ| on the uphill side."""
        y = _stationary(jnp.abs(self.excess))
        return jnp.where(self.excess < 0, y, -y)

    # ------------------------------------------------------------------ the ledger
    def solve(self, tolerance: Array) -> Outcome:
        del tolerance  # closed forms: exact up to rounding
        zero = jnp.zeros_like(self.friction)
        current, heat = self.current, self.heat
        work = self.chemical_potential_difference / 2 * current
        # What is not zero must be a normal number: e^{−E_B/T} underflows beyond E_B ≈ 700 T.
        sizes = jnp.abs(jnp.stack([current, heat, work]))
        finite = jnp.all(jnp.isfinite(sizes) & (sizes < 1 / TINY), axis=0)
        finite &= jnp.all(sizes > TINY, axis=0) | (self.excess == 0)
        heats = jnp.stack([heat, -heat, -work, -work], axis=-1)
        particles = jnp.stack([zero, zero, current, -current], axis=-1)
        # A rounded exponent E_B/T costs E_B/T rounding units; the other factors, a dozen.
        rounding = EPS * (16 + self.height / self.temperature)[..., None]
        coldest = self._coldest()
        return Outcome(
            Rates(heats, particles),
            Rates(rounding * jnp.abs(heats), rounding * jnp.abs(particles)),
            faults={
                Status.INVALID: ~((self.population > 0) & (self.population < 1)),
                Status.NOT_FINITE: ~finite,
            },
            observables={
                "transmission": self.transmission,
                "lowest temperature": self.temperature * (1 - self._deficit(coldest)),
                "coldest position": self.position(coldest),
            },
            flags={"weak friction": self.loss < WEAK},
        )

    def explain(self, status: Status) -> str:
        if status == Status.INVALID and bool((self.population <= 0) | (self.population >= 1)):
            return "`population` is 0 or 1, where the difference of the chemical potentials is infinite."
        if status == Status.NOT_FINITE:
            ratio = float(self.height / self.temperature)
            return (
                f"the barrier is {ratio:g} times the temperature, and rates of the order of exp(−{ratio:g}) underflow."
            )
        return ""


@jax.jit
def _stationary(excess: Array) -> Array:
    """The |ξ| at which ξ/w is stationary."""
    slope = 2 / math.sqrt(math.pi) * excess

    def step(_: Any, y: Array) -> Array:
        w = (1 + excess) * jnp.exp(y**2) - excess * erfcx(y)
        value = (1 - 2 * y**2) * w - slope * y
        derivative = -4 * y * w + (1 - 2 * y**2) * (2 * y * w + slope) - slope
        return y - value / derivative

    return jax.lax.fori_loop(0, NEWTON_STEPS, step, jnp.full_like(slope, 0.65))
