"""Captions of many pictures: read, encoded and captioned on all cores at once, told in their own order as they are ready.

Where the pictures come from and what becomes of the captions is left to whoever asks; memory does not grow with their number.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from captioner.config import SearchConfig
from captioner.errors import ImageError
from captioner.runtime import cores

if TYPE_CHECKING:
    from captioner.captioning import Caption, Captioner

    Found = dict[str, list[Caption]] | ImageError

FEW, MANY = 16, 64  # Together through the network: the fewest for which a second batch is begun beside the first, and the most.

Place = TypeVar("Place")


def caption_all(
    captioner: "Captioner", places: Sequence[Place], read: Callable[[Place], np.ndarray], config: SearchConfig
) -> "Iterator[tuple[Place, Found]]":
    """The captions of every picture, or why it has none.

    `read` makes a picture of a place, small already so that a batch of large ones fits in memory, or raises an `ImageError`.
    While one batch waits for files another one is in the network.
    """
    workers = cores()
    size = min(MANY, max(FEW, -(-len(places) // workers)))
    batches = (places[first : first + size] for first in range(0, len(places), size))
    waiting: deque[Future] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="bulk") as pool:
        try:
            for batch in batches:
                waiting.append(pool.submit(_caption, captioner, batch, read, config))
                if len(waiting) > workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for batch in waiting:
                batch.cancel()


def _caption(
    captioner: "Captioner", places: Sequence[Place], read: Callable[[Place], np.ndarray], config: SearchConfig
) -> "list[tuple[Place, Found]]":
    pictures = [_read(place, read) for place in places]
    captions = iter(captioner.caption([picture for picture in pictures if not isinstance(picture, ImageError)], config))
    return [
        (place, picture if isinstance(picture, ImageError) else next(captions))
        for place, picture in zip(places, pictures, strict=True)
    ]


def _read(place: Place, read: Callable[[Place], np.ndarray]) -> np.ndarray | ImageError:
    try:
        return read(place)
    except ImageError as error:
        return error
