"""Reads the tensors of an old-format torch file without torch: a pickle that may contain tensors and nothing else.

The meaning of the tensors is left to `captioner.vision.efficientnet_lite2`.
"""

import math
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from captioner.errors import EncoderError

_MAGIC = 0x1950A86A20F9469CFC6C
_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
_HEADER_PICKLES = 3


class _Tensor(NamedTuple):
    """A view of a storage: the storage's key and type, and the view's place and shape."""

    key: str
    dtype: np.dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _TensorsOnly(pickle.Unpickler):
    """An unpickler that accepts three names and rejects every other one before it can do anything."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is not a tensor")

    def persistent_load(self, reference: Any) -> tuple[str, np.dtype]:
        kind, dtype, key, _device, _count, *_view = reference
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError("it refers to something that is not a tensor's storage")
        return str(key), dtype


def _rebuild(storage: tuple[str, np.dtype], offset: int, shape: tuple, strides: tuple, *_ignored: Any) -> _Tensor:
    return _Tensor(storage[0], storage[1], int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """All tensors of the file by name, each copied into an ordinary contiguous array."""
    try:
        with path.open("rb") as file:
            return _read(file, path.stat().st_size)
    except OSError as error:
        raise EncoderError(f"The weight file {path.name} cannot be opened ({error.strerror}); install it again.") from error
    except EncoderError:
        raise
    except Exception as error:  # A damaged pickle can raise almost anything.
        raise EncoderError(f"The weight file {path.name} is not a file of tensors: {error}. Install it again.") from error


def _read(file: BinaryIO, size: int) -> dict[str, np.ndarray]:
    magic, *_rest = (_TensorsOnly(file).load() for _ in range(_HEADER_PICKLES))
    if magic != _MAGIC:
        raise EncoderError("The weight file does not start like an old-format torch file; install it again.")
    tensors = _TensorsOnly(file).load()
    keys = _TensorsOnly(file).load()
    dtypes = {tensor.key: tensor.dtype for tensor in tensors.values()}
    storages = {key: _read_storage(file, dtypes[key], size) for key in keys}
    return {name: _view(storages[tensor.key], tensor) for name, tensor in tensors.items()}


def _read_storage(file: BinaryIO, dtype: np.dtype, size: int) -> np.ndarray:
    count = int.from_bytes(file.read(8), "little")
    if count * dtype.itemsize > size - file.tell():
        raise EncoderError(f"The weight file should hold {count} more numbers, but ends before; install it again.")
    return np.frombuffer(file.read(count * dtype.itemsize), dtype)


def _view(storage: np.ndarray, tensor: _Tensor) -> np.ndarray:
    reach = tensor.offset + sum((length - 1) * stride for length, stride in zip(tensor.shape, tensor.strides, strict=True))
    wrong_sign = min(tensor.shape, default=1) < 1 or min(tensor.strides, default=0) < 0 or tensor.offset < 0
    # With a stride of zero, a few numbers could claim to be a tensor of any size.
    if wrong_sign or reach >= len(storage) or math.prod(tensor.shape) > len(storage):
        raise EncoderError("A tensor of the weight file reaches beyond its storage; install it again.")
    strides = tuple(stride * storage.itemsize for stride in tensor.strides)
    return np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides, writeable=False).copy()
