"""Meshes of the period that resolve what drives a network."""

import jax.numpy as jnp

from ..numerics.mesh import Mesh, uniform
from .system import System

FEWEST = 2
"""Elements of a period in which nothing is sharp."""


def mesh_of(system: System) -> Mesh:
    points = system.period.shape[0]  # type: ignore[union-attr]
    return uniform(jnp.full(points, FEWEST), FEWEST)
