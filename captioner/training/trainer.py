"""Trains one decoder: cross-entropy per real word, an early stop on dev, and a state to resume from after every epoch.

Touches no disk: the caller gets the state after every epoch and decides what to keep. Batches are left to
`captioner.training.batches`.
"""

import functools
import math
import time
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from captioner.config import Schedule, TrainingConfig
from captioner.errors import DivergedError
from captioner.model.copying import slots_of_words, slots_signature
from captioner.model.decoder import PACKED_SIGNATURE, Decoder, Slots
from captioner.model.losses import mixture_losses, word_losses
from captioner.progress import Progress
from captioner.runtime import cores
from captioner.training.batches import Batch, Examples, batches
from captioner.training.history import Epoch, TrainingState
from captioner.training.weight_averages import Named, Swapped, move_averages, restore, values_of
from captioner.training.worker_group import SingleWorker
from captioner.vision.feature_cache import WHOLE

Compiled = tf.types.experimental.PolymorphicFunction

_DEV_BATCH = 50


def train(
    decoder: Decoder,
    examples: Examples,
    dev: Examples,
    config: Schedule,
    seed: int,
    views: Sequence[str] = (WHOLE,),
    state: TrainingState | None = None,
    after_epoch: Callable[[TrainingState], None] = lambda state: None,
    label: str = "training",
    make_trainer: Callable[[Decoder, Any, int, int], Any] | None = None,
    shown: bool = True,
) -> TrainingState:
    """Train until the epochs are done or dev has not improved for `patience` of them; start from `state` if given."""
    state = state or TrainingState()
    steps_per_epoch = math.ceil(examples.epoch_size(config.other_share) / config.images_per_batch)
    trainer = (make_trainer or Trainer)(decoder, config, seed, steps_per_epoch)
    if state.variables:
        restore(trainer.named_variables(), state.variables)
    with Progress(label, config.epochs * steps_per_epoch, "batches", shown=shown) as bar:
        bar.skip(len(state.epochs) * steps_per_epoch)
        while not state.finished(config):
            number = len(state.epochs) + 1
            state.variables = {}  # Already saved; free the memory.
            state.epochs.append(trainer.epoch(number, examples, dev, views, bar))
            state.variables = values_of(trainer.named_variables())
            if state.best_epoch == number:
                state.best = trainer.averaged_weights()
            after_epoch(state)
    return state


def run_epoch(trainer: Any, number: int, batches: Iterable, dev: Examples, bar: Progress) -> Epoch:
    """Learn from every batch, then take the loss on dev; `learn` gives the mean loss per word and the number of words."""
    start, total, words = time.monotonic(), 0.0, 0
    for batch in batches:
        loss, more = trainer.learn(batch)
        total += finite(loss, number) * more
        words += more
        bar.advance(note=f"epoch {number}, loss {total / max(words, 1):.3f}")
    dev_loss, rate = finite(trainer.dev_loss(dev), number), float(trainer.optimizer.learning_rate)
    return Epoch(number, total / words, dev_loss, time.monotonic() - start, rate, cores=cores())


class Trainer:
    """The compiled steps of one run, with the optimizer and the averaged weights."""

    config: TrainingConfig
    workers = SingleWorker()

    def __init__(self, decoder: Decoder, config: Schedule, seed: int, steps_per_epoch: int):
        self.decoder, self.config, self.seed = decoder, config, seed
        self.optimizer = optimizer(config, steps_per_epoch)
        self.optimizer.build(decoder.trainable_variables)
        self.averages = [tf.Variable(variable.value, trainable=False) for variable in decoder.trainable_variables]
        self.losses = losses_of(decoder)
        self._step = by_steps(self._train_step, _signature(decoder))
        self._apply = tf.function(self._apply_gradients, autograph=False)

    def epoch(self, number: int, examples: Examples, dev: Examples, views: Sequence[str], bar: Progress) -> Epoch:
        return run_epoch(self, number, batches(examples, self.config, self.seed, number, views, self.workers.shard), dev, bar)

    def learn(self, batch: Batch | None) -> tuple[float, int]:
        """Take one step; the mean loss per word before it, and the number of words."""
        features, slots, packed = batch
        return float(self._step(len(packed.counts))(features, slots, packed.arrays())), len(packed.targets)

    def dev_loss(self, dev: Examples) -> float:
        """Mean loss per real word of the averaged weights, without dropout."""
        with self.averaged():
            return mean_loss(self.losses, dev)

    def averaged(self) -> Swapped:
        """A context in which the decoder has its averaged weights."""
        return Swapped(self.decoder.trainable_variables, self.averages)

    def averaged_weights(self) -> dict[str, np.ndarray]:
        names = [variable.path for variable in self.decoder.trainable_variables]
        averages = dict(zip(names, (average.numpy() for average in self.averages), strict=True))
        return averages | {variable.path: variable.numpy() for variable in self.decoder.statistics}

    def named_variables(self) -> Named:
        """Everything that changes in a run: weights, their averages and the optimizer's state."""
        for variable, average in zip(self.decoder.trainable_variables, self.averages, strict=True):
            yield f"weights/{variable.path}", variable.value
            yield f"averages/{variable.path}", average
        for variable in self.decoder.statistics:
            yield f"statistics/{variable.path}", variable.value
        for variable in self.optimizer.variables:
            yield f"optimizer/{variable.path}", variable.value

    def _train_step(self, features: tf.Tensor, slots: Slots, packed: tuple, steps: int) -> tf.Tensor:
        with tf.GradientTape() as tape:
            plain, smoothed = self._losses(features, slots, packed, steps)
        self._move(tape, smoothed)
        return plain

    def _losses(self, features: tf.Tensor, slots: Slots, packed: tuple, steps: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean loss per word with dropout, plain and smoothed."""
        return mean_losses(self.decoder, features, slots, packed, steps, self.config.label_smoothing, self._dropout_seed())

    def _dropout_seed(self) -> tf.Tensor:
        return tf.cast(self.optimizer.iterations, tf.int32) * 1000 + self.seed

    def _move(self, tape: tf.GradientTape, loss: tf.Tensor) -> None:
        """One step of the optimizer, and of the averages after it."""
        variables = self.decoder.trainable_variables
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        self._apply([tf.convert_to_tensor(gradient) for gradient in gradients])

    def _apply_gradients(self, gradients: Sequence[tf.Tensor]) -> None:
        variables = self.decoder.trainable_variables
        self.optimizer.apply(gradients, variables)
        move_averages(self.averages, variables, self.optimizer.iterations, self.config.averaging)


def finite(loss: float, epoch: int) -> float:
    if not math.isfinite(loss):
        raise DivergedError(f"The loss became {loss} in epoch {epoch}; lower the learning rate and start again.")
    return loss


def by_steps(body: Callable, signature: list) -> Callable[[int], Compiled]:
    """The body, which takes the number of steps last, compiled once for each bucket of caption lengths."""
    return functools.cache(lambda steps: tf.function(lambda *given: body(*given, steps), signature, autograph=False))


def losses_of(decoder: Decoder) -> Callable[[int], Compiled]:
    """By the number of steps, the compiled loss per word of a decoder without dropout."""

    def loss(features: tf.Tensor, slots: Slots, packed: tuple, steps: int) -> tf.Tensor:
        return mean_losses(decoder, features, slots, packed, steps)[0]

    return by_steps(loss, _signature(decoder))


def mean_losses(
    decoder: Decoder,
    features: tf.Tensor,
    slots: Slots,
    packed: tuple,
    steps: int,
    smoothing: float = 0.0,
    seed: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean loss per word, plain and with label smoothing; a seed turns dropout on."""
    scores = decoder.scores(tf.cast(features, decoder.compute_dtype), packed, steps, seed, slots)
    if scores.copying is None:
        return word_losses(scores.logits, packed[1], smoothing)
    plain, smoothed = mixture_losses(scores, packed[1], slots_of_words(slots, packed), smoothing)
    return tf.reduce_mean(plain), tf.reduce_mean(smoothed)


def mean_loss(losses: Callable[[int], Compiled], examples: Examples) -> float:
    """Mean loss per real word; with several data sets, the mean of theirs."""
    sums = [summed_loss(losses, part) for part in examples.by_set()]
    return fmean(total / words for total, words in sums)


def summed_loss(losses: Callable[[int], Compiled], examples: Examples) -> tuple[float, int]:
    """The summed loss of all real words, and their number."""
    total, words = 0.0, 0
    for first in range(0, len(examples.records), _DEV_BATCH):
        features, slots, packed = examples.batch(range(first, min(first + _DEV_BATCH, len(examples.records))))
        total += float(losses(len(packed.counts))(features, slots, packed.arrays())) * len(packed.targets)
        words += len(packed.targets)
    return total, words


def _signature(decoder: Decoder) -> list:
    return [tf.TensorSpec((None, None, decoder.channels), tf.float16), slots_signature(decoder), PACKED_SIGNATURE]


def optimizer(config: Schedule, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """AdamW whose rate rises linearly, then falls as a cosine."""
    warmup = max(1, round(config.warmup_epochs * steps_per_epoch))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, config.epochs * steps_per_epoch - warmup), warmup_target=config.learning_rate, warmup_steps=warmup
    )
    # Keras numbers unnamed optimizers through the process, and a resumed run would not find the names of its state again.
    adam = keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay, global_clipnorm=config.clip_norm, name="adam_w")
    adam.exclude_from_weight_decay(var_names=["bias"])
    return adam
