"""The counts against sums worked by hand, and against the number of multiplications that TensorFlow itself counts."""

from dataclasses import replace

import numpy as np
import pytest

from captioner.benchmarks.operations import epoch_gflop, image_products, word_products
from captioner.config import DecoderConfig

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


def test_blocks_by_hand():
    # Nine blocks, however many regions, of 6 channels each end to end; that blocks are means is not counted, as of one mean.
    for regions in (9, 16, 81):
        init = replace(SMALL, image_entry="init", pooling="blocks")
        assert image_products(init, regions, 6) == 2 * 54 * 4 + 3 * (4 * 5 + 4 * 5)
        merge = replace(SMALL, image_entry="merge", image_units=5, pooling="blocks")
        assert image_products(merge, regions, 6) == 2 * 54 * 5
        assert image_products(replace(SMALL, image_entry="pre", pooling="blocks"), regions, 6) == 2 * 54 * 3
        word = 3 * 20 + 5 * 20 + 5 * 7 + 7 * 11  # A word costs what it costs without them.
        assert word_products(merge, 11, regions, frozen=False) == 3 * word


@pytest.mark.parametrize("layers", [1, 2])
def test_additive_attention_by_hand(layers):
    additive = replace(SMALL, attention="additive", layers=layers)
    # 9 regions of 6 channels to 4 units, their keys of 4 from these, h and c of each layer's 5 units from 4.
    assert image_products(additive, 9, 6) == 2 * 9 * 6 * 4 + 3 * (9 * 4 * 4) + 3 * layers * (4 * 5 + 4 * 5)
    # The word to 20 gates; the state too, a query of 4, 9 fits of 4 numbers each, their mixture, and what it adds to 20 gates;
    # a second layer's gates from what the first one says and from its own state; hidden units from both; 11 words.
    word = 5 * 20 + 5 * 4 + 9 * 4 + 9 * 4 + 4 * 20 + (layers - 1) * (5 * 20 + 5 * 20) + 9 * 7 + 7 * 11
    assert word_products(additive, 11, 9, frozen=False) == 3 * (3 * 20 + word)
    assert word_products(additive, 11, 9, frozen=True) == 2 * (3 * 20) + 3 * word


@pytest.mark.parametrize("entry", ["merge", "init", "pre"])
def test_without_attention_its_kind_costs_nothing(entry):
    plain = replace(SMALL, image_entry=entry)
    other = replace(plain, attention="additive")
    assert image_products(other, 9, 6) == image_products(plain, 9, 6)
    assert word_products(other, 11, 9, frozen=False) == word_products(plain, 11, 9, frozen=False)


def test_tensorflow_counts_the_same_forward():
    # Of the image 9 * 6 * 4 for its projection and 2 * 4 * 5 for the first state, each once.
    assert counted(SMALL) == 9 * 6 * 4 + 2 * 20 + 4 * word_products(SMALL, 11, 9, frozen=False) / 3


def test_tensorflow_counts_the_same_forward_with_additive_attention():
    additive = replace(SMALL, attention="additive")
    assert counted(additive) == 9 * 6 * 4 + 9 * 4 * 4 + 2 * 20 + 4 * word_products(additive, 11, 9, frozen=False) / 3


def test_tensorflow_counts_the_same_forward_with_blocks():
    # And 9 * 9 * 6 for the means themselves, which are not counted.
    blocks = replace(SMALL, image_entry="init", pooling="blocks")
    assert counted(blocks) == 9 * 9 * 6 + 54 * 4 + 2 * 20 + 4 * word_products(blocks, 11, 9, frozen=False) / 3


def counted(config) -> int:
    """TensorFlow's own multiplications for a photograph and a caption of four words, forward."""
    import tensorflow as tf

    from captioner.model.decoder import Decoder

    decoder = Decoder(config, np.ones((11, 3), np.float32), 6, False, regions=9)
    words = [1, 2, 3, 4]
    packed = tuple(np.array(part, np.int32) for part in (words, words, [1] * 4, [0], [[0, 1, 2, 3]], [0, 1, 2, 3]))
    graph = tf.function(lambda: decoder.logits(tf.ones((1, 9, 6)), packed, 4), autograph=False).get_concrete_function()
    return sum(_multiplications(node) for node in graph.graph.get_operations())


def _multiplications(operation):
    """Of a product of matrices: all that comes out, times the length of what is summed over."""
    if operation.type not in ("MatMul", "BatchMatMulV2"):
        return 0
    side = operation.get_attr("transpose_a" if operation.type == "MatMul" else "adj_x")
    return int(np.prod(operation.outputs[0].shape)) * operation.inputs[0].shape[-2 if side else -1]
