"""Operations of the decoder whose gradients are computed otherwise, and faster, than TensorFlow would; equal in value."""

import tensorflow as tf


def late_gradient(projected: tf.Tensor, recurrent: tf.Tensor, before: list[tf.Tensor]) -> tf.Tensor:
    """Give `recurrent` its gradient in one matrix product instead of one per step.

    The gradient that reaches `projected` is the one of all gates of all steps; with the hidden states `before` each step,
    which the loop fills in after this call and before any gradient is asked for, it is all that the product needs.
    """

    @tf.custom_gradient
    def attach(gates: tf.Tensor, _kernel: tf.Tensor) -> tuple:
        def backward(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return upstream, tf.matmul(tf.concat(before, axis=0), upstream, transpose_a=True)

        return tf.identity(gates), backward

    return attach(projected, recurrent)


def into_slots(words: tf.Tensor, slots: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Words (words, units) laid out by photograph, (images, slots, units); what stands in an empty slot must not be used.

    A word has one place, so its gradient is looked up there; TensorFlow would add up over all slots.
    """

    @tf.custom_gradient
    def lay(words: tf.Tensor) -> tuple:
        def backward(upstream: tf.Tensor) -> tf.Tensor:
            return tf.gather(tf.reshape(upstream, (-1, upstream.shape[-1])), places)

        return tf.gather(words, slots), backward

    return lay(words)


def out_of_slots(laid: tf.Tensor, slots: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """The way back: what stands in the slots of photographs, (images, slots, units), in the order of the words."""

    @tf.custom_gradient
    def collect(laid: tf.Tensor) -> tuple:
        def backward(upstream: tf.Tensor) -> tf.Tensor:
            own = tf.reshape(tf.range(tf.size(slots)), tf.shape(slots))
            taken = tf.equal(tf.gather(places, slots), own)[:, :, None]
            return tf.where(taken, tf.gather(upstream, slots), 0.0)

        return tf.gather(tf.reshape(laid, (-1, laid.shape[-1])), places), backward

    return collect(laid)
