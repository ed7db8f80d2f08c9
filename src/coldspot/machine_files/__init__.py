"""Machines, networks and results as files: `coldspot.save` and `coldspot.load`."""
