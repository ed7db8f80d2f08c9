"""Ready-made machines; a new one is a file here and an entry in `ALL`."""

from .boson_junction import BosonJunction
from .kramers_barrier import KramersBarrier
from .nonlinear_oscillator_pair import NonlinearOscillatorPair
from .oscillator_pair import OscillatorPair
from .quantum_dot import QuantumDot
from .spin_pair import SpinPair
from .two_mode_junction import TwoModeJunction

ALL = (QuantumDot, SpinPair, OscillatorPair, NonlinearOscillatorPair, KramersBarrier, BosonJunction, TwoModeJunction)
BY_NAME = {machine.name: machine for machine in ALL}
