"""Blocks of a grid against means taken by hand."""

import numpy as np
import pytest

from captioner.errors import ConfigError
from captioner.model.region_blocks import BLOCKS, block_means


@pytest.mark.parametrize(
    ("side", "cuts"),
    [
        (3, [(0, 1), (1, 2), (2, 3)]),
        (5, [(0, 2), (1, 4), (3, 5)]),
        (7, [(0, 3), (2, 5), (4, 7)]),
        (9, [(0, 3), (3, 6), (6, 9)]),
    ],
)
def test_blocks_are_the_means_of_their_regions(side, cuts):
    grid = np.random.default_rng(3).normal(size=(side, side, 2)).astype(np.float32)
    expected = [grid[top:bottom, left:right].mean(axis=(0, 1)) for top, bottom in cuts for left, right in cuts]
    np.testing.assert_allclose(block_means(side * side) @ grid.reshape(-1, 2), expected, atol=1e-6)


@pytest.mark.parametrize("side", [3, 4, 100])
def test_each_block_is_a_mean_whatever_the_grid(side):
    means = block_means(side * side)
    assert means.shape == (BLOCKS, side * side) == (9, side**2)
    np.testing.assert_allclose(means.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("regions", [0, 4, 8, 12, 80, 101 * 101])
def test_a_grid_that_is_no_square_of_blocks_is_refused(regions):
    with pytest.raises(ConfigError, match=f"{regions:,} regions make none; take pooling mean, or an encoder with such a grid"):
        block_means(regions)


def test_a_grid_beyond_any_use_is_refused_before_anything_is_made_of_it(monkeypatch):
    monkeypatch.setattr(np, "zeros", None)
    monkeypatch.setattr(np, "kron", None)
    with pytest.raises(ConfigError, match="3 × 3 to 100 × 100 regions, and 268,435,456 regions make none"):
        block_means(16384 * 16384)
