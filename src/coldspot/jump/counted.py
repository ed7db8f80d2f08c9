"""What all jump networks share: every statistic of what is counted."""

import abc

from jax import Array

from ..dynamics import Counted, Target
from .cumulants import count_stationary
from .large import KEPT
from .periodic_cumulants import count_periodic
from .periodic_rates import count_periodic_rate_function
from .periodic_tilted import count_periodic_generating
from .sparse_cumulants import count_large
from .spectrum import count_spectrum
from .system import System
from .tilted import count_generating, count_rate_function
from .uncertainty import count_uncertainties


class CountedSystem(System):
    """A jump network whose heat, particles and work can be counted, in the stationary or the periodic state."""

    @abc.abstractmethod
    def check_counting(self) -> None:
        """Refuse what does not fit into the memory, before it is asked for."""

    def cumulants(self, targets: tuple[Target, ...], order: int, tolerance: Array) -> Counted:
        return self._counted(targets, order, False, tolerance)

    def mixed_cumulants(self, targets: tuple[Target, ...], order: int, tolerance: Array) -> Counted:
        return self._counted(targets, order, True, tolerance)

    def covariances(self, targets: tuple[Target, ...], tolerance: Array) -> Counted:
        return self._counted(targets, 2, True, tolerance)

    def _counted(self, targets: tuple[Target, ...], order: int, mixed: bool, tolerance: Array) -> Counted:
        if len(self.drives):
            return count_periodic(self, targets, order, mixed, tolerance)
        if self.states > KEPT:
            return count_large(self, targets, order, mixed)
        self.check_counting()
        return count_stationary(self, targets, order, mixed)

    def noise_spectra(self, targets: tuple[Target, ...], frequencies: Array, tolerance: Array) -> Counted:
        self.check_counting()
        return count_spectrum(self, targets, frequencies)

    def generating_function(self, targets: tuple[Target, ...], fields: Array, tolerance: Array) -> Counted:
        if len(self.drives):
            return count_periodic_generating(self, targets, fields, tolerance)
        self.check_counting()
        return count_generating(self, targets, fields)

    def rate_function(self, target: Target, currents: Array, tolerance: Array) -> Counted:
        if len(self.drives):
            return count_periodic_rate_function(self, target, currents, tolerance)
        self.check_counting()
        return count_rate_function(self, target, currents)

    def uncertainties(self, targets: tuple[Target, ...], tolerance: Array) -> Counted:
        return count_uncertainties(self, targets, tolerance)
