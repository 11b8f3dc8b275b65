"""Is attention right? What the words of a caption lose when the regions that they attend to are covered.

Deletion covers regions of the photograph in an order and insertion shows them in it, on a photograph otherwise covered. The
better an order, the faster a caption loses, or gains, its probability. Word slots keep the nouns of the whole photograph, so
that only what the regions bring is measured. Orders: the decoder's attention; occlusion, the loss
when a region alone is covered; and random.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from captioner.captioning.captioner import Captioner
from captioner.config import SearchConfig
from captioner.data.images import resize
from captioner.scoring.bootstrap import Estimate, percentiles
from captioner.scoring.caption_style import FUNCTION_WORDS
from captioner.vision.encoder import Seen

ATTENTION, OCCLUSION, RANDOM = ORDERS = ("attention", "occlusion", "random")
DELETION, INSERTION = WAYS = ("deletion", "insertion")
SHARES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)  # of the regions that are covered, or shown
_AT_ONCE = 32  # pictures
RESAMPLES = 2000


@dataclass(frozen=True)
class Faithfulness:
    """One decoder's curves: the mean log-probability of a content word for each share of the regions, (photographs, shares)."""

    variant: str
    curves: dict[tuple[str, str], np.ndarray]  # by way and order

    def mean(self, way: str, order: str) -> list[float]:
        return self.curves[way, order].mean(axis=0).tolist()

    def better_than(self, order: str, way: str = DELETION) -> Estimate:
        """How much faster attention's order is than another: the difference of the areas, with a 95% interval.

        Positive if attention is the better order, in log-probability of a word.
        """
        sign = -1 if way == DELETION else 1
        apart = sign * (_areas(self.curves[way, ATTENTION]) - _areas(self.curves[way, order]))
        drawn = np.random.default_rng(0).integers(len(apart), size=(RESAMPLES, len(apart)))
        return Estimate(float(apart.mean()), *percentiles(apart[drawn].mean(axis=1)))


def measure(captioner: Captioner, pictures: Sequence[np.ndarray], config: SearchConfig) -> Iterator[dict[str, dict]]:
    """Picture after picture, the curves of each decoder by way and order, (shares,).

    A picture is left out if the caption of any decoder has function words alone.
    """
    for number, picture in enumerate(pictures):
        found = _of_picture(captioner, resize(picture, captioner.encoder.size), config, number)
        if found:
            yield found


def gather(found: Sequence[dict[str, dict]]) -> list[Faithfulness]:
    """The curves of all photographs together, decoder by decoder."""
    return [
        Faithfulness(variant, {key: np.stack([one[variant][key] for one in found]) for key in found[0][variant]})
        for variant in found[0]
    ]


def _of_picture(captioner: Captioner, picture: np.ndarray, config: SearchConfig, seed: int) -> dict[str, dict]:
    rows, columns = captioner.encoder.rows, captioner.encoder.columns
    regions = rows * columns
    captions = {name: best[0] for name, best in captioner.caption_seen(captioner.see([picture]), config)[0].items()}
    content = {
        name: [place for place, word in enumerate(caption.words) if word not in FUNCTION_WORDS]
        for name, caption in captions.items()
    }
    if not all(content.values()):
        return {}

    def values(name: str, seen: Seen) -> np.ndarray:
        caption = captions[name]
        return captioner.follow_each(seen, caption.words, name, caption.words_seen)[:, content[name]].mean(axis=1)

    alone = _see(captioner, [covered(picture, one, rows, columns) for one in np.eye(regions, dtype=bool)])
    chance = np.random.default_rng(seed).permutation(regions)
    found = {}
    for name, caption in captions.items():
        attention = caption.attention[content[name]].mean(axis=0).ravel()
        orders = {ATTENTION: np.argsort(-attention, kind="stable"), OCCLUSION: np.argsort(values(name, alone), kind="stable")}
        orders[RANDOM] = chance
        masks = [_first(order, share) for order in orders.values() for share in SHARES]
        both = [covered(picture, one, rows, columns) for mask in masks for one in (mask, ~mask)]
        curves = values(name, _see(captioner, both)).reshape(len(ORDERS), len(SHARES), len(WAYS))
        found[name] = {
            (way, order): curves[place, :, number] for place, order in enumerate(orders) for number, way in enumerate(WAYS)
        }
    return found


def covered(picture: np.ndarray, regions: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The picture with some regions of its grid, (rows * columns,) of bool, in its mean colour."""
    down, across = (np.arange(size) * count // size for size, count in zip(picture.shape, (rows, columns), strict=False))
    mask = regions.reshape(rows, columns)[down][:, across]
    return np.where(mask[..., None], picture.mean(axis=(0, 1)).round().astype(np.uint8), picture)


def _first(order: np.ndarray, share: float) -> np.ndarray:
    mask = np.zeros(len(order), bool)
    mask[order[: round(share * len(order))]] = True
    return mask


def _see(captioner: Captioner, pictures: Sequence[np.ndarray]) -> Seen:
    parts = [captioner.see(pictures[first : first + _AT_ONCE]) for first in range(0, len(pictures), _AT_ONCE)]
    return Seen(*(None if part[0] is None else np.concatenate(part) for part in zip(*parts, strict=True)))


def _areas(curves: np.ndarray) -> np.ndarray:
    """The area under each curve, (photographs,)."""
    return np.trapezoid(curves, SHARES, axis=1)
