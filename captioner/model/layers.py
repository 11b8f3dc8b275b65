"""Decoder layers that Keras lacks: an LSTM over packed words, batch normalisation and seeded dropout.

Some operations have custom gradients, equal to TensorFlow's and faster.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from captioner.config import NORM_EPSILON
from captioner.model.blueprint import Part

ACTIVATIONS = {"tanh": tf.tanh, "relu": tf.nn.relu}


def build(name: str, part: Part, seeds: Iterator[int]) -> keras.layers.Layer:
    """A layer with new weights, drawn with the next seed."""
    if part.kind == "norm":
        return Normalisation(part.outputs, name)
    if part.kind == "lstm":
        return LstmLayer(part.inputs, part.outputs, next(seeds), name, part.activation)
    initializer = keras.initializers.GlorotUniform(seed=next(seeds))
    layer = keras.layers.Dense(part.outputs, part.activation, part.bias, name=name, kernel_initializer=initializer)
    layer.build((None, part.inputs))
    return layer


class LstmLayer(keras.layers.Layer):
    """An LSTM layer whose input is projected for all words at once; gates in the order input, forget, output, candidate."""

    def __init__(self, inputs: int, units: int, seed: int, name: str, activation: str = "tanh"):
        super().__init__(name=name)
        glorot, orthogonal = keras.initializers.GlorotUniform(seed=seed), keras.initializers.Orthogonal(seed=seed)
        self.units, self.activation = units, ACTIVATIONS[activation]
        self.kernel = self.add_weight(name="kernel", shape=(inputs, 4 * units), initializer=glorot)
        self.recurrent = self.add_weight(name="recurrent_kernel", shape=(units, 4 * units), initializer=orthogonal)
        self.bias = self.add_weight(name="bias", shape=(4 * units,), initializer=self._open_forget_gate)
        self.built = True

    def _open_forget_gate(self, shape: tuple, dtype: Any = None) -> tf.Tensor:
        return tf.repeat(tf.constant([0.0, 1.0, 0.0, 0.0], dtype), self.units)

    def run(
        self,
        inputs: tf.Tensor,
        counts: tf.Tensor,
        steps: int,
        hidden: tf.Tensor,
        memory: tf.Tensor,
        look: Callable[[tf.Tensor], tf.Tensor] | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """All steps of packed captions, (words, units), and the state after the last; a step takes only unfinished captions.

        `look` computes what attention adds to the gates from the last output: (rows, units) to (rows, 4 * units).
        """
        before: list[tf.Tensor] = []
        outputs: list[tf.Tensor] = []
        recurrent = tf.convert_to_tensor(self.recurrent)
        projected = late_gradient(tf.matmul(inputs, self.kernel) + self.bias, recurrent, before)
        for step, gates in enumerate(tf.split(projected, counts, num=steps)):
            before.append(hidden[: counts[step]])
            if look is not None:
                gates = gates + look(before[-1])
            gates = gates + tf.matmul(before[-1], tf.stop_gradient(recurrent))  # (rows, 4 * units)
            hidden, memory = self._step(gates, memory[: counts[step]])
            outputs.append(hidden)
        return tf.concat(outputs, axis=0), hidden, memory

    def _step(self, gates: tf.Tensor, memory: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        opened = tf.sigmoid(gates[:, : 3 * self.units])
        input_gate, forget_gate, output_gate = tf.split(opened, 3, axis=1)
        memory = forget_gate * memory + input_gate * self.activation(gates[:, 3 * self.units :])
        return output_gate * self.activation(memory), memory


class Normalisation(keras.layers.Layer):
    """Batch normalisation over photographs: by batch statistics in training, otherwise by running ones."""

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


class Dropout:
    """Dropout from a seed alone, so that a resumed run repeats it; without a seed there is no dropout."""

    def __init__(self, seed: tf.Tensor | None):
        self.seed, self.uses = seed, 0

    def __call__(self, values: tf.Tensor, rate: float, per_channel: bool = False) -> tf.Tensor:
        if self.seed is None or rate == 0:
            return values
        self.uses += 1
        shape = (tf.shape(values)[0], 1, values.shape[-1]) if per_channel and len(values.shape) == 3 else tf.shape(values)
        kept = tf.random.stateless_uniform(shape, tf.stack([self.seed, self.uses])) >= rate
        return values * tf.cast(kept, values.dtype) / (1 - rate)


def late_gradient(projected: tf.Tensor, recurrent: tf.Tensor, before: list[tf.Tensor]) -> tf.Tensor:
    """Give `recurrent` its gradient in one matrix product instead of one per step.

    The gradient that reaches `projected` is that of all gates of all steps. The product needs besides it only the hidden
    states `before` each step, which the loop appends after this call and before any gradient is computed.
    """

    @tf.custom_gradient
    def attach(gates: tf.Tensor, _kernel: tf.Tensor) -> tuple:
        def backward(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return upstream, tf.matmul(tf.concat(before, axis=0), upstream, transpose_a=True)

        return tf.identity(gates), backward

    return attach(projected, recurrent)


def lay_out(words: tf.Tensor, layout: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Lay out words (words, units) by photograph, (images, places, units); the content of empty places is meaningless.

    A word has one place, so its gradient is looked up there; TensorFlow would add up over all places.
    """

    @tf.custom_gradient
    def lay(words: tf.Tensor) -> tuple:
        def backward(upstream: tf.Tensor) -> tf.Tensor:
            return tf.gather(tf.reshape(upstream, (-1, upstream.shape[-1])), places)

        return tf.gather(words, layout), backward

    return lay(words)


def in_order(laid: tf.Tensor, layout: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Collect the places of photographs, (images, places, units), in the order of the words: the inverse of `lay_out`."""

    @tf.custom_gradient
    def collect(laid: tf.Tensor) -> tuple:
        def backward(upstream: tf.Tensor) -> tf.Tensor:
            own = tf.reshape(tf.range(tf.size(layout)), tf.shape(layout))
            taken = tf.equal(tf.gather(places, layout), own)[:, :, None]
            return tf.where(taken, tf.gather(upstream, layout), 0.0)

        return tf.gather(tf.reshape(laid, (-1, laid.shape[-1])), places), backward

    return collect(laid)
