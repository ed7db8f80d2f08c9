"""Hu, Nian and Lü, first version: two modes that a biased conductor brings to an exceptional point.

The paper's matrix is printed for motion e^{+iωt}; coldspot's is its complex conjugate (motion e^{−iωt}). Eigenvalues
are the squares of complex frequencies: the real part is the frequency, the paper's imaginary part the damping.
Energies are in units of Ω, rates in the same (ħ = 1).
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from .. import style
from ..machines import TwoModeJunction
from ..modes.dynamical_matrices import flat_band
from ..modes.exceptional import exceptional_points
from ..reproduction.crossings import crossings, only
from ..reproduction.paper import Figure, Number, Paper, holds, none_of
from ..solution import Status
from ..sweep import sweep

if TYPE_CHECKING:
    import matplotlib.figure
    from xarray import Dataset

POINTS = 1401
OMEGA, DELTA, GAMMA, A, C = 1.0, 0.04, 0.001, 0.05, 0.02
"""Parameters that the caption of Fig. 4 prints (b = 0)."""
EXACT = 1e-9
"""Tolerance of values that follow from eq. 9."""


# --------------------------------------------------------------------------- what eq. 9 gives


def printed(bias: Any) -> Any:
    """Eq. 9 as printed, with b = 0, for a real or complex bias."""
    coupling, shared = bias * A, 1j * C * OMEGA
    upper, lower = (OMEGA + DELTA / 2 + 1j * GAMMA) ** 2, (OMEGA - DELTA / 2 + 1j * GAMMA) ** 2
    return jnp.array([[upper, coupling + shared], [-coupling + shared, lower]])


def coalescence(gamma: float = GAMMA) -> complex:
    """V where the two eigenvalues of eq. 9 are equal: V²a² = δ²(Ω+iγ)² − c²Ω²."""
    return complex(np.sqrt(DELTA**2 * (OMEGA + 1j * gamma) ** 2 - C**2 * OMEGA**2 + 0j)) / A


def onset() -> float:
    """V where the damping of one mode is zero: one eigenvalue of eq. 9 is real."""
    square = DELTA**2 * (OMEGA**2 - GAMMA**2) - C**2 * OMEGA**2 - DELTA**4 / 4 + 4 * GAMMA**2 * OMEGA**2
    return math.sqrt(square) / A


def heat_by_trace(
    frequencies: Any, dissipative: Any, damping: float, electrons: float, phonons: float, rotation: Any = None
) -> float:
    """Eq. 8 for modes of a flat-band conductor without bias: heat per time from electrons at T_e to phonons at T_ph.

    J = ∫dω/2π ω Tr[Λ A_ph](n_B(ω/T_e) − n_B(ω/T_ph)) with Λ = 2ω·dissipative (the sum over the four kinds of pairs),
    A_ph = D^r 2γω D^a and D^r = (ω² − K + iγω)⁻¹, K = Ω² of the modes. `rotation` R is another choice of the modes'
    coordinates: K → RKRᵀ, dissipative → R·dissipative·Rᵀ.
    """
    stiffness, friction = np.diag(np.square(frequencies)).astype(float), np.asarray(dissipative, dtype=float)
    if rotation is not None:
        stiffness, friction = rotation @ stiffness @ rotation.T, rotation @ friction @ rotation.T
    # Panels that shrink towards each resonance, and reach far into the Bose functions' tails.
    reach = 45 * max(electrons, phonons)
    steps = damping * 2.0 ** np.arange(-2, 60)
    borders = np.concatenate([[f - steps, f + steps] for f in frequencies]).ravel()
    borders = np.unique(np.concatenate([[0.0, reach], borders[(borders > 0) & (borders < reach)]]))
    nodes, weights = np.polynomial.legendre.leggauss(16)
    width = np.diff(borders)[:, None] / 2
    omega, weight = (borders[:-1, None] + width * (nodes + 1)).ravel(), (width * weights).ravel()
    one = np.eye(len(stiffness))
    green = np.linalg.inv((omega**2 + 1j * damping * omega)[:, None, None] * one - stiffness)
    spectrum = 2 * damping * omega[:, None, None] * green @ np.conj(np.swapaxes(green, 1, 2))
    trace = np.einsum("ij,kji->k", friction, spectrum).real * 2 * omega
    difference = 1 / np.expm1(omega / electrons) - 1 / np.expm1(omega / phonons)
    return float(np.sum(weight * omega * trace * difference) / (2 * math.pi))


def example() -> Any:
    """Forces on two modes of a conductor of three states (numbers without meaning, all matrices full)."""
    couplings = np.array(
        [
            [[0.2, 0.5, 0.1], [0.5, -0.1, 0.3j], [0.1, -0.3j, 0.4]],
            [[0.1, 0.3j, 0.2], [-0.3j, 0.2, 0.5], [0.2, 0.5, -0.3]],
        ]
    )
    left = np.array([[0.3, 0.1j, 0.0], [-0.1j, 0.2, 0.05], [0.0, 0.05, 0.1]])
    right = np.array([[0.1, 0.05, 0.0], [0.05, 0.1, -0.1j], [0.0, 0.1j, 0.4]])
    return flat_band(couplings, left, right)


def numbers() -> Iterator[Number]:
    yield from _trace()
    found = exceptional_points(lambda x, y: printed(x + 1j * y), (0.0, 1.4), (-0.1, 0.1))
    yield holds("the search over complex V is complete, and finds one point", found.status == Status.OK)
    (x, y) = found.parameters[0] if len(found.parameters) == 1 else (math.nan, math.nan)
    exact = coalescence()
    yield Number("Re V of the exceptional point (independent calculation)", 0.69282, x, 5e-6)
    yield Number("Im V of the exceptional point (independent calculation)", 0.00092, y, 5e-6)
    yield Number("Re V of the exceptional point (zero discriminant of eq. 9)", exact.real, x, EXACT)
    yield Number("Im V of the exceptional point (zero discriminant of eq. 9)", exact.imag, y, EXACT)
    yield Number("overlap of the modes there (coalesce)", 1.0, float(found.overlaps[0]), 1e-7)
    overlap = float(modes(np.array([0.6928])).mode_overlap[0])
    yield Number("overlap of the modes at V = 0.6928 (independent calculation)", 0.9990, overlap, 5e-5)
    value = float(modes(np.array([coalescence(0.0).real]), damping=0.0).mode_overlap[0])
    yield Number("overlap at V = (δ²−c²)^½Ω/a without damping, where it is real (eq. 9)", 1.0, value, 1e-7)


def _trace() -> Iterator[Number]:
    """Eq. 8 with its trace over several modes."""
    band = example()
    both, damping = np.asarray(band.dissipative), 0.02
    angle = 0.7
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    one = heat_by_trace([1.0, 1.3], both, damping, 1.0, 0.6)
    turned = heat_by_trace([1.0, 1.3], both, damping, 1.0, 0.6, rotation)
    yield Number("heat by the trace of eq. 8 in rotated coordinates over that in normal ones", 1.0, turned / one, 1e-12)
    parts = sum(heat_by_trace([w], both[k : k + 1, k : k + 1], damping, 1.0, 0.6) for k, w in enumerate((1.0, 1.3)))
    yield Number("heat by the trace of eq. 8 over the sum of both modes alone", 1.0, one / parts, 1e-12)
    back = heat_by_trace([1.0, 1.3], both, damping, 0.6, 1.0)
    yield Number("heat with T_e and T_ph exchanged over −heat (flat band: reciprocal)", 1.0, -back / one, 1e-12)
    # A narrow mode exchanges at its own frequency: J = Σ_k Ω_k dissipative_kk (n_e − n_ph).
    narrow = heat_by_trace([1.0, 1.3], both, 1e-6, 1.0, 0.6)
    expected = sum(w * both[k, k] * (1 / math.expm1(w) - 1 / math.expm1(w / 0.6)) for k, w in enumerate((1.0, 1.3)))
    yield Number("heat by the trace of eq. 8 over that of narrow modes, damping 10⁻⁶", 1.0, narrow / expected, 1e-5)


# --------------------------------------------------------------------------- figure 4


def compute_4() -> "Dataset":
    parameters = {"detuning": DELTA, "damping": GAMMA, "nonconservative": A, "dissipative": C}
    return modes(np.linspace(0.0, 1.4, POINTS), **parameters)


def modes(bias: np.ndarray, **parameters: Any) -> "Dataset":
    """Frequencies, dampings and overlap over the bias, with meanings and units; other parameters as attributes."""
    data = sweep(TwoModeJunction(**parameters), {"bias": bias}, progress=False)
    data["bias"] = data.bias.assign_attrs(units="E/e", long_name="bias V")
    data["mode"] = ("mode", [1, 2], {"units": "1", "long_name": "mode, in the order of rising frequency"})
    return data.assign_attrs(parameters)


def check_4(data: "Dataset") -> Iterator[Number]:
    fixed = {name: data.attrs[name] for name in ("detuning", "damping", "nonconservative", "dissipative")}

    def largest(bias: np.ndarray) -> np.ndarray:
        """How much the overlap grows about each bias."""
        above, below = (modes(bias + step, **fixed).mode_overlap.values for step in (1e-6, -1e-6))
        return above - below

    near = data.bias.values[(data.bias.values > 0.6) & (data.bias.values < 0.8)]
    peak = only(crossings(largest, near, largest(near), near.size), 0, 1)
    top = float(modes(np.array([peak]), **fixed).mode_overlap[0])
    yield Number("bias of the largest overlap (Re V of the exceptional point)", coalescence().real, peak, 5e-6)
    yield Number("largest overlap (1 in the paper; 0.9990 at real V)", 1.0, top, 1.1e-3)

    def smallest(bias: np.ndarray) -> np.ndarray:
        return modes(bias, **fixed).mode_damping.min("mode").values

    found = crossings(smallest, data.bias.values, data.mode_damping.min("mode").values, POINTS)
    yield Number("bias where one mode starts to grow (a real eigenvalue of eq. 9)", onset(), only(found, 0, 1), EXACT)
    start = float(data.mode_frequency[0, 1] - data.mode_frequency[0, 0])
    squares = np.sqrt(np.linalg.eigvals(np.array(printed(0.0)))).real
    yield Number("distance of the frequencies at V = 0 (eq. 9)", float(np.ptp(squares)), start, 1e-13)
    split = data.mode_frequency.diff("mode").squeeze("mode")
    before = split.where(data.bias < 0.68, drop=True)
    yield none_of("points with V < 0.68 where the frequencies do not approach each other", ~(before.diff("bias") < 0))
    apart = data.mode_damping.max("mode") - data.mode_damping.min("mode")
    beyond = apart.where(data.bias > 0.7, drop=True)
    yield none_of("points with V > 0.70 where the dampings do not move apart", ~(beyond.diff("bias") > 0))
    yield Number("overlap at V = 0 (c/δ, from eq. 9 at small γ)", C / DELTA, float(data.mode_overlap[0]), 2e-3)


def draw_4(data: "Dataset") -> "matplotlib.figure.Figure":
    figure = style.new_figure(5.6, 6.4)
    imaginary, real, overlap = figure.subplots(3, 1, sharex=True)
    place = coalescence().real
    for k, (colour, dash) in enumerate(zip((style.BLUE, style.ORANGE), ("-", style.DASHES[1]), strict=True)):
        look = {"color": colour, "linestyle": dash, "label": f"mode {k + 1}"}
        imaginary.plot(data.bias, data.mode_damping.isel(mode=k), **look)
        real.plot(data.bias, data.mode_frequency.isel(mode=k), **look)
    overlap.plot(data.bias, data.mode_overlap, color=style.GREEN, linestyle="-")
    imaginary.axhline(0.0, color=style.GREY, linewidth=0.7, linestyle="-", zorder=0)
    imaginary.axhspan(-0.034, 0.0, color=style.TINTS["refrigerator"], linewidth=0, zorder=-1)
    imaginary.set_ylim(-0.034, 0.034)
    imaginary.text(0.02, 0.06, "a mode grows", transform=imaginary.transAxes, color=style.GREY, va="bottom")
    imaginary.set_ylabel(r"Im $\omega_k\,/\,\Omega$  (damping)")
    real.set_ylabel(r"Re $\omega_k\,/\,\Omega$")
    overlap.set(ylabel=r"overlap $|\langle u_1|u_2\rangle|$", xlabel=r"bias  $V$", ylim=(0.45, 1.04))
    for axes, letter in ((imaginary, "(a)"), (real, "(b)"), (overlap, "(c)")):
        axes.axvline(place, color=style.GREY, linewidth=0.8, linestyle=":", zorder=0)
        axes.text(0.02, 0.93, letter, transform=axes.transAxes, va="top")
        axes.set_xlim(data.bias[0], data.bias[-1])
    real.set_ylim(0.978, 1.026)
    real.legend(loc="lower right")
    return figure


PAPER = Paper(
    name="exceptional-point",
    title="Nonequilibrium reservoir engineering of a biased coherent conductor for hybrid energy transport",
    authors="Bing-Zhong Hu, Lei-Lei Nian and Jing-Tao Lü",
    summary=(
        "Electrons in a biased conductor act on two vibrations with a force that is no gradient (strength aV) and with "
        "a damping that they share (c). With the bias, the two frequencies approach each other, and the modes nearly "
        "coalesce: an exceptional point, which with damping lies at a slightly complex bias. Beyond it, the dampings "
        "part, and one mode grows. K = [[(Ω+δ/2+iγ)², V(a+ibΩ)+icΩ], [−V(a+ibΩ)+icΩ, (Ω−δ/2+iγ)²]]. This is the first "
        "version of the paper on electron–hole-pair baths; its trace over several modes (eq. 8) is checked on an "
        "example with a flat band."
    ),
    check=numbers,
    figures=(
        Figure(
            "4",
            "Emergence of an exceptional point",
            "(a) Imaginary and (b) real parts of the square roots of the eigenvalues, (c) overlap of the right "
            "eigenvectors, against the bias. Dotted: the real part of the exceptional point. Printed: Ω = 1, δ = 0.04, "
            "γ = 0.001, a = 0.05, b = 0, c = 0.02. Chosen here: the range of V, the panel of the overlap, and the "
            "shading where a mode grows.",
            "The two real parts meet near V = 0.693, where the imaginary parts begin to part and the overlap has a "
            "sharp peak of 0.999.",
            compute_4,
            draw_4,
            check_4,
        ),
    ),
)
