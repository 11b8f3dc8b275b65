"""The counts against sums worked by hand, and against the number of multiplications that TensorFlow itself counts."""

from dataclasses import replace

import numpy as np
import pytest

from captioner.config import DecoderConfig
from captioner.operations import epoch_gflop, image_products, word_products

SMALL = DecoderConfig(embedding_dimensions=3, units=5, image_units=4, heads=2, hidden_units=7)


def test_by_hand():
    # 9 regions of 6 channels to 4 units, without a gradient for the features; then h and c of 5 units from 4.
    assert image_products(SMALL, 9, 6) == 2 * 9 * 6 * 4 + 3 * (4 * 5 + 4 * 5)
    # Word and state to 20 gates, the query, 9 scores and the context, hidden units from both, 11 words.
    word = 3 * 20 + 5 * 20 + 5 * 4 + 9 * 4 + 9 * 4 + 9 * 7 + 7 * 11
    assert word_products(SMALL, 11, 9, frozen=False) == 3 * word
    assert word_products(SMALL, 11, 9, frozen=True) == 3 * word - 3 * 20
    assert epoch_gflop(SMALL, 11, 9, 6, images=10, words=100) == pytest.approx(2 * (10 * 552 + 100 * 3 * word) / 1e9)


def test_other_entries_by_hand():
    merge = replace(SMALL, image_entry="merge", image_units=5, layers=2, hidden_units=0)
    assert image_products(merge, 9, 6) == 2 * 6 * 5
    assert word_products(merge, 11, 9, frozen=False) == 3 * (3 * 20 + 5 * 20 + 5 * 20 + 5 * 20 + 5 * 11)
    assert image_products(replace(SMALL, image_entry="pre"), 9, 6) == 2 * 6 * 3
    assert image_products(replace(SMALL, image_entry="init"), 9, 6) == 2 * 6 * 4 + 3 * (4 * 5 + 4 * 5)


def test_tensorflow_counts_the_same_forward():
    import tensorflow as tf

    from captioner.decoder import Decoder

    decoder = Decoder(SMALL, np.ones((11, 3), np.float32), 6, False)
    words = [1, 2, 3, 4]
    packed = tuple(np.array(part, np.int32) for part in (words, words, [1] * 4, [0], [[0, 1, 2, 3]], [0, 1, 2, 3]))
    graph = tf.function(lambda: decoder.logits(tf.ones((1, 9, 6)), packed, 4), autograph=False).get_concrete_function()
    products = sum(_multiplications(node) for node in graph.graph.get_operations())
    assert products == image_products(SMALL, 9, 6) - 9 * 6 * 4 - 2 * 40 + 4 * word_products(SMALL, 11, 9, frozen=False) / 3


def _multiplications(operation):
    """Of a product of matrices: all that comes out, times the length of what is summed over."""
    if operation.type not in ("MatMul", "BatchMatMulV2"):
        return 0
    side = operation.get_attr("transpose_a" if operation.type == "MatMul" else "adj_x")
    return int(np.prod(operation.outputs[0].shape)) * operation.inputs[0].shape[-2 if side else -1]
