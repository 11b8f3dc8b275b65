"""A photograph's grid of regions made coarser, for recipes that lay a grid end to end."""

import math

import numpy as np

from captioner.errors import ConfigError

_ACROSS = 3  # blocks across and down


def block_means(regions: int) -> np.ndarray:
    """The share that each region of a square grid has in the mean of each block, (blocks, regions).

    Where three does not divide the grid, neighbouring blocks share a row or a column.
    """
    side = math.isqrt(regions)
    if side * side != regions or side < _ACROSS:
        raise ConfigError(f"A grid is laid end to end in {_ACROSS} × {_ACROSS} blocks; {regions} regions make no square of them.")
    shares = np.zeros((_ACROSS, side), np.float32)
    for block, share in enumerate(shares):
        share[block * side // _ACROSS : -(-(block + 1) * side // _ACROSS)] = 1
    shares /= shares.sum(axis=1, keepdims=True)
    return np.kron(shares, shares)
