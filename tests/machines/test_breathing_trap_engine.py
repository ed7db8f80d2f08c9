"""The breathing trap: its closed form against the equation of the variance, and where its power is largest."""

import numpy as np
import pytest
from numpy.polynomial import Chebyshev
from scipy.integrate import solve_ivp
from scipy.optimize import minimize

import coldspot as cs
from coldspot.machines.breathing_trap_engine import BEST, BreathingTrapEngine


def integrated(engine):
    """Heats and work per time: ẇ = −2λw/γ + 2T/γ, heat ½λẇ, and ½Δλ w where λ jumps; the stiffness is the machine's."""
    stiffness = engine.dynamics().drives["trap"]
    gamma, times = float(engine.friction), np.array([float(engine.hot_time), float(engine.cold_time)])
    cycle, w = times.sum(), float(engine.narrow)
    heats, work, start, last = [], 0.0, 0.0, None
    for time, temperature in zip(times, (engine.hot.temperature, engine.cold.temperature), strict=True):
        # Inside the stroke: at its ends the stiffness jumps.
        edge = 1e-9 * cycle
        inside = [start + edge, start + time - edge]
        spring = Chebyshev.interpolate(lambda t: np.asarray(stiffness(2 * np.pi * t / cycle)), 40, inside)

        def slope(t, y, temperature=float(temperature), spring=spring):
            k = spring(t)
            rate = 2 * (temperature - k * y[0]) / gamma
            return [rate, k * rate / 2]

        first, end = spring(np.array(inside))
        work += 0.0 if last is None else (first - last) * w / 2
        found = solve_ivp(slope, inside, [w, 0.0], method="DOP853", rtol=1e-11, atol=1e-13)
        after, heat = found.y[:, -1]
        work += end * after / 2 - first * w / 2 - heat
        w, last, start = after, end, start + time
        heats.append(heat)
    opening = float(stiffness(2 * np.pi * edge / cycle))
    work += (opening - last) * w / 2
    return np.array(heats) / cycle, work / cycle, w


@pytest.mark.parametrize(
    "engine",
    [
        BreathingTrapEngine(),
        BreathingTrapEngine(narrow=2.0, wide=0.7, hot_time=30.0, cold_time=9.0, friction=0.4, hot=cs.HeatBath(1.1)),
    ],
)
def test_against_the_equation_of_the_variance(engine):
    s = cs.steady_state(engine)
    heats, work, variance = integrated(engine)
    assert variance == pytest.approx(float(engine.narrow), rel=1e-7)  # periodic
    size = np.max(np.abs(heats))
    assert np.max(np.abs(s.heat.array - heats)) < 1e-7 * size
    assert abs(float(s.work["trap"]) - work) < 1e-7 * size
    assert s.regime == ("engine" if engine.wide > engine.narrow else "refrigerator")


def test_largest_power():
    """A search over both durations finds the default, and 2η/(4−η)."""
    found = minimize(
        lambda t: -float(cs.steady_state(BreathingTrapEngine(hot_time=t[0], cold_time=t[1])).power),
        [1.5, 3.0],
        method="Nelder-Mead",
        options={"xatol": 1e-5, "fatol": 1e-13},
    )
    assert np.max(np.abs(found.x - BEST)) < 1e-3
    best = cs.steady_state(BreathingTrapEngine())
    assert float(best.efficiency) == pytest.approx(1 / 3.5, abs=1e-9)
    # Entropy: only what the strokes lose.
    loss = (np.sqrt(2) - 1) ** 2 / BEST
    assert float(best.entropy_production) == pytest.approx(loss * (1 / 2 + 1) / (2 * BEST), rel=1e-12)
