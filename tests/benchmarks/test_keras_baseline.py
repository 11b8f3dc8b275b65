"""The recipe in plain Keras against our decoder: equal weights must give equal losses and equal captions."""

import numpy as np
import pytest

from captioner.captioning.beam_search import search
from captioner.config import DecoderConfig, SearchConfig
from captioner.errors import ConfigError
from captioner.vocabulary import END, START

CAPTIONS = [[(5, 6, 7), (8, 9)], [(4, 10, 11, 6, 6), (7,)]]
REGIONS, CHANNELS, WORDS, LENGTH = 9, 6, 12, 8


def new_decoder(image_entry="attention", layers=1, frozen=False, **more):
    """Weights drawn large enough for the photograph and every word to matter."""
    from captioner.model.decoder import Decoder

    random = np.random.default_rng(3)
    config = DecoderConfig(image_entry, 7, 8, layers, 8, 2, 5, **more)
    decoder = Decoder(config, random.normal(size=(WORDS, 7)).astype(np.float32), CHANNELS, frozen, regions=REGIONS)
    for weight in decoder.weights:
        values = random.normal(size=weight.shape)
        weight.assign(values**2 if weight.path.endswith("variance") else values)
    return decoder


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(4).normal(size=(2, REGIONS, CHANNELS)).astype(np.float32)


def test_every_prefix_is_a_row():
    from captioner.benchmarks.keras_baseline import prefix_rows

    rows = [tuple(row) for row in prefix_rows([[(5, 6)], [(7,)]])]
    assert rows == [(0, [START], 5), (0, [START, 5], 6), (0, [START, 5, 6], END), (1, [START], 7), (1, [START, 7], END)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("image_entry", "layers", "more"),
    [
        ("attention", 1, {}),
        ("merge", 2, {}),
        ("init", 1, {}),
        ("pre", 2, {}),
        ("merge", 2, {"pooling": "blocks", "activation": "relu"}),
        ("merge", 1, {"dropout_at": "words"}),
        ("pre", 1, {"image_norm": "batch"}),
    ],
)
def test_losses_and_captions_are_ours(image_entry, layers, more, features):
    from captioner.benchmarks.keras_baseline import Recipe, prefix_rows
    from captioner.model.losses import word_losses
    from captioner.model.packing import pack

    decoder = new_decoder(image_entry, layers, **more)
    recipe = Recipe(decoder, REGIONS, LENGTH)
    recipe.compile()
    packed = pack(CAPTIONS)
    ours = word_losses(decoder.logits(features, packed.arrays(), len(packed.counts)), packed.targets, 0.0)[0]
    assert recipe.loss(list(prefix_rows(CAPTIONS)), features) == pytest.approx(float(ours), abs=1e-4)
    assert [recipe.caption(photograph, 6) for photograph in features] == [greedy(decoder, row[None]) for row in features]


def test_what_the_recipe_cannot_do_is_told():
    from captioner.benchmarks.keras_baseline import Recipe

    with pytest.raises(ConfigError, match="without additive attention"):
        Recipe(new_decoder(attention="additive"), REGIONS, LENGTH)


def greedy(decoder, features):
    """Our own search over our own steps."""
    image, state = decoder.start(features)

    def step(state, words, _images):
        scores, state = decoder.step(image, state, words)
        return scores.numpy().copy(), np.zeros((1, 1)), tuple(part.numpy() for part in state), None

    config = SearchConfig(method="greedy", maximum_words=6)
    return search(step, tuple(part.numpy() for part in state), 1, config)[0][0].ids


def test_a_batch_is_padded_in_front_and_its_targets_are_one_hot(features):
    from captioner.benchmarks.keras_baseline import Recipe, prefix_rows

    recipe = Recipe(new_decoder("merge"), REGIONS, LENGTH)
    (seen, prefixes), targets = recipe.batch(list(prefix_rows(CAPTIONS))[2:5], features)
    assert prefixes.tolist() == [[0] * 5 + [START, 5, 6], [0] * 4 + [START, 5, 6, 7], [0] * 7 + [START]]
    assert targets.shape == (3, WORDS) and targets.argmax(axis=1).tolist() == [7, END, 8] and targets.sum() == 3
    np.testing.assert_array_equal(seen, features[[0, 0, 0]])


@pytest.mark.slow
@pytest.mark.parametrize("frozen", [False, True])
def test_training_moves_all_but_a_frozen_table(frozen, features):
    from captioner.benchmarks.keras_baseline import Recipe, prefix_rows

    recipe = Recipe(new_decoder("merge", frozen=frozen), REGIONS, LENGTH)
    recipe.compile()
    before = [weight.numpy() for weight in recipe.model.trainable_weights]
    recipe.train(list(prefix_rows(CAPTIONS)), features)
    assert all((old != new.numpy()).any() for old, new in zip(before, recipe.model.trainable_weights, strict=True))
    assert (WORDS, 7) in [tuple(weight.shape) for weight in recipe.model.trainable_weights] or frozen
    assert len(recipe.model.non_trainable_weights) >= frozen
