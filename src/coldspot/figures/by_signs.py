"""Regimes of signs that no point of a grid has: by their definitions, if these give what is known at all points."""

import numpy as np

from .. import regimes


def _view(signs: np.ndarray, baths: int, driven: bool, cooled: int | None) -> regimes.View:
    """A ledger (pattern) with such signs: of work_in, the chemical work, each heat, the drives' work if `driven`, and
    the difference of each two temperatures (of each bath, in turn, from those before it)."""
    heat = signs[:, 2 : 2 + baths]
    works = signs[:, 2 + baths] if driven else np.zeros(len(signs))
    later, before = np.tril_indices(baths, -1)
    # A bath's place among the others, as a temperature.
    places = np.zeros_like(heat)
    for k, (a, b) in enumerate(zip(later, before, strict=True)):
        difference = signs[:, 2 + baths + driven + k]
        places[:, a] += difference
        places[:, b] -= difference
    nothing, each, true = np.zeros(len(signs)), np.zeros_like(heat), np.ones(len(signs), bool)
    return regimes.View(
        heat, each, each, each, signs[:, 0], nothing, works, nothing, signs[:, 1], nothing, baths + places, each,
        true, true, kinds=("",) * baths, steady=(True,) * baths, undriven=not driven, cooled=cooled,
    )  # fmt: skip


def _told(signs: np.ndarray, baths: int) -> np.ndarray:
    """Whether signs tell it all: not where baths at one temperature give and take, whose sum may have any sign."""
    heat, told = signs[:, 2 : 2 + baths], np.all(np.isfinite(signs), axis=1)
    for k, (a, b) in enumerate(zip(*np.tril_indices(baths, -1), strict=True)):
        alike = signs[:, signs.shape[1] - baths * (baths - 1) // 2 + k] == 0
        told &= ~(alike & (heat[:, a] * heat[:, b] < 0))
    return told


def by_definition(signs: np.ndarray, known: np.ndarray, codes: np.ndarray, baths: int, driven: bool) -> np.ndarray:
    """The code of each row of `signs`; that of "unknown" where definitions leave it open.

    `known` and `codes`: rows of signs at points of the grid, and what they are there. Which bath is meant to be cooled
    no dataset says: it is any that agrees with all that is known.
    """
    unknown = regimes.code("unknown")
    certain = _told(known, baths)
    found = []
    for cooled in (None, *range(baths)):
        if np.all(regimes.codes(_view(known[certain], baths, driven, cooled)) == codes[certain]):
            found.append(regimes.codes(_view(signs, baths, driven, cooled)))
    if not found:
        return np.full(len(signs), unknown)
    agreed = np.all(np.array(found) == found[0], axis=0) & _told(signs, baths)
    return np.where(agreed, found[0], unknown)
