"""The printed solution of the Klein–Kramers equation, in multiple precision: the second route."""

import functools

import mpmath as mp

import coldspot as cs

NAMES = ("friction", "frequency", "mass", "temperature", "population", "height")


CASES = (
    (1.0, 1.0, 1.0, 1.0, 1.0, 10.0),
    (0.1, 1.0, 1.0, 1.0, 0.75, 10.0),
    (2.5, 0.7, 3.0, 0.4, 0.35, 5.0),
    (1e-3, 1.3, 0.2, 2.0, 0.9, 20.0),
    (40.0, 0.5, 1.7, 0.9, 0.6, 8.0),
)


def barrier(values):
    return cs.Barrier(**dict(zip(NAMES, values, strict=True)))


class Exact:
    """The paper's solution at mpmath's working precision, from the parameters alone."""

    def __init__(self, values):
        self.g, self.w, self.m, self.t, self.share, self.height = map(mp.mpf, values)
        self.a = self.g / 2 + mp.sqrt(self.g**2 / 4 + self.w**2)
        self.c = self.m * (self.a - self.g) / (2 * self.g * self.t)
        self.root = mp.sqrt(self.c)
        # One particle in two wells of the barrier's curvature: a Gaussian integral per well.
        self.top = self.m * self.w / (4 * mp.pi * self.t) * mp.exp(-self.height / self.t)

    def equilibrium(self, x, v):
        return self.top * mp.exp((self.m * self.w**2 * x**2 - self.m * v**2) / (2 * self.t))

    def distribution(self, x, v):
        place = self.root * (v - self.a * x)
        # erfc(−z)/2 and erfc(z)/2: of the two that add up to 1 the smaller one keeps its digits.
        less = mp.erfc(abs(place)) / 2
        forward, backward = (1 - less, less) if place > 0 else (less, 1 - less)
        return 2 * self.equilibrium(x, v) * (self.share * forward + (1 - self.share) * backward)

    def rate_of_change(self, x, v):
        """∂_tP, the right-hand side of the Fokker–Planck equation."""
        p = self.distribution
        slope = -self.m * self.w**2 * x  # V′

        def flux(u):
            return u * p(x, u) + self.t / self.m * mp.diff(lambda y: p(x, y), u)

        drift = -v * mp.diff(lambda y: p(y, v), x) + slope / self.m * mp.diff(lambda y: p(x, y), v)
        return drift + self.g * mp.diff(flux, v), abs(v * mp.diff(lambda y: p(y, v), x))

    def moments(self, x, *weights):
        """∫ w(v) P(x, v) dv for each weight w; all of them ask for P at the same velocities."""
        x, width = mp.mpf(x), mp.sqrt(self.t / self.m)
        edges = sorted({*(k * width for k in range(-16, 17, 8)), self.a * x})
        edges = [e for e in edges if abs(e) <= 16 * width]
        distribution = functools.cache(lambda v: self.distribution(x, v))
        return [mp.quad(lambda v, weight=weight: weight(v) * distribution(v), edges) for weight in weights]

    def moment(self, x, weight):
        return self.moments(x, weight)[0]

    def ledger(self):
        """J, Δμ and Q from the flux through the top and the paper's formulas for heat."""
        difference = self.t * mp.log(self.share / (1 - self.share))
        s = mp.sqrt((self.a - self.g) / self.a)
        current = 2 * (2 * self.share - 1) * self.top * self.t / self.m * s
        edge2 = 2 * self.height / (self.m * self.w**2)
        heat = (2 * self.share - 1) * self.g * self.t * self.top * s * (self.a - self.g) * edge2
        return current, difference, heat
