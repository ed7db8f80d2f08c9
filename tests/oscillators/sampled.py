"""Small networks whose trajectories are sampled, and second routes: closed forms and SciPy's Lyapunov solvers."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy import linalg

import coldspot as cs
from coldspot._checks import as_float
from coldspot.oscillators import integrator as scheme

OMEGA = 2 * math.pi / 3


def pair(
    potential=None, *, temperatures=(1.0, 0.5), amplitude=1.0, phase=0.3, frictions=(1.0, 1.0), springs=(2.0, 3.0)
):
    """The paper's pair of oscillators; without driving if the amplitude is None."""
    k, c = springs
    drives = {}
    if amplitude is not None:
        drives = {
            "forces": {"left": (0, cs.Cosine(amplitude)), "right": (1, cs.Cosine(amplitude, phase))},
            "frequency": OMEGA,
        }
    return cs.OscillatorNetwork(
        masses=[1.0, 1.0],
        springs=[[k + c, -c], [-c, k + c]],
        frictions=frictions,
        baths={"left": cs.HeatBath(temperatures[0]), "right": cs.HeatBath(temperatures[1])},
        sites={"left": 0, "right": 1},
        potential=potential,
        **drives,
    )


def single(temperature=1.0, spring=1.0, friction=0.5, **shape):
    return cs.OscillatorNetwork(
        masses=[1.0],
        springs=as_float(spring)[None, None],
        frictions=as_float(friction)[None],
        baths={"bath": cs.HeatBath(temperature)},
        sites={"bath": 0},
        potential=Shape(**{name: as_float(value) for name, value in shape.items()}),
    )


class Shape(eqx.Module):
    """Potentials of one coordinate, all in one, so that they are compiled once."""

    quartic: jax.Array = eqx.field(default_factory=lambda: jnp.zeros(()))
    downhill: jax.Array = eqx.field(default_factory=lambda: jnp.zeros(()))
    edge: jax.Array = eqx.field(default_factory=lambda: jnp.zeros(()))
    trap: jax.Array = eqx.field(default_factory=lambda: jnp.zeros(()))
    pole: jax.Array = eqx.field(default_factory=lambda: jnp.zeros(()))

    def __call__(self, x):
        (x,) = x
        # The logarithm ends at 2, its slope does not; the trap lies behind a barrier of some 4 temperatures.
        edge = self.edge * jnp.log(jnp.where(self.edge != 0, 2.0 - x, 1.0))
        edge = edge + self.pole / jnp.where(self.pole != 0, x**2, 1.0)
        return self.quartic * x**4 / 4 - self.downhill * x**3 / 3 + edge - self.trap * jax.nn.sigmoid(4 * (x - 4))


class Quartic(eqx.Module):
    strength: jax.Array

    def __call__(self, x):
        return self.strength * (jnp.sum(x**4) + jnp.sum((x[1:] - x[:-1]) ** 4)) / 4


def closed_form(temperatures, phase):
    """Heats and works of the pair with k=2, k_c=3, m=γ=f_0=1 (the paper's eq. 7), and ⟨x²⟩, ⟨v²⟩ by SciPy."""
    z = 5 - OMEGA**2 - 1j * OMEGA
    a, b, d = z / (z**2 - 9), 3 / (z**2 - 9), 6 * OMEGA**2 / abs(z**2 - 9) ** 2
    c = 9 * (temperatures[0] - temperatures[1]) / (2 * (9 + 5))
    sides = np.array([1.0, -1.0])
    heats = -OMEGA / 2 * (a.imag + b.imag * math.cos(phase) + sides * d * math.sin(phase)) + sides * c
    works = OMEGA / 2 * (a.imag + b.imag * math.cos(phase) - sides * b.real * math.sin(phase))
    springs, one, zero = np.array([[5.0, -3], [-3, 5]]), np.eye(2), np.zeros((2, 2))
    drift = np.block([[zero, one], [-springs, -one]])
    covariance = linalg.solve_continuous_lyapunov(drift, -np.diag([0, 0, *(2 * np.array(temperatures))]))
    wave = np.linalg.solve(springs - OMEGA**2 * one - 1j * OMEGA * one, [1, np.exp(-1j * phase)])
    moved = np.diag(covariance) + np.concatenate([abs(wave) ** 2, OMEGA**2 * abs(wave) ** 2]) / 2
    return np.concatenate([heats, works, moved])


def by_hand(network, step):
    """The scheme's averages from the textbook order of BAOAB, with SciPy: half kick, half drift, bath, and back."""
    n, m = network.size, np.asarray(network.masses)
    h, one, zero = step, np.eye(n), np.zeros((n, n))
    c = np.exp(-np.asarray(network.frictions) * h / m)
    temperature = np.array([b.temperature for b in network.baths.values()])[list(network.bath_of)]
    kick = np.block([[one, zero], [-h / 2 * np.asarray(network.springs) / m[:, None], one]])
    drift = np.block([[one, h / 2 * one], [zero, one]])
    bath = np.diag([*np.ones(n), *c])
    strength = temperature / m * (1 - c**2)
    matrix = kick @ drift @ bath @ drift @ kick
    bring = kick @ drift
    covariance = linalg.solve_discrete_lyapunov(matrix, bring @ np.diag([*np.zeros(n), *strength]) @ bring.T)
    force = np.zeros(n, complex)
    for i, d in zip(network.targets, network.drives.values(), strict=True):
        force[i] += complex(d.amplitude) * np.exp(1j * float(d.phase))
    push = np.concatenate([np.zeros(n), h / 2 * force / m])
    turn = np.exp(1j * float(network.frequency) * h)
    wave = np.linalg.solve(turn * np.eye(2 * n) - matrix, kick @ drift @ bath @ drift @ push + turn * push)
    # Before the bath's part; and what comes out of it.
    before = drift @ kick
    u2 = np.diag(before @ covariance @ before.T)[n:] + abs((before @ wave + drift @ push)[n:]) ** 2 / 2
    w2 = c**2 * u2 + strength
    speed = wave[n:]  # the textbook's velocity stands between the two half kicks
    works = [
        (np.conj(complex(d.amplitude) * np.exp(1j * float(d.phase))) * speed[i]).real / 2
        for i, d in zip(network.targets, network.drives.values(), strict=True)
    ]
    squares = np.diag(covariance)[:n] + abs(wave[:n]) ** 2 / 2
    return np.concatenate([m / 2 * (w2 - u2) / h, works, squares, (u2 + w2) / 2])


@eqx.filter_jit
def longest(network):
    return scheme.longest_step(network.masses, network.springs)


def flat(found):
    return np.concatenate([found.heats, found.works, found.squares, found.speeds])


def exact(network, step):
    return _exact(network, jnp.asarray(step))


_exact = eqx.filter_jit(lambda network, step: scheme.exact(network.system(), step))


def chain():
    """Three masses; the one in the middle has no bath."""
    return cs.OscillatorNetwork(
        masses=[1.0, 0.5, 2.0],
        springs=cs.oscillators.chain_springs(3, 1.5, 0.7),
        frictions=[0.4, 0.0, 1.3],
        baths={"cold": cs.HeatBath(0.3), "hot": cs.HeatBath(1.1)},
        sites={"cold": 0, "hot": 2},
        forces={"push": (1, cs.Cosine(0.8, 0.5, mean=0.6)), "pull": (2, cs.Cosine(-0.4))},
        frequency=0.9,
    )


def random_pairs(count):
    u = np.random.default_rng(5).uniform
    for _ in range(count):
        yield pair(
            temperatures=10 ** u(-1, 1, 2),
            amplitude=10 ** u(-1, 1),
            phase=u(0, 6),
            frictions=10 ** u(-1.5, 1, 2),
            springs=10 ** u(-1, 1, 2),
        )


def truth_of(network, step):
    """The scheme's averages in the order of a Trajectories' ledger: heats per bath, works, ⟨x²⟩, ⟨v²⟩."""
    found = exact(network, step)
    heats = network.system().members @ np.asarray(found.heats)
    return np.concatenate([heats, found.works, found.squares, found.speeds])


def averages(t):
    s = t.solution
    means = np.concatenate([s.heat.array, s.work.array, s.observables.array])
    return means, np.concatenate([s.error.heats, s.error.works, s.observable_errors.array])


Pair = cs.machines.NonlinearOscillatorPair


OFF = {"amplitude": 0.0}


def within(found, truth, error, many=3.0):
    z = (np.asarray(found) - np.asarray(truth)) / np.asarray(error)
    assert np.all(np.abs(z) < many), z


def runs(network, **options):
    return cs.trajectories(network, jax.random.key(1), **({"n": 64, "time": 40.0} | options))
