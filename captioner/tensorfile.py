"""Arrays as a safetensors file in pieces, so that writing a large training's state needs no copy of all of it in memory."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Pieces = tuple[bytes | memoryview, ...]

_NAMES = {"float16": "F16", "float32": "F32", "float64": "F64", "int32": "I32", "int64": "I64", "uint8": "U8", "bool": "BOOL"}


def pieces(tensors: "Mapping[str, np.ndarray]") -> Pieces:
    """The file's head, then the arrays themselves one after another, which must not change until they are written."""
    head, place = {}, 0
    for name, values in tensors.items():
        ends = (place, place + values.nbytes)
        head[name] = {"dtype": _NAMES[values.dtype.name], "shape": values.shape, "data_offsets": ends}
        place = ends[1]
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)  # The arrays begin where a number of eight bytes may.
    return len(text).to_bytes(8, "little"), text, *(values.ravel().data for values in tensors.values())
