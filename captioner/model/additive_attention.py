"""Additive attention, as it was first published: every region's key and the query are added, bent and weighed.

For single words as it stands in the formula; for whole captions step after step, with a gradient that is put together once.
"""

import tensorflow as tf


def mixture(query: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, energy: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The mixture of the regions that fit, (images, slots, units), and the weights, (images, slots, regions).

    For query (images, slots, units), keys and values (images, regions, units), energy (units, 1).
    """
    weights = _weights(tf.tanh(keys[:, None] + query[:, :, None]), energy)
    return tf.matmul(weights, values), weights


class Looks:
    """The looks of packed captions, one after the other; each step takes only the captions that still go on.

    TensorFlow would add up what every step leaves for all regions of all captions, which takes three times as long. Here the
    steps stop at their query, and what they leave is put together when the gradient has come back to `begin`.
    """

    def __init__(self, keys: tf.Tensor, values: tf.Tensor, energy: tf.Tensor):
        """Keys and values of each caption's photograph, (captions, regions, units); energy (units, 1)."""
        self._sources = keys, values, energy
        self._keys, self._values, self._energy = (tf.stop_gradient(source) for source in self._sources)
        self._seen: list[tf.Tensor] = []
        self._left: list[tuple[tf.Tensor, ...]] = []

    def begin(self, hidden: tf.Tensor) -> tf.Tensor:
        """The first state as it is; all looks must depend on it, so that its gradient comes after those of all looks."""

        @tf.custom_gradient
        def attach(hidden: tf.Tensor, *_sources: tf.Tensor) -> tuple:
            def backward(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
                return upstream, *self._put_together()

            return tf.identity(hidden), backward

        return attach(hidden, *self._sources)

    def __call__(self, query: tf.Tensor) -> tf.Tensor:
        """What the captions that still go on see, (rows, units)."""

        @tf.custom_gradient
        def mix(query: tf.Tensor) -> tuple:
            rows = tf.shape(query)[0]
            keys, values = self._keys[:rows], self._values[:rows]
            bent = tf.tanh(keys + query[:, None])  # (rows, regions, units)
            weights = _weights(bent, self._energy)

            def backward(upstream: tf.Tensor) -> tf.Tensor:
                of_weights = tf.matmul(values, upstream[..., None])[..., 0]
                of_fits = weights * (of_weights - tf.reduce_sum(weights * of_weights, axis=1, keepdims=True))
                once = of_fits[..., None] * bent
                twice = once * bent
                self._left.append((weights, upstream, of_fits, tf.reduce_sum(once, axis=(0, 1)), twice))
                # The derivative of a hyperbolic tangent is one less its square; the gradients of a caption's fits sum to zero.
                return -self._energy[:, 0] * tf.reduce_sum(twice, axis=1)

            return tf.matmul(weights[:, None], values)[:, 0], backward

        self._seen.append(mix(query))
        return self._seen[-1]

    def seen(self) -> tf.Tensor:
        """All that was seen, (words, units)."""
        return tf.concat(self._seen, axis=0)

    def _put_together(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The gradients of keys, values and energy."""
        weights, upstream, of_fits, of_energy, twice = zip(*self._left, strict=True)  # The last step, with fewest rows, first.
        self._left.clear()
        rows = tf.shape(self._keys)[0]
        of_values = tf.matmul(_by_caption(weights, rows), _by_caption(upstream, rows), transpose_a=True)
        of_keys = self._energy[:, 0] * (_added(of_fits)[..., None] - _added(twice))
        return of_keys, of_values, tf.add_n(of_energy)[:, None]


def _weights(bent: tf.Tensor, energy: tf.Tensor) -> tf.Tensor:
    """How well each region fits, (..., regions), of (..., regions, units)."""
    # Not by `tf.matmul`, which spoils memory where it repeats a matrix of one column along several dimensions.
    return tf.nn.softmax(tf.tensordot(bent, energy, 1)[..., 0])


def _by_caption(steps: tuple[tf.Tensor, ...], rows: tf.Tensor) -> tf.Tensor:
    """What steps have of their captions, (some rows, numbers) each, as (rows, steps, numbers), zero where they have none."""
    return tf.stack([tf.pad(step, [[0, rows - tf.shape(step)[0]], [0, 0]]) for step in steps], axis=1)


def _added(steps: tuple[tf.Tensor, ...]) -> tf.Tensor:
    """The sum of what steps have, each of at least as many rows as the one before it."""
    total = steps[0]
    for step in steps[1:]:
        rows = tf.shape(total)[0]
        total = tf.concat([step[:rows] + total, step[rows:]], axis=0)
    return total
