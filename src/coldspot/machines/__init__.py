"""Ready-made machines; a new one is a file here and an entry in `ALL`."""

from .._attributes import told as _told
from .absorption_refrigerator import AbsorptionRefrigerator
from .boson_junction import BosonJunction
from .breathing_trap_engine import BreathingTrapEngine
from .brownian_gyrator import BrownianGyrator
from .buttiker_landauer_ring import ButtikerLandauerRing
from .coulomb_coupled_dots import CoulombCoupledDots
from .double_dot import DoubleDot
from .ising_chain import IsingChain
from .kramers_barrier import KramersBarrier
from .kramers_cooler import KramersCooler
from .molecular_junction import MolecularJunction
from .molecular_motor import MolecularMotor
from .nonlinear_oscillator_pair import NonlinearOscillatorPair
from .oscillator_pair import OscillatorPair
from .otto_engine import OttoEngine
from .parametric_pump import ParametricPump
from .photon_cooler import PhotonCooler
from .quantum_dot import QuantumDot
from .resonant_thermoelectric import ResonantThermoelectric
from .spin_pair import SpinPair
from .three_level_maser import ThreeLevelMaser
from .two_level_pump import TwoLevelPump
from .two_mode_junction import TwoModeJunction

ALL = (
    QuantumDot,
    SpinPair,
    OscillatorPair,
    NonlinearOscillatorPair,
    KramersBarrier,
    BosonJunction,
    TwoModeJunction,
    OttoEngine,
    ThreeLevelMaser,
    AbsorptionRefrigerator,
    MolecularMotor,
    ResonantThermoelectric,
    KramersCooler,
    ButtikerLandauerRing,
    ParametricPump,
    BrownianGyrator,
    IsingChain,
    TwoLevelPump,
    DoubleDot,
    CoulombCoupledDots,
    BreathingTrapEngine,
    PhotonCooler,
    MolecularJunction,
)
BY_NAME = {machine.name: machine for machine in ALL}


def __dir__() -> list[str]:
    return [*(machine.__name__ for machine in ALL), "ALL", "BY_NAME"]


__getattr__ = _told("coldspot.machines", __dir__())
