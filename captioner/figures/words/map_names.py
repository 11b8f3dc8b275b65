"""Which words of a map get their name written, and on which side of their point: as many as there is room for.

Knows pixels only; what is drawn, and where, is left to `captioner.figures.words.word_map`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LETTER, LINE, ASIDE = 6.2, 12, 6  # pixels: the width of a letter, the height of a name, and how far it stands from its point
_CLEAR = 3  # pixels around the middle of another point


class Name(NamedTuple):
    """The place of a word among those of the map, and where the middle of its name stands, in pixels."""

    place: int
    x: float
    y: float


def names(words: Sequence[str], points: np.ndarray, taken: np.ndarray, edges: np.ndarray) -> list[Name]:
    """The earlier a word, the sooner its name finds room: right of its point (x, y), or left of it, over nothing else.

    `taken` are boxes (left, top, right, bottom) where no name may be; `edges` is the box of the whole map.
    """
    boxes = np.concatenate([np.reshape(taken, (-1, 4)), np.empty((len(words), 4))])
    found, count = [], len(boxes) - len(words)
    for place, word in enumerate(words):
        for box in _sides(word, points[place]):
            if _inside(box, edges) and not _meets(box, boxes[:count]) and not _covers(box, np.delete(points, place, axis=0)):
                boxes[count] = box
                count += 1
                found.append(Name(place, float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2))
                break
    return found


def _sides(word: str, point: np.ndarray) -> list[np.ndarray]:
    x, y = point
    width = len(word) * LETTER
    lefts = (x + ASIDE, x - ASIDE - width)
    return [np.array([left, y - LINE / 2, left + width, y + LINE / 2]) for left in lefts]


def _inside(box: np.ndarray, edges: np.ndarray) -> bool:
    return bool((box[:2] >= edges[:2]).all() and (box[2:] <= edges[2:]).all())


def _meets(box: np.ndarray, boxes: np.ndarray) -> bool:
    return bool(((boxes[:, :2] < box[2:]) & (boxes[:, 2:] > box[:2])).all(axis=1).any())


def _covers(box: np.ndarray, points: np.ndarray) -> bool:
    return bool(((points > box[:2] - _CLEAR) & (points < box[2:] + _CLEAR)).all(axis=1).any())
