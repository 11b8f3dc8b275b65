"""A photograph's grid of regions made coarser, for recipes that lay a grid end to end."""

import math

import numpy as np

from captioner.errors import ConfigError

_ACROSS = 3  # blocks across and down
BLOCKS = _ACROSS**2
_MOST_ACROSS = 100  # regions across and down: far beyond any use, and it keeps a settings file from asking for all memory


def block_means(regions: int) -> np.ndarray:
    """The share that each region of a square grid has in the mean of each block, (blocks, regions).

    Where three does not divide the grid, neighbouring blocks share a row or a column.
    """
    side = math.isqrt(regions)
    if side * side != regions or not _ACROSS <= side <= _MOST_ACROSS:
        raise ConfigError(
            f"Pooling blocks takes a square grid of {_ACROSS} × {_ACROSS} to {_MOST_ACROSS} × {_MOST_ACROSS} regions, and "
            f"{regions:,} regions make none; take pooling mean, or an encoder with such a grid."
        )
    shares = np.zeros((_ACROSS, side), np.float32)
    for block, share in enumerate(shares):
        share[block * side // _ACROSS : -(-(block + 1) * side // _ACROSS)] = 1
    shares /= shares.sum(axis=1, keepdims=True)
    return np.kron(shares, shares)
