"""Where a decoder looked: its attention laid over the photograph, and said in words for who cannot see it."""

from io import BytesIO

import numpy as np
from PIL import Image

_COLOURS = "inferno"
_DOWN, _ACROSS = ("top", "middle", "bottom"), ("left", "centre", "right")


def overlay(photograph: bytes, attention: np.ndarray, opacity: float, longest: int = 640) -> bytes:
    """A JPEG of the photograph under its attention (rows, columns); bright is where most of it lies."""
    from matplotlib import colormaps

    picture = Image.open(BytesIO(photograph)).convert("RGB")
    picture.thumbnail((longest, longest))
    heat = Image.fromarray((attention / attention.max()).astype(np.float32)).resize(picture.size, Image.Resampling.BICUBIC)
    coloured = Image.fromarray(colormaps[_COLOURS](np.clip(np.asarray(heat), 0, 1), bytes=True)[..., :3])
    file = BytesIO()
    Image.blend(picture, coloured, opacity).save(file, "JPEG", quality=88)
    return file.getvalue()


def describe(attention: np.ndarray) -> str:
    """The part of the photograph, a ninth of it, that most of the attention went to, and how much.

    >>> describe(np.eye(3)[[0, 0, 2]] * [[1, 1, 1], [0, 0, 0], [0, 0, 3]])
    'bottom right (75%)'
    """
    rows, columns = (np.arange(size) * 3 // size for size in attention.shape)
    ninths = np.zeros((3, 3))
    np.add.at(ninths, (rows[:, None], columns[None]), attention / attention.sum())
    down, across = np.unravel_index(ninths.argmax(), (3, 3))
    place = "centre" if down == across == 1 else f"{_DOWN[down]} {_ACROSS[across]}"
    return f"{place} ({ninths[down, across]:.0%})"
