"""The speed of captioning, against TensorFlow's encoder and against the popular recipe, and the growth of its memory.

Whatever is compared is measured in turn in one run on one machine; TensorFlow is imported for what captioning is compared with.
`captioner.benchmarks.training` measures training.
"""

import json
import sys
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from captioner.benchmarks.memory import peak_megabytes, run_apart
from captioner.benchmarks.stages import Times, medians, shares, stage_times
from captioner.benchmarks.training import timed
from captioner.captioning.bulk import MANY
from captioner.config import SearchConfig
from captioner.data.images import read
from captioner.data.samples import SAMPLES
from captioner.errors import CheckpointError
from captioner.progress import Progress
from captioner.runtime import cores

if TYPE_CHECKING:
    from captioner.captioning.captioner import Captioner
    from captioner.vision.keras_networks import Network

Result = dict[str, dict[str, float]]

BEAM = SearchConfig(beam=3)
BULK = replace(BEAM, alternatives=0)  # the search of many files
GREEDY = SearchConfig(method="greedy")
LENGTH = 37  # The recipe pads to the longest training caption; in Flickr8k it has 37 words.
_SHAPES = ((500, 375), (375, 500), (500, 333), (333, 500))  # common widths and heights of photographs on the web
_WARM_UP = 5
_ROUNDS = 5  # of many photographs; the first does not count
_RECIPE_PHOTOGRAPHS = 3
_SETTLED = 20  # By this photograph every buffer that is kept has been allocated.


def caption_bench(checkpoints: Path, photographs: int = 200, weights: Path | None = None) -> Result:
    """Time photograph bytes to three beam-3 captions with attention and alternatives, its stages, and two baselines.

    - encoder_ms: one pass of the encoder's network in TensorFlow over one preprocessed picture; end_to_end_ms: from the bytes
      of a JPEG file to the captions. Medians, measured in turn on different photographs; ratio_to_encoder is the second over
      the first.
    - recipe_ms: from the bytes to three greedy captions with `model.predict` per word over a padded prefix. The recipe's
      pictures are read and encoded by our own fast path; ratio_to_recipe is recipe_ms over end_to_end_ms.
    - growth_mb: the growth of a fresh process's peak memory from its 20th photograph to its last.
    - one and many: the stages as shares of TensorFlow's encoder, for one photograph after the other and for batches on all
      cores.

    `weights` is the file of an encoder that does not ship with its weights.
    """
    from captioner.captioning.captioner import Captioner

    growth = memory_growth(checkpoints, photographs, weights)
    captioner = Captioner.load(checkpoints, weights=weights)
    network = tensorflow_network(captioner, checkpoints, weights)
    one, many = _one_by_one(captioner, network, photographs), _many(captioner, network)
    recipe = _recipe(captioner, min(photographs, _RECIPE_PHOTOGRAPHS))
    encoder, end_to_end = (medians(one)[stage] for stage in ("tensorflow", "together"))
    caption = {
        "encoder_ms": encoder,
        "end_to_end_ms": end_to_end,
        "ratio_to_encoder": end_to_end / encoder,
        "recipe_ms": recipe,
        "ratio_to_recipe": recipe / end_to_end,
    }
    stages = {part: medians([shares(times) for times in rounds]) for part, rounds in (("one", one), ("many", many))}
    return {"caption": caption, "memory": {"growth_mb": growth}, **stages}


def tensorflow_network(captioner: "Captioner", checkpoints: Path, weights: Path | None = None) -> "Network":
    """The network from which the captioner's encoder was exported."""
    from captioner.vision.encoders import find_folder
    from captioner.vision.keras_networks import build

    name = captioner.encoder.name
    return build(name, weights, find_folder(name, checkpoints))


def photograph(number: int) -> bytes:
    """A JPEG photograph, a different one for every number: a crop of a sample photograph, in a size common on the web."""
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


def _one_by_one(captioner: "Captioner", network: "Network", photographs: int) -> list[Times]:
    times = []
    with Progress("captioning one by one", _WARM_UP + photographs, "photographs") as bar:
        for number in range(_WARM_UP + photographs):
            times.append(stage_times(captioner, network, [[photograph(number)]], BEAM))
            bar.advance()
    return times[_WARM_UP:]


def _many(captioner: "Captioner", network: "Network") -> list[Times]:
    files = [[photograph(MANY * batch + place) for place in range(MANY)] for batch in range(cores())]
    times = []
    with Progress("captioning in batches", _ROUNDS, "rounds") as bar:
        for _ in range(_ROUNDS):
            times.append(stage_times(captioner, network, files, BULK))
            bar.advance()
    return times[1:]


def _recipe(captioner: "Captioner", photographs: int) -> float:
    """The median milliseconds of the recipe, after a check that its caption equals that of our greedy search."""
    from captioner.benchmarks.keras_baseline import Recipe

    regions = captioner.encoder.regions
    recipes = {name: Recipe(item.build(), regions, LENGTH) for name, item in captioner.checkpoints.items()}

    def captions(data: bytes) -> dict[str, tuple[str, ...]]:
        features = captioner.see([read(data)]).features[0]
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
                f"With the weights of {name} the recipe says '{' '.join(words)}', the fast path '{ours[name][0].text}'. They "
                "must be equal, so one is wrong on this machine. Report this with your versions of TensorFlow and Keras."
            )


def memory_growth(checkpoints: Path, photographs: int, weights: Path | None = None) -> float:
    """Megabytes by which the peak memory of a fresh process grows after its first photographs."""
    arguments = str(Path(checkpoints).resolve()), str(photographs), *absolute(weights)
    return float(run_apart("-m", "captioner.benchmarks.captioning", *arguments)["growth_mb"])


def absolute(file: Path | None) -> list[str]:
    """The path of a file as an argument for a process that may run in another folder; nothing without a file."""
    return [str(file.resolve())] if file else []


def growth(folder: Path, photographs: int, weights: Path | None = None) -> float:
    """Megabytes by which the peak rises after the first photographs, all different, through the Captioner that the app uses."""
    from captioner.captioning.captioner import Captioner

    captioner, settled = Captioner.load(folder, weights=weights), 0.0
    with Progress("memory", photographs, "photographs") as bar:
        for number in range(photographs):
            if number == min(_SETTLED, photographs - 1):
                settled = peak_megabytes()
            captioner.caption([read(photograph(number))], BEAM)
            bar.advance()
    return peak_megabytes() - settled


if __name__ == "__main__":
    print(json.dumps({"growth_mb": growth(Path(sys.argv[1]), int(sys.argv[2]), *map(Path, sys.argv[3:]))}))
