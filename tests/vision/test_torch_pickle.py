"""Torch files are written here opcode by opcode, as the old format has them, so nothing is checked against our own reader."""

import pickle
import struct

import numpy as np
import pytest

from captioner.errors import EncoderError
from captioner.vision.torch_pickle import read_tensors

MAGIC = 0x1950A86A20F9469CFC6C


def plain(value):
    """The opcodes that push a plain value, without the pickle's first and last ones."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(key="0", kind="FloatStorage", offset=0, shape=(2, 3), strides=(3, 1)):
    """The opcodes of torch._utils._rebuild_tensor_v2((storage), offset, shape, strides, False, OrderedDict())."""
    storage = b"(" + plain("storage") + f"ctorch\n{kind}\n".encode() + plain(key) + plain("cpu") + plain(12) + b"NtQ"
    view = plain(offset) + plain(shape) + plain(strides) + plain(False) + b"ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + view + b"tR"


def header(magic=MAGIC):
    return b"".join(pickle.dumps(part, 2) for part in (magic, 1001, {"little_endian": True}))


def contents(tensors):
    items = b"".join(plain(name) + code for name, code in tensors.items())
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u."


def torch_file(path, tensors, storages, magic=MAGIC):
    data = header(magic) + contents(tensors) + pickle.dumps(list(storages), 2)
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
    (tmp_path / "file").write_bytes(header() + hidden)
    with pytest.raises(EncoderError, match="posix.system"):
        read_tensors(tmp_path / "file")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "view",
    [
        {"shape": (2, 7), "strides": (7, 1)},
        {"offset": 12, "shape": (1,), "strides": (1,)},
        {"offset": -1},
        {"strides": (-3, 1)},
        {"shape": (-2, 3)},
        {"shape": (0, 3)},
        {"shape": (2**40,), "strides": (0,)},
        {"shape": (2, 3), "strides": (1,)},
        {"key": "another"},
        {"kind": "HalfStorage"},
    ],
    ids=str,
)
def test_tensors_that_do_not_lie_in_their_storage(tmp_path, numbers, view):
    with pytest.raises(EncoderError, match="install|Install"):
        read_tensors(torch_file(tmp_path / "file", {"weight": tensor(**view)}, {"0": numbers}))


def test_a_file_cut_anywhere(tmp_path, numbers):
    data = torch_file(tmp_path / "file", {"weight": tensor()}, {"0": numbers}).read_bytes()
    for length in (*range(0, len(data), 11), len(data) - 1):
        (tmp_path / "file").write_bytes(data[:length])
        with pytest.raises(EncoderError):
            read_tensors(tmp_path / "file")


def test_a_storage_that_claims_a_million_million_numbers(tmp_path):
    data = header() + contents({"weight": tensor()}) + pickle.dumps(["0"], 2) + struct.pack("<q", 2**40) + bytes(64)
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(EncoderError, match="1099511627776 more numbers"):
        read_tensors(tmp_path / "file")


def test_files_of_another_kind(tmp_path, numbers):
    with pytest.raises(EncoderError, match="does not start like"):
        read_tensors(torch_file(tmp_path / "file", {}, {}, magic=7))
    with pytest.raises(EncoderError, match="cannot be opened"):
        read_tensors(tmp_path / "missing")
    (tmp_path / "file").write_bytes(bytes(range(256)) * 4)
    with pytest.raises(EncoderError, match="not a file of tensors"):
        read_tensors(tmp_path / "file")
