"""coldspot: design and analysis of nanoscale heat pumps, refrigerators and engines.

Importing coldspot switches JAX to 64-bit floats (`jax_enable_x64`).
"""

import jax as _jax

_jax.config.update("jax_enable_x64", True)

from . import machines, regimes  # noqa: E402
from ._checks import InputError  # noqa: E402
from .baths import (  # noqa: E402
    Bath,
    BosonBath,
    ElectronBath,
    HeatBath,
)
from .drives import Cosine, Drive, Fourier, Samples  # noqa: E402
from .dynamics import Dynamics, Machine, steady_state  # noqa: E402
from .jump.kinetics import Arrhenius, Bosonic, Explicit, Glauber, Kinetics, Ohmic, Step, Tunnelling  # noqa: E402
from .jump.transient import Evolution, evolve  # noqa: E402
from .jump.network import Channel, JumpNetwork, Share  # noqa: E402
from .sweep import sweep  # noqa: E402
from .ledger import Ledger, Named, Solution, SolveError, Status  # noqa: E402
