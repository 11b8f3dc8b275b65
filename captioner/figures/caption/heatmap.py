"""A decoder's attention: laid over the photograph, and as a sentence."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

# Of matplotlib's colour map "inferno", at even distances; in between they are mixed, here as in the browser's gradient.
_COLOURS = ("#000003", "#200c4a", "#570f6d", "#892269", "#bb3754", "#e45a31", "#f98e08", "#f8cb34", "#fcfea4")
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
    picture = Image.open(BytesIO(photograph)).convert("RGB")
    picture.thumbnail((longest, longest))
    heat = Image.fromarray((attention / attention.max()).astype(np.float32)).resize(picture.size, Image.Resampling.BICUBIC)
    levels = Image.fromarray((np.clip(np.asarray(heat), 0, 1) * 255).astype(np.uint8))
    levels.putpalette(_palette())
    file = BytesIO()
    Image.blend(picture, levels.convert("RGB"), opacity).save(file, "JPEG", quality=88)
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
    return f"linear-gradient(90deg, {', '.join(_COLOURS)})"


def _palette() -> bytes:
    """256 colours, three bytes each."""
    stops = np.array([list(bytes.fromhex(colour[1:])) for colour in _COLOURS])  # (stops, 3)
    places = np.linspace(0, len(stops) - 1, 256)
    return np.stack([np.interp(places, range(len(stops)), channel) for channel in stops.T], 1).round().astype(np.uint8).tobytes()
