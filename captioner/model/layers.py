"""What decoders are built of besides Keras's own dense layers: an LSTM over packed words, dropout, batch normalisation."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from captioner.config import NORM_EPSILON
from captioner.model.gradients import late_gradient

ACTIVATIONS = {"tanh": tf.tanh, "relu": tf.nn.relu}


class Cell(keras.layers.Layer):
    """An LSTM layer whose input is projected for all words at once; gates in the order input, forget, output, candidate."""

    def __init__(self, inputs: int, units: int, seed: int, name: str, activation: str = "tanh"):
        super().__init__(name=name)
        glorot, orthogonal = keras.initializers.GlorotUniform(seed=seed), keras.initializers.Orthogonal(seed=seed)
        self.units, self.activation = units, ACTIVATIONS[activation]
        self.kernel = self.add_weight(name="kernel", shape=(inputs, 4 * units), initializer=glorot)
        self.recurrent = self.add_weight(name="recurrent_kernel", shape=(units, 4 * units), initializer=orthogonal)
        self.bias = self.add_weight(name="bias", shape=(4 * units,), initializer=self._forget_nothing_at_first)
        self.built = True

    def _forget_nothing_at_first(self, shape: tuple, dtype: Any = None) -> tf.Tensor:
        return tf.repeat(tf.constant([0.0, 1.0, 0.0, 0.0], dtype), self.units)

    def project(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.matmul(inputs, self.kernel) + self.bias

    def step(
        self, projected: tf.Tensor, hidden: tf.Tensor, memory: tf.Tensor, recurrent: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        gates = projected + tf.matmul(hidden, self.recurrent if recurrent is None else recurrent)  # (rows, 4 * units)
        opened = tf.sigmoid(gates[:, : 3 * self.units])
        enter, keep, leave = tf.split(opened, 3, axis=1)
        memory = keep * memory + enter * self.activation(gates[:, 3 * self.units :])
        return leave * self.activation(memory), memory

    def run(
        self,
        inputs: tf.Tensor,
        counts: tf.Tensor,
        steps: int,
        hidden: tf.Tensor,
        memory: tf.Tensor,
        look: Callable[[tf.Tensor], tf.Tensor] | None = None,
    ) -> tf.Tensor:
        """All steps of packed captions, (words, units); each step takes only the captions that still go on.

        `look` says what a photograph adds to the gates, from what was said last: (rows, units) to (rows, 4 * units).
        """
        before: list[tf.Tensor] = []
        outputs: list[tf.Tensor] = []
        recurrent = tf.convert_to_tensor(self.recurrent)
        projected = late_gradient(self.project(inputs), recurrent, before)
        for step, rows in enumerate(tf.split(projected, counts, num=steps)):
            before.append(hidden[: counts[step]])
            if look is not None:
                rows = rows + look(before[-1])
            hidden, memory = self.step(rows, before[-1], memory[: counts[step]], tf.stop_gradient(recurrent))
            outputs.append(hidden)
        return tf.concat(outputs, axis=0)


class Normalisation(keras.layers.Layer):
    """Batch normalisation over photographs: in training by the batch's own mean and variance, otherwise by running ones."""

    MOMENTUM = 0.99

    def __init__(self, units: int, name: str):
        super().__init__(name=name)
        self.scale = self.add_weight(name="scale", shape=(units,), initializer="ones")
        self.bias = self.add_weight(name="bias", shape=(units,), initializer="zeros")
        self.mean = self.add_weight(name="mean", shape=(units,), initializer="zeros", trainable=False)
        self.variance = self.add_weight(name="variance", shape=(units,), initializer="ones", trainable=False)
        self.built = True

    def normalise(self, values: tf.Tensor, training: bool) -> tf.Tensor:
        """(..., units); in training the running mean and variance move a little towards this batch's."""
        mean, variance = self.mean.value, self.variance.value
        if training:
            mean, variance = tf.nn.moments(values, list(range(len(values.shape) - 1)))
            for running, of_batch in ((self.mean, mean), (self.variance, variance)):
                running.assign(self.MOMENTUM * running.value + (1 - self.MOMENTUM) * of_batch)
        return (values - mean) * tf.math.rsqrt(variance + NORM_EPSILON) * self.scale + self.bias

    def scale_and_shift(self) -> tuple[np.ndarray, np.ndarray]:
        """The same by the running mean and variance, as arrays to multiply with and to add, (units,) each."""
        scale = self.scale.numpy() / np.sqrt(self.variance.numpy() + np.float32(NORM_EPSILON))
        return scale, self.bias.numpy() - self.mean.numpy() * scale


class Dropout:
    """Dropout whose random numbers follow from a seed alone, so that a resumed run repeats them; no seed, no dropout."""

    def __init__(self, seed: tf.Tensor | None):
        self.seed, self.uses = seed, 0

    def __call__(self, values: tf.Tensor, rate: float, per_channel: bool = False) -> tf.Tensor:
        if self.seed is None or rate == 0:
            return values
        self.uses += 1
        shape = (tf.shape(values)[0], 1, values.shape[-1]) if per_channel and len(values.shape) == 3 else tf.shape(values)
        kept = tf.random.stateless_uniform(shape, tf.stack([self.seed, self.uses])) >= rate
        return values * tf.cast(kept, values.dtype) / (1 - rate)
