"""Reads the tensors of an old-format torch file without torch: a pickle that may contain tensors and nothing else.

The file is trusted to be whole: `captioner.vision.efficientnet_lite2` verifies its checksum first and gives the tensors meaning.
"""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from captioner.errors import EncoderError

_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
_HEADER_PICKLES = 3  # a magic number, the version of the protocol and the sizes of C types


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
        raise EncoderError(f"The weight file names {module}.{name}, which is not a tensor; install it again.")

    def persistent_load(self, reference: Any) -> tuple[str, np.dtype]:
        _kind, dtype, key, *_more = reference
        return key, dtype


def _rebuild(storage: tuple[str, np.dtype], offset: int, shape: tuple, strides: tuple, *_ignored: Any) -> _Tensor:
    return _Tensor(*storage, offset, shape, strides)


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """All tensors of the file by name, each copied into an ordinary contiguous array."""
    with path.open("rb") as file:
        *_header, tensors, keys = (_TensorsOnly(file).load() for _ in range(_HEADER_PICKLES + 2))
        dtypes = {tensor.key: tensor.dtype for tensor in tensors.values()}
        storages = {key: _read_storage(file, dtypes[key]) for key in keys}
    return {name: _view(storages[tensor.key], tensor) for name, tensor in tensors.items()}


def _read_storage(file: BinaryIO, dtype: np.dtype) -> np.ndarray:
    count = int.from_bytes(file.read(8), "little")
    return np.frombuffer(file.read(count * dtype.itemsize), dtype)


def _view(storage: np.ndarray, tensor: _Tensor) -> np.ndarray:
    strides = tuple(stride * storage.itemsize for stride in tensor.strides)
    return np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides, writeable=False).copy()
