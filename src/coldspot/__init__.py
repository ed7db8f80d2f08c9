"""coldspot: design and analysis of nanoscale heat pumps, refrigerators and engines.

Importing coldspot switches JAX to 64-bit floats (`jax_enable_x64`).
"""

from . import interrupts as _interrupts

# Before anything that takes time: the program `coldspot` can be interrupted from its first moment.
if _interrupts.is_program():
    _interrupts.watch()

import jax as _jax

_jax.config.update("jax_enable_x64", True)

from . import figures, machines, modes, occupation, regimes, spectral
from ._checks import InputError, Rule, parameter
from ._version import __version__ as __version__
from .baths import Bath, BosonBath, ElectronBath, HeatBath, ParticleBath
from .conductor.device import Device, Levels
from .conductor.junction import PairJunction
from .conductor.spectra import pair_spectra
from .drives import Cosine, Drive, Fourier, Samples
from .dynamics import Dynamics, Machine, steady_state
from .jump.channels import Channel, Share
from .jump.evolution import Evolution, evolve
from .jump.kinetics import Arrhenius, Bosonic, Explicit, Glauber, Kinetics, Step, Tunnelling
from .jump.network import JumpNetwork
from .ledger import Ledger, Named
from .modes.coupled import CoupledModes, flat_band
from .modes.exceptional import branches, exceptional_points
from .occupation import bose, bose_difference, fermi, fermi_difference, fermi_product, log_bose, log_fermi
from .oscillators.network import OscillatorNetwork, chain_springs
from .phase_space.barrier import Barrier
from .solution import Modes, Solution, SolveError, Status
from .spectral import Ohmic
from .sweep import sweep
from .trajectories import Trajectories, trajectories

__all__ = [
    "Arrhenius",
    "Barrier",
    "Bath",
    "BosonBath",
    "Bosonic",
    "Channel",
    "Cosine",
    "CoupledModes",
    "Device",
    "Drive",
    "Dynamics",
    "ElectronBath",
    "Evolution",
    "Explicit",
    "Fourier",
    "Glauber",
    "HeatBath",
    "InputError",
    "JumpNetwork",
    "Kinetics",
    "Ledger",
    "Levels",
    "Machine",
    "Modes",
    "Named",
    "Ohmic",
    "OscillatorNetwork",
    "PairJunction",
    "ParticleBath",
    "Rule",
    "Samples",
    "Share",
    "Solution",
    "SolveError",
    "Status",
    "Step",
    "Trajectories",
    "Tunnelling",
    "bose",
    "bose_difference",
    "branches",
    "chain_springs",
    "evolve",
    "exceptional_points",
    "fermi",
    "fermi_difference",
    "fermi_product",
    "figures",
    "flat_band",
    "log_bose",
    "log_fermi",
    "machines",
    "modes",
    "occupation",
    "pair_spectra",
    "parameter",
    "regimes",
    "spectral",
    "steady_state",
    "sweep",
    "trajectories",
]
