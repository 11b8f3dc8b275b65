"""Files in pieces, read back by the library that defines the format."""

import numpy as np
import pytest
from safetensors.numpy import load

from captioner.tensorfile import pieces

RANDOM = np.random.default_rng(0)
ARRAYS = {
    "grid/kernel": RANDOM.normal(size=(3, 5)).astype(np.float32),
    "half é": RANDOM.normal(size=7).astype(np.float16),
    "step": np.array(2**40, np.int64),
    "turned": RANDOM.normal(size=(4, 6)).T,
    "none": np.zeros((0, 3), np.int32),
}


@pytest.mark.parametrize("names", [[], ["step"], list(ARRAYS), list(ARRAYS)[::-1]])
def test_the_library_reads_what_was_written(names):
    found = load(b"".join(pieces({name: ARRAYS[name] for name in names})))
    assert set(found) == set(names)
    for name in names:
        assert found[name].dtype == ARRAYS[name].dtype and found[name].shape == ARRAYS[name].shape
        np.testing.assert_array_equal(found[name], ARRAYS[name])


def test_large_arrays_are_not_copied():
    large = np.arange(1_000, dtype=np.float32)
    assert np.shares_memory(np.frombuffer(pieces({"large": large})[2], np.float32), large)
