"""Counts the multiplications that an epoch of training cannot do without, from the shapes of a decoder alone.

Only products of matrices on real words count, each multiplication with its addition as two operations; what is computed
for padding, activations, dropout, the loss and the optimizer does not.
"""

from captioner.config import DecoderConfig
from captioner.model.region_blocks import BLOCKS

FORWARD_ONLY_WEIGHTS = 2  # The product itself and the gradient of its weights; what went in needs none.
BOTH_GRADIENTS = 3  # The product, the gradient of its weights and the gradient of what went in.


def epoch_gflop(
    config: DecoderConfig, vocabulary: int, regions: int, channels: int, images: int, words: int, frozen: bool = False
) -> float:
    """Thousand millions of operations of an epoch, forward and backward."""
    products = images * image_products(config, regions, channels) + words * word_products(config, vocabulary, regions, frozen)
    return 2 * products / 1e9


def image_products(config: DecoderConfig, regions: int, channels: int) -> int:
    """Multiplications per photograph: its features projected, and the first states made from them."""
    places = regions if config.image_entry == "attention" else 1
    places = BLOCKS if config.pooling == "blocks" else places
    width = config.embedding_dimensions if config.image_entry == "pre" else config.image_units
    products = FORWARD_ONLY_WEIGHTS * places * channels * width
    if config.image_entry in ("attention", "init"):
        products += BOTH_GRADIENTS * 2 * config.layers * config.image_units * config.units
    if config.additive:
        products += BOTH_GRADIENTS * regions * config.image_units**2
    return products


def word_products(config: DecoderConfig, vocabulary: int, regions: int, frozen: bool) -> int:
    """Multiplications per word: through the LSTM, over the photograph, to the scores of all words."""
    gates = 4 * config.units
    first = (FORWARD_ONLY_WEIGHTS if frozen else BOTH_GRADIENTS) * config.embedding_dimensions * gates
    products = config.layers * config.units * gates + (config.layers - 1) * config.units * gates
    width = config.units
    if config.image_entry == "attention":
        products += config.units * config.image_units + 2 * regions * config.image_units
        width += config.image_units
        if config.additive:
            products += config.image_units * gates
    products += width * config.hidden_units + (config.hidden_units or width) * vocabulary
    return first + BOTH_GRADIENTS * products
