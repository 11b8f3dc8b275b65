"""Fine-tunes the encoder's later convolutions, once, end to end with decoders of all three variants; then it is frozen again.

The decoders take turns, batch by batch, so that the features favour none of them, and are thrown away afterwards. With
distillation, the network also keeps to the original's classes; a photograph without captions takes part in that alone. The
loop, early stop and history are those of `captioner.training.trainer`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from statistics import fmean
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from captioner.config import AdaptationConfig
from captioner.data.datasets import Record
from captioner.data.images import read
from captioner.errors import ConfigError
from captioner.model.decoder import PACKED_SIGNATURE, Decoder
from captioner.model.losses import word_losses
from captioner.model.packing import Packed, pack
from captioner.progress import Progress
from captioner.training.batches import Examples, epoch_order
from captioner.training.distillation import Distillation
from captioner.training.history import Epoch, TrainingState
from captioner.training.trainer import by_steps, optimizer, run_epoch, train
from captioner.training.weight_averages import Named, Swapped, move_averages
from captioner.vision.encoder import Encoder
from captioner.vision.feature_cache import View
from captioner.vision.keras_networks import Network

_DEV_BATCH = 50
_READERS = 2  # threads


class Batch(NamedTuple):
    """Some photographs and what is learned from them."""

    pictures: np.ndarray  # uint8 (images, size, size, 3)
    packed: Packed
    classes: np.ndarray  # the original's probabilities (images, classes), without distillation (images, 0)


def adapt(
    network: Network,
    original: Encoder,
    decoders: Mapping[str, Decoder],
    examples: Examples,
    dev: Examples,
    config: AdaptationConfig,
    seed: int,
    **more: Any,
) -> TrainingState:
    """Like `captioner.training.trainer.train`; `best` of the result are the encoder's fine-tuned weights."""
    steps = -(-examples.epoch_size(config.other_share) // config.images_per_batch)
    distillation = Distillation(original, network.classifier, config.distillation) if config.distillation else None
    adapter = Adapter(network.model, decoders, config, seed, steps, distillation)
    first = next(iter(decoders.values()))
    return train(first, examples, dev, config, seed, make_trainer=lambda *_: adapter, label="encoder", **more)


class Adapter:
    """The compiled steps of one fine-tuning, with an optimizer for the encoder and one for each decoder."""

    def __init__(
        self,
        model: keras.Model,
        decoders: Mapping[str, Decoder],
        config: AdaptationConfig,
        seed: int,
        steps_per_epoch: int,
        distillation: Distillation | None = None,
    ):
        self.model, self.decoders, self.config, self.seed = model, list(decoders.values()), config, seed
        self.size, self.distillation = model.input_shape[1], distillation
        self.moving = _trainable(model, config.first_block)
        self.optimizer = optimizer(config, steps_per_epoch)
        self.optimizer.build(self.moving)
        own = replace(config, learning_rate=config.decoder_learning_rate)
        self.decoder_optimizers = [optimizer(own, -(-steps_per_epoch // len(self.decoders))) for _ in self.decoders]
        for decoder, one in zip(self.decoders, self.decoder_optimizers, strict=True):
            one.build(decoder.trainable_variables)
        self.trained = [*self.moving, *(v for decoder in self.decoders for v in decoder.trainable_variables)]
        self.averages = [tf.Variable(variable.value, trainable=False) for variable in self.trained]
        pictures, classes = tf.TensorSpec((None, self.size, self.size, 3), tf.uint8), tf.TensorSpec((None, None), tf.float32)
        features = tf.TensorSpec((None, None, model.output_shape[-1]), tf.float32)
        turns = range(len(self.decoders))
        self._steps = [by_steps(partial(self._train_step, turn), [pictures, PACKED_SIGNATURE, classes]) for turn in turns]
        self._losses = [by_steps(partial(self._loss_step, turn), [features, PACKED_SIGNATURE]) for turn in turns]
        self._encode = tf.function(self._features, [pictures], autograph=False)

    def epoch(self, number: int, examples: Examples, dev: Examples, _views: Sequence[str], bar: Progress) -> Epoch:
        return run_epoch(self, number, enumerate(self._batches(examples, number)), dev, bar)

    def learn(self, numbered: tuple[int, Batch]) -> tuple[float, int]:
        number, (pictures, packed, classes) = numbered
        step = self._steps[number % len(self.decoders)](len(packed.counts))
        return float(step(pictures, packed.arrays(), classes)), len(packed.targets)

    def dev_loss(self, dev: Examples) -> float:
        """Mean loss per real word of the averaged weights, over all decoders, on whole photographs; the mean of the data sets.

        With distillation, its loss per photograph is added.
        """
        with Swapped(self.trained, self.averages):
            return fmean(map(self._mean_loss, dev.by_set()))

    def _mean_loss(self, examples: Examples) -> float:
        total, words, distilled = 0.0, 0, 0.0
        for first in range(0, len(examples.records), _DEV_BATCH):
            part = examples.part(slice(first, first + _DEV_BATCH))
            pictures = np.stack([View().apply(_rgb(record), self.size) for record in part.records])
            features, packed = self._encode(pictures), pack(part.captions)
            distilled += float(self._distilled(features, self._classes(pictures))) * len(pictures)
            for losses in self._losses:
                loss = losses(len(packed.counts))(features, packed.arrays())
                total, words = total + float(loss) * len(packed.targets), words + len(packed.targets)
        return total / words + distilled / len(examples.records)

    def averaged_weights(self) -> dict[str, np.ndarray]:
        """The encoder's alone; those of the decoders are not kept."""
        return {variable.path: average.numpy() for variable, average in zip(self.moving, self.averages, strict=False)}

    def named_variables(self) -> Named:
        for number, (variable, average) in enumerate(zip(self.trained, self.averages, strict=True)):
            yield f"weights/{number}", variable.value
            yield f"averages/{number}", average
        for number, one in enumerate((self.optimizer, *self.decoder_optimizers)):
            for variable in one.variables:
                yield f"optimizer{number}/{variable.path}", variable.value

    def _batches(self, examples: Examples, epoch: int) -> Iterator[Batch]:
        """Other threads read pictures and see them with the original while the network works on the batch before."""
        order = epoch_order(examples, self.config.other_share, np.random.default_rng((self.seed, epoch)))
        size = self.config.images_per_batch
        times: Counter[int] = Counter()
        with ThreadPoolExecutor(_READERS) as readers, ThreadPoolExecutor(1) as ahead:

            def prepare(part: np.ndarray) -> Batch:
                given = [(examples.records[image], epoch, image, time) for image, time in counted(part)]
                pictures = np.stack([*readers.map(lambda one: self._picture(*one), given)])
                return Batch(pictures, pack([examples.captions[image] for image in part]), self._classes(pictures))

            def counted(part: np.ndarray) -> Iterator[tuple[int, int]]:
                for image in part.tolist():
                    times[image] += 1
                    yield image, times[image]

            waiting = ahead.submit(prepare, order[:size])
            for first in range(size, len(order), size):
                batch, waiting = waiting.result(), ahead.submit(prepare, order[first : first + size])
                yield batch
            yield waiting.result()

    def _classes(self, pictures: np.ndarray) -> np.ndarray:
        return self.distillation.targets(pictures) if self.distillation else np.zeros((len(pictures), 0), np.float32)

    def _picture(self, record: Record, epoch: int, image: int, time: int = 1) -> np.ndarray:
        """A random crop, perhaps mirrored, with random contrast and brightness, all from the seed; others for a second time."""
        random = np.random.default_rng((self.seed, epoch, int(image), *[time] * (time > 1)))
        picture = random_view(random, self.config.smallest_crop).apply(_rgb(record), self.size).astype(np.float32)
        contrast, brightness = random.uniform(1 - self.config.light, 1 + self.config.light, 2)
        mean = picture.mean()
        return np.clip((picture - mean) * contrast + mean * brightness, 0, 255).astype(np.uint8)

    def _train_step(self, turn: int, pictures: tf.Tensor, packed: tuple, classes: tf.Tensor, steps: int) -> tf.Tensor:
        own = self.decoders[turn].trainable_variables if steps else []  # A batch without captions teaches the encoder alone.
        with tf.GradientTape() as tape:
            features = self._features(pictures)
            plain, smoothed = self._word_losses(turn, features, packed, steps) if steps else (0.0, 0.0)
            distilled = self._distilled(features, classes)
            loss = smoothed + distilled
        gradients = tape.gradient(loss, [v.value for v in (*self.moving, *own)])
        self.optimizer.apply(gradients[: len(self.moving)], self.moving)
        if own:
            self.decoder_optimizers[turn].apply(gradients[len(self.moving) :], own)
        move_averages(self.averages, self.trained, self.optimizer.iterations, self.config.averaging)
        return plain + distilled

    def _word_losses(self, turn: int, features: tf.Tensor, packed: tuple, steps: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean loss per word with dropout, plain and smoothed."""
        seed = tf.cast(self.optimizer.iterations, tf.int32) * 1000 + self.seed
        logits = self.decoders[turn].logits(features, packed, steps, seed)
        return word_losses(logits, packed[1], self.config.label_smoothing)

    def _distilled(self, features: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
        return self.distillation.loss(features, classes) if self.distillation else tf.constant(0.0)

    def _loss_step(self, turn: int, features: tf.Tensor, packed: tuple, steps: int) -> tf.Tensor:
        return word_losses(self.decoders[turn].logits(features, packed, steps), packed[1], 0.0)[0]

    def _features(self, pictures: tf.Tensor) -> tf.Tensor:
        grid = self.model(tf.cast(pictures, tf.float32), training=False)
        return tf.reshape(grid, (tf.shape(grid)[0], -1, grid.shape[-1]))


def random_view(random: np.random.Generator, smallest: float) -> View:
    """The whole photograph one time in four, else a crop of nearly its shape; mirrored every other time."""
    mirrored = bool(random.random() < 0.5)
    if random.random() < 0.25:
        return View(mirrored=mirrored)
    side, stretch = np.sqrt(random.uniform(smallest, 1)), np.exp(random.uniform(-0.12, 0.12))
    width, height = min(1.0, side * stretch), min(1.0, side / stretch)
    left, top = random.uniform(0, 1 - width), random.uniform(0, 1 - height)
    return View((left, top, left + width, top + height), mirrored)


def _trainable(model: keras.Model, first_block: str) -> list[keras.Variable]:
    """Unfreeze all convolutions from that block on, and return their weights."""
    model.trainable, moving = True, False
    for layer in model.layers:
        moving = moving or layer.name.startswith(first_block)
        layer.trainable = moving
    if not model.trainable_variables:
        raise ConfigError(f"No convolution of the encoder begins with '{first_block}'; choose blocks_4 or conv_head, say.")
    return list(model.trainable_variables)


def _rgb(record: Record) -> np.ndarray:
    return read(record.read(), record.name)
