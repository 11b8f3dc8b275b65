"""Trains the encoder's later convolutions on, once, end to end with decoders of all three variants; then it is frozen again.

The decoders take turns, batch by batch, so that the features suit none of them more than another; they are thrown away
afterwards. The loop, early stop and history are those of `captioner.training.trainer`.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

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
from captioner.training.history import Epoch, TrainingState
from captioner.training.trainer import Examples, finite, optimizer, train
from captioner.training.weight_averages import Swapped, move_averages, restore, values_of
from captioner.vision import efficientnet_lite2
from captioner.vision.feature_cache import View

_DEV_IMAGES_AT_ONCE = 50
_READERS = 2


def adapt(
    decoders: Mapping[str, Decoder], examples: Examples, dev: Examples, config: AdaptationConfig, seed: int, **more: Any
) -> TrainingState:
    """As `captioner.training.trainer.train`; `best` of what it gives are the encoder's trained weights."""
    network = efficientnet_lite2.build(efficientnet_lite2.read_weights())
    adapter = Adapter(network, decoders, config, seed, -(-len(examples.records) // config.images_per_batch))
    first = next(iter(decoders.values()))
    return train(first, examples, dev, config, seed, make_trainer=lambda *_: adapter, label="encoder", **more)


class Adapter:
    """The compiled steps of one adaptation, with an optimizer for the encoder and one for each decoder."""

    def __init__(
        self, model: keras.Model, decoders: Mapping[str, Decoder], config: AdaptationConfig, seed: int, steps_per_epoch: int
    ):
        self.model, self.decoders, self.config, self.seed = model, list(decoders.values()), config, seed
        self.steps_per_epoch, self.size = steps_per_epoch, model.input_shape[1]
        self.moving = _trainable(model, config.first_block)
        self.optimizer = optimizer(config, steps_per_epoch)
        self.optimizer.build(self.moving)
        turns = replace(config, learning_rate=config.decoder_learning_rate)
        self.others = [optimizer(turns, -(-steps_per_epoch // len(self.decoders))) for _ in self.decoders]
        for decoder, own in zip(self.decoders, self.others, strict=True):
            own.build(decoder.trainable_variables)
        self.variables_of_all = [*self.moving, *(v for decoder in self.decoders for v in decoder.trainable_variables)]
        self.averages = [tf.Variable(variable.value, trainable=False) for variable in self.variables_of_all]
        self._steps: dict[tuple[str, int, int], tf.types.experimental.PolymorphicFunction] = {}

    def epoch(self, number: int, examples: Examples, dev: Examples, _views: Sequence[str], bar: Progress) -> Epoch:
        start, total, words = time.monotonic(), 0.0, 0
        for turn, (pictures, packed) in enumerate(self._batches(examples, number)):
            step = self._compiled("train", turn % len(self.decoders), len(packed.counts))
            loss = finite(float(step(pictures, packed.arrays())), number)
            total, words = total + loss * len(packed.targets), words + len(packed.targets)
            bar.advance(note=f"epoch {number}, loss {total / words:.3f}")
        dev_loss, rate = finite(self.dev_loss(dev), number), float(self.optimizer.learning_rate)
        return Epoch(number, total / words, dev_loss, time.monotonic() - start, rate)

    def dev_loss(self, dev: Examples) -> float:
        """Mean loss per real word of the averaged weights, over all decoders, on whole photographs."""
        total, words = 0.0, 0
        with Swapped(self.variables_of_all, self.averages):
            for first in range(0, len(dev.records), _DEV_IMAGES_AT_ONCE):
                part = range(first, min(first + _DEV_IMAGES_AT_ONCE, len(dev.records)))
                pictures = np.stack([View().apply(_rgb(dev.records[image]), self.size) for image in part])
                packed = pack([dev.captions[image] for image in part])
                for turn in range(len(self.decoders)):
                    loss = self._compiled("loss", turn, len(packed.counts))(pictures, packed.arrays())
                    total, words = total + float(loss) * len(packed.targets), words + len(packed.targets)
        return total / words

    def averaged_weights(self) -> dict[str, np.ndarray]:
        """The encoder's alone; the decoders have done their part."""
        return {
            variable.path: average.numpy() for variable, average in zip(self.moving, self.averages, strict=False)
        }

    def variables(self) -> dict[str, np.ndarray]:
        return values_of(self._named_variables())

    def restore(self, values: Mapping[str, np.ndarray]) -> None:
        restore(self._named_variables(), values)

    def _named_variables(self) -> Iterator[tuple[str, tf.Variable]]:
        for number, (variable, average) in enumerate(zip(self.variables_of_all, self.averages, strict=True)):
            yield f"weights/{number}", variable.value
            yield f"averages/{number}", average
        for number, one in enumerate((self.optimizer, *self.others)):
            for variable in one.variables:
                yield f"optimizer{number}/{variable.path}", variable.value

    def _batches(self, examples: Examples, epoch: int) -> Iterator[tuple[np.ndarray, Packed]]:
        """Pictures are read in other threads while the network works on those before them."""
        order = np.random.default_rng((self.seed, epoch)).permutation(len(examples.records))
        at_once = self.config.images_per_batch
        parts = [order[first : first + at_once] for first in range(0, len(order), at_once)]
        with ThreadPoolExecutor(_READERS) as pool:

            def ask(part: np.ndarray) -> list[Future]:
                return [pool.submit(self._picture, examples.records[image], epoch, image) for image in part]

            waiting = ask(parts[0])
            for part, following in zip(parts, [*parts[1:], parts[0][:0]], strict=True):
                pictures = np.stack([picture.result() for picture in waiting])
                waiting = ask(following)
                yield pictures, pack([examples.captions[image] for image in part])

    def _picture(self, record: Record, epoch: int, image: int) -> np.ndarray:
        """A crop of the photograph, perhaps in the mirror, a little lighter or darker: all of it follows from the seed."""
        random = np.random.default_rng((self.seed, epoch, int(image)))
        picture = random_view(random, self.config.smallest_crop).apply(_rgb(record), self.size).astype(np.float32)
        contrast, brightness = random.uniform(1 - self.config.light, 1 + self.config.light, 2)
        mean = picture.mean()
        return np.clip((picture - mean) * contrast + mean * brightness, 0, 255).astype(np.uint8)

    def _compiled(self, kind: str, turn: int, steps: int) -> tf.types.experimental.PolymorphicFunction:
        if (kind, turn, steps) not in self._steps:
            body = self._train_step if kind == "train" else self._loss_step
            self._steps[kind, turn, steps] = tf.function(
                lambda pictures, packed: body(pictures, packed, turn, steps),
                [tf.TensorSpec((None, self.size, self.size, 3), tf.uint8), PACKED_SIGNATURE],
                autograph=False,
            )
        return self._steps[kind, turn, steps]

    def _train_step(self, pictures: tf.Tensor, packed: tuple, turn: int, steps: int) -> tf.Tensor:
        decoder, own = self.decoders[turn], self.others[turn]
        seed = tf.cast(self.optimizer.iterations, tf.int32) * 1000 + self.seed
        with tf.GradientTape() as tape:
            logits = decoder.logits(self._features(pictures), packed, steps, seed)
            plain, smoothed = word_losses(logits, packed[1], self.config.label_smoothing)
        gradients = tape.gradient(smoothed, [v.value for v in (*self.moving, *decoder.trainable_variables)])
        self.optimizer.apply(gradients[: len(self.moving)], self.moving)
        own.apply(gradients[len(self.moving) :], decoder.trainable_variables)
        move_averages(self.averages, self.variables_of_all, self.optimizer.iterations, self.config.averaging)
        return plain

    def _loss_step(self, pictures: tf.Tensor, packed: tuple, turn: int, steps: int) -> tf.Tensor:
        return word_losses(self.decoders[turn].logits(self._features(pictures), packed, steps), packed[1], 0.0)[0]

    def _features(self, pictures: tf.Tensor) -> tf.Tensor:
        grid = self.model(tf.cast(pictures, tf.float32), training=False)
        return tf.reshape(grid, (tf.shape(grid)[0], -1, grid.shape[-1]))


def random_view(random: np.random.Generator, smallest: float) -> View:
    """The whole photograph one time in four, else a crop of nearly its shape; in the mirror every other time."""
    mirrored = bool(random.random() < 0.5)
    if random.random() < 0.25:
        return View(mirrored=mirrored)
    side, stretch = np.sqrt(random.uniform(smallest, 1)), np.exp(random.uniform(-0.12, 0.12))
    width, height = min(1.0, side * stretch), min(1.0, side / stretch)
    left, top = random.uniform(0, 1 - width), random.uniform(0, 1 - height)
    return View((left, top, left + width, top + height), mirrored)


def _trainable(model: keras.Model, first_block: str) -> list[keras.Variable]:
    """The weights of all convolutions from that one on; those before it stay as they are."""
    model.trainable, moving = True, False
    for layer in model.layers:
        moving = moving or layer.name.startswith(first_block)
        layer.trainable = moving
    if not model.trainable_variables:
        raise ConfigError(f"No convolution of the encoder begins with '{first_block}'; name one such as blocks_4 or conv_head.")
    return list(model.trainable_variables)


def _rgb(record: Record) -> np.ndarray:
    return read(record.read(), record.name)
