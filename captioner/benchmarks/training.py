"""The speed of training, against the popular recipe on the same data and against the machine's matrix products.

`captioner.benchmarks.keras_baseline` is the recipe; this module feeds both, times them in turn and scales to an epoch.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from captioner.config import DecoderConfig, Preset
from captioner.errors import TrainingError
from captioner.presets import find_preset
from captioner.progress import Progress
from captioner.vocabulary import Vocabulary, tokenize

if TYPE_CHECKING:
    import tensorflow as tf

    from captioner.benchmarks.keras_baseline import RecipeTraining
    from captioner.data.datasets import Dataset, Record
    from captioner.model.decoder import Decoder
    from captioner.training.batches import Examples
    from captioner.vision.encoder import Encoder
    from captioner.vision.feature_cache import FeatureCache

SEED = 1
MERGE = DecoderConfig("merge", units=256, image_units=256, hidden_units=256)
RECIPE_ROWS = (64, 256, 1024)
SAME_LOSS = 1e-4
_PRODUCT = 2048  # rows and columns
_PRODUCTS = 3  # at a time
_BATCHES = 10  # of ours in a round
_RECIPE_BATCHES = 4  # in a round
_SHORT = 4  # words of the caption whose operations are counted

Work = Callable[[], int]
"""A part of an epoch; returns the number of words that it trained on."""


def training_bench(data: str | Path, cache: Path, preset: str = "triptych", rounds: int = 4) -> dict[str, dict[str, float]]:
    """Seconds per epoch of the preset, and of a merge decoder of 256 units trained by us and by the popular recipe.

    - Each is timed over some batches in every round, with loading, loss, gradients and optimizer, and scaled by the real
      words of the whole training split. Compiling is excluded; the dev loss is that of one photograph. `epoch_s` is the
      preset's learned decoder, `merge_epoch_s` and `recipe_epoch_s` the merge decoder; ratio_to_recipe is their ratio.
    - The recipe has its features in memory, already averaged, and its fastest batch size, `recipe_rows`; `loss_difference`
      is the difference of the two losses per word at equal weights, without dropout.
    - `gemm_gflops` is the machine's speed at products of 2048 x 2048, timed in the same rounds; `epoch_gflop` counts
      multiplications and additions on real words only; `share_of_gemm` is epoch_gflop / epoch_s / gemm_gflops.
    """
    from captioner.data.datasets import load
    from captioner.runtime import start_tensorflow
    from captioner.vision.encoders import load_encoder

    chosen = find_preset(preset)
    start_tensorflow(repeatable=True)
    workload = Workload.of(load(data), load_encoder(chosen.encoder), cache, chosen, rounds)
    return {"training": measure(workload)}


@dataclass(frozen=True)
class Workload:
    """A sample of the training photographs in equal parts, one for each round, and the size of the whole split."""

    preset: Preset
    vocabulary: Vocabulary
    parts: tuple["Examples", ...]
    views: tuple[str, ...]
    images: int
    words: int
    regions: int
    channels: int

    @classmethod
    def of(cls, dataset: "Dataset", encoder: "Encoder", cache_folder: Path, preset: Preset, rounds: int) -> "Workload":
        from captioner.vision.feature_cache import VIEWS, FeatureCache

        records = dataset.split("train")
        captions = [tokenize(caption) for record in records for caption in record.captions]
        vocabulary = Vocabulary.build(captions, preset.training.minimum_count)
        views = tuple(VIEWS)[: max(1, preset.training.views)]
        cache = FeatureCache(cache_folder, encoder)
        size = min(_BATCHES * preset.training.images_per_batch, max(1, len(records) // rounds))
        usable = _sample(records, rounds * size, cache, views)
        parts = tuple(_examples(usable[first::rounds], vocabulary, cache) for first in range(rounds))
        words = count_words([captions])
        return cls(preset, vocabulary, parts, views, len(records), words, encoder.regions, encoder.channels)

    def decoder(self, config: DecoderConfig) -> "Decoder":
        from captioner.model.decoder import Decoder
        from embeddings.table import learned_start

        table = learned_start(self.vocabulary.words, config.embedding_dimensions, config.row_scale, SEED)
        return Decoder(config, table.vectors, self.channels, False, SEED, self.regions)


def count_words(captions: Sequence[Sequence[Sequence]]) -> int:
    """The number of target words of the captions, including the end of each caption."""
    return sum(len(caption) + 1 for group in captions for caption in group)


def _sample(records: Sequence["Record"], count: int, cache: "FeatureCache", views: Sequence[str]) -> list["Record"]:
    """Random photographs, without unreadable ones; only their features are computed."""
    order = np.random.default_rng(SEED).permutation(len(records))[:count]
    chosen = [records[index] for index in order]
    failed = cache.fill(chosen, views)
    return [record for record in chosen if record.name not in failed]


def _examples(records: Sequence["Record"], vocabulary: Vocabulary, cache: "FeatureCache") -> "Examples":
    from captioner.training.batches import Examples

    if not records:
        raise TrainingError("Too few readable photographs to time training with; add more.")
    return Examples.of(records, vocabulary, cache)


def measure(workload: Workload) -> dict[str, float]:
    """Time the three trainings and the machine's matrix products in turn, and scale to an epoch."""
    ours, merge = workload.decoder(workload.preset.decoder), workload.decoder(MERGE)
    preset_parts = _our_parts(workload, ours)
    merge_parts = _our_parts(workload, merge)
    # The recipe copies our weights only now: equal losses prove more with weights that have learned something.
    recipe, recipe_rows, recipe_work = _recipe_work(workload.parts[0], merge)
    products, seconds = [], {"epoch_s": [], "merge_epoch_s": [], "recipe_epoch_s": []}
    with Progress("timing", len(workload.parts), "rounds") as bar:
        for preset_part, merge_part in zip(preset_parts, merge_parts, strict=True):
            for name, work in zip(seconds, (preset_part, merge_part, recipe_work), strict=True):
                products.append(product_gflops())
                seconds[name].append(_seconds_per_word(work))
            bar.advance()
    epochs = {name: median(times) * workload.words for name, times in seconds.items()}
    speed, gflop = median(products), epoch_gflop(ours, (workload.regions, workload.channels), workload.images, workload.words)
    return {
        **epochs,
        "recipe_rows": recipe_rows,
        "ratio_to_recipe": epochs["recipe_epoch_s"] / epochs["merge_epoch_s"],
        "loss_difference": recipe.loss_difference,
        "gemm_gflops": speed,
        "epoch_gflop": gflop,
        "share_of_gemm": gflop / epochs["epoch_s"] / speed,
    }


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """The milliseconds that the work took, and its result."""
    start = time.perf_counter()
    made = work()
    return (time.perf_counter() - start) * 1000, made


def _seconds_per_word(work: Work) -> float:
    spent, words = timed(work)
    return spent / 1000 / words


def product_gflops() -> float:
    """The machine's speed at one large product of float32 matrices; a multiply-add counts as two operations."""
    import tensorflow as tf

    left, right = (tf.random.stateless_uniform((_PRODUCT, _PRODUCT), (SEED, number)) for number in range(2))
    times = []
    for _ in range(_PRODUCTS):
        start = time.perf_counter()
        tf.matmul(left, right).numpy()
        times.append(time.perf_counter() - start)
    return 2 * _PRODUCT**3 / median(times) / 1e9


def epoch_gflop(decoder: "Decoder", grid: tuple[int, int], images: int, words: int) -> float:
    """Billions of operations in the matrix products of an epoch, forward and backward, on real words only.

    `grid` is the shape of a photograph's features. TensorFlow counts them for one photograph with a short and with a longer
    caption; the difference is the cost of a word.
    """
    short, longer = (_products(decoder, grid, length) for length in (_SHORT, 2 * _SHORT))
    word = (longer - short) / _SHORT
    return 2 * (images * (short - _SHORT * word) + words * word) / 1e9


def _products(decoder: "Decoder", grid: tuple[int, int], words: int) -> int:
    """The multiplications in the matrix products of one training step on one photograph with one caption."""
    import tensorflow as tf

    ids, features = np.arange(1, words + 1, dtype=np.int32), tf.ones((1, *grid))
    packed = (ids, ids, np.ones(words, np.int32), np.zeros(1, np.int32), np.arange(words, dtype=np.int32)[None], ids - 1)

    @tf.function(autograph=False)
    def step() -> list[Any]:
        with tf.GradientTape() as tape:
            scores = tf.reduce_sum(decoder.logits(features, packed, words))
        return tape.gradient(scores, decoder.trainable_variables)

    return sum(map(_multiplications, step.get_concrete_function().graph.get_operations()))


def _multiplications(operation: "tf.Operation") -> int:
    """The size of a matrix product's result, times the length of the axis that it sums over."""
    if operation.type not in ("MatMul", "BatchMatMulV2"):
        return 0
    side = operation.get_attr("transpose_a" if operation.type == "MatMul" else "adj_x")
    return int(np.prod(operation.outputs[0].shape)) * operation.inputs[0].shape[-2 if side else -1]


def _our_parts(workload: Workload, decoder: "Decoder") -> list[Work]:
    """Our training as one piece of work per round; each runs once here, so that nothing is left to compile."""
    from captioner.training.trainer import Trainer

    settings, first = workload.preset.training, workload.parts[0]
    trainer = Trainer(decoder, settings, SEED, -(-workload.images // settings.images_per_batch))
    dev = replace(first, records=first.records[:1], captions=first.captions[:1])

    def work(part: "Examples") -> int:
        trainer.epoch(1, part, dev, workload.views, Progress("", 0, "", shown=False))
        return count_words(part.captions)

    with Progress("compiling", len(workload.parts), "parts") as bar:
        for part in workload.parts:
            work(part)
            bar.advance()
    return [partial(work, part) for part in workload.parts]


def _recipe_work(examples: "Examples", decoder: "Decoder") -> tuple["RecipeTraining", int, Work]:
    """The recipe on the same photographs, its fastest number of rows per batch, and a few batches as a piece of work."""
    from captioner.benchmarks.keras_baseline import RecipeTraining

    recipe = RecipeTraining(examples, decoder)
    if not recipe.loss_difference < SAME_LOSS:
        raise TrainingError(
            f"With equal weights the recipe's loss per word should equal ours, but they differ by {recipe.loss_difference:.2g}. "
            "One is wrong on this machine. Report this with your versions of TensorFlow and Keras."
        )

    def seconds_per_row(size: int) -> float:
        recipe.train(size)  # Keras compiles for a new size.
        return median(_seconds_per_word(partial(recipe.train, size)) for _ in range(2))

    best = min(RECIPE_ROWS, key=seconds_per_row)
    return recipe, best, lambda: sum(recipe.train(best) for _ in range(_RECIPE_BATCHES))
