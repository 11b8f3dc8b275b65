"""Torch files in the old format, written opcode by opcode."""

import pickle
import struct

import numpy as np
import pytest

from captioner.errors import EncoderError
from captioner.vision.torch_pickle import read_tensors

HEADER = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))


def plain(value):
    """The opcodes that push a plain value, without the pickle's first and last ones."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(key="0", kind="FloatStorage", offset=0, shape=(2, 3), strides=(3, 1)):
    """The opcodes of torch._utils._rebuild_tensor_v2((storage), offset, shape, strides, False, OrderedDict())."""
    storage = b"(" + plain("storage") + f"ctorch\n{kind}\n".encode() + plain(key) + plain("cpu") + plain(12) + b"NtQ"
    view = plain(offset) + plain(shape) + plain(strides) + plain(False) + b"ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + view + b"tR"


def contents(tensors):
    items = b"".join(plain(name) + code for name, code in tensors.items())
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u."


def torch_file(path, tensors, storages):
    data = HEADER + contents(tensors) + pickle.dumps(list(storages), 2)
    for numbers in storages.values():
        data += struct.pack("<q", len(numbers)) + numbers.tobytes()
    path.write_bytes(data)
    return path


@pytest.fixture
def numbers():
    return np.arange(12, dtype="<f4") * 1.5


def test_strides_and_offset_are_followed(tmp_path, numbers):
    tensors = {"across": tensor(offset=1, shape=(2, 3), strides=(1, 4)), "deep": tensor(shape=(3, 2, 2), strides=(4, 1, 2))}
    found = read_tensors(torch_file(tmp_path / "file", tensors, {"0": numbers}))
    assert found["across"].tolist() == [[1.5 * (1 + row + 4 * column) for column in range(3)] for row in range(2)]
    assert found["deep"].tolist() == [[[1.5 * (4 * a + b + 2 * c) for c in range(2)] for b in range(2)] for a in range(3)]
    assert all(array.dtype == np.float32 and array.flags.c_contiguous and array.flags.writeable for array in found.values())


def test_storages_of_both_types_and_a_single_number(tmp_path, numbers):
    tensors = {"weight": tensor("a", shape=(12,), strides=(1,)), "count": tensor("b", "LongStorage", shape=(), strides=())}
    found = read_tensors(torch_file(tmp_path / "file", tensors, {"b": np.array([2**40], "<i8"), "a": numbers}))
    np.testing.assert_array_equal(found["weight"], numbers)
    assert found["count"].shape == () and found["count"] == 2**40


def test_nothing_in_a_pickle_is_run(tmp_path):
    (tmp_path / "file").write_bytes(b"\x80\x02cos\nsystem\n" + plain(f"touch {tmp_path / 'ran'}") + b"\x85R.")
    with pytest.raises(EncoderError, match="os.system"):
        read_tensors(tmp_path / "file")
    hidden = contents({"weight": b"cposix\nsystem\n" + plain(f"touch {tmp_path / 'ran'}") + b"\x85R"})
    (tmp_path / "file").write_bytes(HEADER + hidden)
    with pytest.raises(EncoderError, match="posix.system"):
        read_tensors(tmp_path / "file")
    assert not (tmp_path / "ran").exists()
