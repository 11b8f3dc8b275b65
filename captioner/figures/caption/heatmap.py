"""A decoder's attention: laid over the photograph, and as a sentence."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

_COLOURS = "inferno"
_STOPS = 9
_CLEAR = 1.25  # times the share of an even attention
_DOWN, _ACROSS = ("top", "middle", "bottom"), ("left", "centre", "right")


@dataclass(frozen=True)
class Focus:
    """The ninth of the photograph with the most attention for its size: its share, and its share of the area."""

    place: str
    share: float
    even: float

    @property
    def clear(self) -> bool:
        """Whether its share is far enough above its area to say that the decoder looked there."""
        return self.share >= _CLEAR * self.even

    def __str__(self) -> str:
        alike = f"looking everywhere alike would be {self.even:.0%}"
        if not self.clear:
            return f"it looked almost everywhere alike: the {self.place} had the most, {self.share:.0%}; {alike}"
        return f"it looked most at the {self.place}: {self.share:.0%} of its attention; {alike}"


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


def focus(attention: np.ndarray) -> Focus:
    """The ninth that stands out in the attention (rows, columns).

    >>> str(focus(np.eye(3)[[0, 0, 2]] * [[1, 1, 1], [0, 0, 0], [0, 0, 3]]))
    'it looked most at the bottom right: 75% of its attention; looking everywhere alike would be 11%'
    """
    shares, even = _ninths(attention), _ninths(np.ones_like(attention))
    down, across = np.unravel_index(np.divide(shares, even, out=np.zeros((3, 3)), where=even > 0).argmax(), (3, 3))
    place = "centre" if down == across == 1 else f"{_DOWN[down]} {_ACROSS[across]}"
    return Focus(place, float(shares[down, across]), float(even[down, across]))


def _ninths(weights: np.ndarray) -> np.ndarray:
    """The share of each ninth; in a grid that three does not divide, the ninths differ in size."""
    rows, columns = (np.arange(size) * 3 // size for size in weights.shape)
    ninths = np.zeros((3, 3))
    np.add.at(ninths, (rows[:, None], columns[None]), weights / weights.sum())
    return ninths


def gradient() -> str:
    """The colours from no attention to the most, as a CSS gradient."""
    from matplotlib import colormaps, colors

    stops = (colors.to_hex(colormaps[_COLOURS](place)) for place in np.linspace(0, 1, _STOPS))
    return f"linear-gradient(90deg, {', '.join(stops)})"
