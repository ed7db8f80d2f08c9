"""Best parameters: `coldspot.optimise` and `coldspot.pareto`."""
