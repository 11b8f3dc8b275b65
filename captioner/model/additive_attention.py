"""Additive attention (Bahdanau et al., 2015): a region's weight depends on tanh(key + query)."""

import tensorflow as tf


class AdditiveAttention:
    """Attention step by step over packed captions; a step takes only unfinished captions."""

    def __init__(self, keys: tf.Tensor, values: tf.Tensor, energy: tf.Tensor):
        """Keys and values of each caption's photograph, (captions, regions, units); energy (units, 1)."""
        self._keys, self._values, self._energy = keys, values, energy
        self._contexts: list[tf.Tensor] = []

    def __call__(self, query: tf.Tensor) -> tf.Tensor:
        """The contexts of the unfinished captions, (rows, units)."""
        rows = tf.shape(query)[0]
        # Slices of slices: the gradient of a step is then as large as its rows, not as large as all captions.
        self._keys, self._values = self._keys[:rows], self._values[:rows]
        bent = tf.tanh(self._keys + query[:, None])  # (rows, regions, units)
        # Not by `tf.matmul`, whose values are wrong where it broadcasts a matrix of one column over several dimensions.
        weights = tf.nn.softmax(tf.tensordot(bent, self._energy, 1)[..., 0])  # (rows, regions)
        self._contexts.append(tf.matmul(weights[:, None], self._values)[:, 0])
        return self._contexts[-1]

    def contexts(self) -> tf.Tensor:
        """The contexts of all words so far, (words, units)."""
        return tf.concat(self._contexts, axis=0)
