"""Ready-made machines; a new one is a file here and an entry in `ALL`."""

from .kramers_barrier import KramersBarrier
from .quantum_dot import QuantumDot
from .spin_pair import SpinPair

ALL = (QuantumDot, SpinPair, KramersBarrier)
BY_NAME = {machine.name: machine for machine in ALL}
