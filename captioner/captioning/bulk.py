"""Caption many pictures on all cores, with results in the order of the input.

Callers supply the reader and use the results; memory does not grow with the number of pictures.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from captioner.config import SearchConfig
from captioner.errors import ConfigError, ImageError
from captioner.runtime import cores

if TYPE_CHECKING:
    from captioner.captioning.caption import Caption
    from captioner.captioning.captioner import Captioner

    Captions = dict[str, list[Caption]]

FEW, MANY = 16, 64  # the smallest and the largest batch

Place = TypeVar("Place")


def entries(
    captioner: "Captioner",
    places: Sequence[str],
    read: Callable[[str], np.ndarray],
    config: SearchConfig,
    top: int = 1,
    told: Sequence[str] | None = None,
    notes: Sequence[str] = (),
) -> Iterator[dict[str, Any]]:
    """One JSON record per picture, in their order; `notes` are sentences about the `told` words."""
    for place, found in caption_all(captioner, places, read, config, told):
        yield entry(place, found, captioner.stage, top, told, notes)


def best_of(config: SearchConfig, top: int, beam: int | None) -> SearchConfig:
    """The search for the `top` best captions: its beam is at least as wide unless one is given, which must not be narrower."""
    if beam is not None and beam < top:
        raise ConfigError(f"A beam of {beam} gives no {top} captions (top); give a beam of {top} or leave it out.")
    return replace(config, beam=max(config.beam, top) if beam is None else beam, alternatives=0)


def entry(
    image: str,
    found: "Captions | ImageError",
    stage: str,
    top: int,
    told: Sequence[str] | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """The JSON record of one picture, shared by command line and service: its best captions, or the error."""
    if isinstance(found, ImageError):
        return {"image": image, "error": str(found)}
    captions = {name: [caption.to_json() for caption in best[:top]] for name, best in found.items()}
    seen = next(iter(found.values()))[0].words_seen
    words = [{"word": one.word, "probability": one.probability} for one in seen]
    told_words = {"told": list(told or ()), "words_seen": words, "notes": list(notes)}
    return {"image": image, "stage": stage, **told_words, "captions": captions}


def caption_all(
    captioner: "Captioner",
    places: Sequence[Place],
    read: Callable[[Place], np.ndarray],
    config: SearchConfig,
    told: Sequence[str] | None = None,
) -> "Iterator[tuple[Place, Captions | ImageError]]":
    """The captions of every picture, or the error; `told` words are put into its slots.

    `read` loads a picture at the size of the network's input, which bounds the memory of a batch, or raises an `ImageError`.
    While one batch waits for files another is in the network.
    """
    workers = cores()
    size = min(MANY, max(FEW, -(-len(places) // workers)))
    batches = (places[first : first + size] for first in range(0, len(places), size))
    waiting: deque[Future] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="bulk") as pool:
        try:
            for batch in batches:
                waiting.append(pool.submit(_caption, captioner, batch, read, config, told))
                if len(waiting) > workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _caption(
    captioner: "Captioner",
    places: Sequence[Place],
    read: Callable[[Place], np.ndarray],
    config: SearchConfig,
    told: Sequence[str] | None,
) -> "list[tuple[Place, Captions | ImageError]]":
    pictures = [_read(place, read) for place in places]
    usable = [picture for picture in pictures if not isinstance(picture, ImageError)]
    captions = iter(captioner.caption(usable, config, told=told))
    return [
        (place, picture if isinstance(picture, ImageError) else next(captions))
        for place, picture in zip(places, pictures, strict=True)
    ]


def _read(place: Place, read: Callable[[Place], np.ndarray]) -> np.ndarray | ImageError:
    try:
        return read(place)
    except ImageError as error:
        return error
