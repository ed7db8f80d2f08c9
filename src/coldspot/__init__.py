"""coldspot: design and analysis of nanoscale heat pumps, refrigerators and engines.

Here is what one types first; the rest is in namespaces: `conductor`, `dynamics`, `figures`, `jump`, `machines`,
`modes`, `occupation`, `oscillators`, `regimes`, `spectral`. Importing coldspot switches JAX to 64-bit floats
(`jax_enable_x64`) and keeps compiled programs in the user's cache folder, unless JAX has been given one.
"""

from . import interrupts as _interrupts

# Before anything that takes time: the program `coldspot` can be interrupted from its first moment.
if _interrupts.is_program():
    _interrupts.watch()

import jax as _jax

_jax.config.update("jax_enable_x64", True)

from . import kept_programs as _kept_programs

_kept_programs.keep()

from functools import lru_cache as _lru_cache
from typing import Any as _Any

from . import conductor, dynamics, figures, jump, machines, modes, occupation, oscillators, regimes, spectral
from ._attributes import unnamed as _unnamed
from ._checks import InputError, parameter
from ._version import __version__ as __version__
from .baths import Bath, BosonBath, ElectronBath, HeatBath, ParticleBath, WorkReservoir
from .conductor.coherent import Conductor
from .conductor.leads import ChainLead, SelfEnergyLead, WideBandLead
from .conductor.mode_populations import mode_populations
from .conductor.transmission import transmission
from .conductor.vibrations import Modes
from .counting import Counting, counting
from .drives import Cosine, Drive, Fourier, Samples, Steps
from .dynamics import Dynamics, Machine, steady_state
from .jump.channels import Channel, Share
from .jump.contacts import Lead
from .jump.dots import Dots
from .jump.evolution import evolve
from .jump.kinetics import Arrhenius, Bosonic, Explicit, Glauber, Kinetics, Tunnelling
from .jump.network import JumpNetwork
from .jump.spin_chain import SpinChain
from .ledger import Ledger
from .machine_files.document import load, save
from .optimisation.front import pareto
from .optimisation.optimum import optimise
from .oscillators.network import OscillatorNetwork
from .phase_space.barrier import Barrier
from .phase_space.boundaries import Closed, Open, Periodic
from .phase_space.escape import escape_rate
from .phase_space.klein_kramers import KleinKramers
from .response import linear_response
from .solution import Solution, SolveError, Status
from .spectral import Ohmic
from .sweep import sweep
from .trajectories import trajectories

__all__ = [
    "Arrhenius",
    "Barrier",
    "Bath",
    "BosonBath",
    "Bosonic",
    "ChainLead",
    "Channel",
    "Closed",
    "Conductor",
    "Cosine",
    "Counting",
    "Dots",
    "Drive",
    "Dynamics",
    "ElectronBath",
    "Explicit",
    "Fourier",
    "Glauber",
    "HeatBath",
    "InputError",
    "JumpNetwork",
    "Kinetics",
    "KleinKramers",
    "Lead",
    "Ledger",
    "Machine",
    "Modes",
    "Ohmic",
    "Open",
    "OscillatorNetwork",
    "ParticleBath",
    "Periodic",
    "Samples",
    "SelfEnergyLead",
    "Share",
    "Solution",
    "SolveError",
    "SpinChain",
    "Status",
    "Steps",
    "Tunnelling",
    "WideBandLead",
    "WorkReservoir",
    "conductor",
    "counting",
    "dynamics",
    "escape_rate",
    "evolve",
    "figures",
    "jump",
    "linear_response",
    "load",
    "machines",
    "mode_populations",
    "modes",
    "optimise",
    "parameter",
    "pareto",
    "save",
    "spectral",
    "steady_state",
    "sweep",
    "trajectories",
    "transmission",
]


def __dir__() -> list[str]:
    spaces = ("conductor", "figures", "jump", "machines", "modes", "occupation", "oscillators", "regimes", "spectral")
    return sorted({*__all__, *spaces, "__doc__", "__version__"})


def __getattr__(name: str) -> _Any:
    """A name that is not here is told where it is, or the nearest one."""
    raise _unnamed(_missing(name), name)


@_lru_cache  # tools that look at modules ask for the same few names again and again
def _missing(name: str) -> str:
    for space in (machines, conductor, jump, modes, occupation, oscillators, spectral, regimes, dynamics, figures):
        if name in (getattr(space, "__all__", None) or dir(space)):
            return f"coldspot has no `{name}` at its root; it is `coldspot.{space.__name__[9:]}.{name}`."
    from ._checks import nearest

    return f"coldspot has no `{name}`.{nearest(name, __all__)}"
