"""Measures how fast captioning is against one pass of the encoder and against the popular recipe, and whether memory grows.

All that is compared is measured in turn in one run on one machine. Measuring training is left to `captioner.benchmarks.training`.
"""

import json
import subprocess
import sys
from functools import cache
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from captioner.benchmarks.table import table
from captioner.benchmarks.training import timed, training_bench
from captioner.config import SearchConfig
from captioner.data.images import read
from captioner.data.samples import SAMPLES
from captioner.errors import CheckpointError
from captioner.progress import Progress

if TYPE_CHECKING:
    from captioner.captioning.captioner import Captioner

__all__ = ["caption_bench", "table", "training_bench"]

Result = dict[str, dict[str, float]]

BEAM = SearchConfig(beam=3)
GREEDY = SearchConfig(method="greedy")
LENGTH = 37  # The recipe pads to its longest training caption; in Flickr8k that one has 37 words.
_SHAPES = ((500, 375), (375, 500), (500, 333), (333, 500))  # widths and heights as photographs on the web have them
_WARM_UP = 5
_RECIPE_PHOTOGRAPHS = 3


def caption_bench(checkpoints: Path, photographs: int = 200, weights: Path | None = None) -> Result:
    """Photograph bytes to three beam-3 captions with attention and alternatives, and what that is held against.

    - encoder_ms: one pass of the encoder alone over one ready picture; end_to_end_ms: from the bytes of a JPEG file to the
      captions. Medians, measured in turn, a different photograph each time; ratio_to_encoder is the second over the first.
    - recipe_ms: from the bytes to three greedy captions with `model.predict` per word over a padded prefix, for which the
      bytes are read and encoded by our own fast way; ratio_to_recipe is recipe_ms over end_to_end_ms.
    - growth_mb: how much the peak memory of a fresh process rises from its 20th photograph to its last.

    `weights` is the file of an encoder's that does not come with its own.
    """
    from captioner.runtime import start_tensorflow

    growth = memory_growth(checkpoints, photographs, weights)
    start_tensorflow()
    from captioner.captioning.captioner import Captioner

    captioner = Captioner.load(checkpoints, weights=weights)
    encoder, end_to_end = _in_turn(captioner, photographs)
    recipe = _recipe(captioner, min(photographs, _RECIPE_PHOTOGRAPHS))
    caption = {
        "encoder_ms": encoder,
        "end_to_end_ms": end_to_end,
        "ratio_to_encoder": end_to_end / encoder,
        "recipe_ms": recipe,
        "ratio_to_recipe": recipe / end_to_end,
    }
    return {"caption": caption, "memory": {"growth_mb": growth}}


def photograph(number: int) -> bytes:
    """A JPEG photograph, another for every number: a part of one of the sample photographs, in a size usual on the web."""
    random = np.random.default_rng(number)
    width, height = _SHAPES[number % len(_SHAPES)]
    whole = Image.fromarray(_sample(number % len(SAMPLES)))
    part = random.uniform(0.6, 1.0) * min(whole.width / width, whole.height / height)
    left = random.uniform(0, whole.width - part * width)
    top = random.uniform(0, whole.height - part * height)
    box = (left, top, left + part * width, top + part * height)
    buffer = BytesIO()
    whole.resize((width, height), Image.Resampling.BICUBIC, box).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@cache
def _sample(number: int) -> np.ndarray:
    return read(SAMPLES[number].read(), SAMPLES[number].file)


def _in_turn(captioner: "Captioner", photographs: int) -> tuple[float, float]:
    """The median milliseconds of one pass of the encoder and of the whole way."""
    encoder, end_to_end = [], []
    with Progress("captioning", _WARM_UP + photographs, "photographs") as bar:
        for number in range(_WARM_UP + photographs):
            data = photograph(number)
            ready = read(data, size=captioner.encoder.size)[None]  # (1, size, size, 3)
            encoder.append(timed(lambda: captioner.encoder.encode(ready))[0])
            end_to_end.append(timed(lambda: captioner.caption([read(data)], BEAM))[0])
            bar.advance()
    return median(encoder[_WARM_UP:]), median(end_to_end[_WARM_UP:])


def _recipe(captioner: "Captioner", photographs: int) -> float:
    """The median milliseconds of the recipe, once it has said the same as our own greedy search."""
    from captioner.benchmarks.keras_baseline import Recipe

    regions = captioner.encoder.regions
    recipes = {name: Recipe(item.build(), regions, LENGTH) for name, item in captioner.checkpoints.items()}

    def captions(data: bytes) -> dict[str, tuple[str, ...]]:
        features = captioner.encode([read(data)])[0]
        found = {name: recipe.caption(features, GREEDY.maximum_words) for name, recipe in recipes.items()}
        return {name: tuple(captioner.vocabulary.decode(ids)) for name, ids in found.items()}

    times = []
    with Progress("the recipe", photographs + 1, "photographs") as bar:
        _check_same(captions(photograph(0)), captioner)
        for number in range(1, photographs + 1):
            bar.advance()
            data = photograph(number)
            times.append(timed(lambda: captions(data))[0])
        bar.advance()
    return median(times)


def _check_same(said: dict[str, tuple[str, ...]], captioner: "Captioner") -> None:
    ours = captioner.caption([read(photograph(0))], GREEDY)[0]
    for name, words in said.items():
        if words != ours[name][0].words:
            raise CheckpointError(
                f"With the weights of {name} the recipe says '{' '.join(words)}' and the fast way '{ours[name][0].text}'; they "
                "must be the same, so one is computed wrongly here. Report this with your versions of TensorFlow and Keras."
            )


def memory_growth(checkpoints: Path, photographs: int, weights: Path | None = None) -> float:
    """Megabytes by which the peak memory of a fresh process grows after its first photographs."""
    arguments = str(Path(checkpoints).resolve()), str(photographs), *handed_on(weights)
    return float(apart("captioner.benchmarks.memory", *arguments)["growth_mb"])


def handed_on(file: Path | None) -> list[str]:
    """Where a file lies, as another process finds it; nothing where there is none."""
    return [str(file.resolve())] if file else []


def apart(module: str, *arguments: str) -> dict[str, float]:
    """What a module prints that measures something in a fresh process, where nothing that was done before can hide it."""
    command = [sys.executable, "-m", module, *arguments]
    home = Path(__file__).resolve().parents[2]
    child = subprocess.run(command, cwd=home, stdout=subprocess.PIPE, text=True, check=False)
    if child.returncode:
        raise CheckpointError(
            f"The process whose memory was measured ended with status {child.returncode}; see what it said above."
        )
    return json.loads(child.stdout)
