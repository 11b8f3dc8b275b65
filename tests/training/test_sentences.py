"""Sentences without photographs: which are chosen, what their slots hold, and how they join a batch."""

from dataclasses import replace

import numpy as np
import pytest

from captioner.config import FIRST, REWARD
from captioner.errors import ConfigError
from captioner.model.word_slots import SlotFinder, WordSlots
from captioner.training.batches import Examples, batches
from captioner.training.run import Run
from captioner.training.run_inputs import RunInputs, Sources
from captioner.training.sentences import Sentences
from captioner.training.worker_group import Shard
from captioner.vocabulary import PADDING, SPECIAL_WORDS, Vocabulary
from support.fakes import SMALL_DECODER, Recogniser, small_dataset, small_preset

CONFIG = replace(SMALL_DECODER, word_slots=3)
WORDS = Vocabulary((*SPECIAL_WORDS, *"a the and on by cat cats dog tables mat table glass glasses rock rocks runs zebra".split()))
FINDER = SlotFinder.of(CONFIG, WORDS.words)


def sentences(*lines):
    return Sentences.of([line.split() for line in lines], WORDS, FINDER)


def row(word):
    return WORDS.encode([word])[0]


def test_sentences_of_known_words_that_name_something():
    found = sentences(
        "a cat runs by the dog", "cats and cats on tables", "a b c the dog", "the dog runs", "the a the a the", "a dog " * 11,
    )  # fmt: skip
    assert [" ".join(WORDS.decode(caption)) for caption in found.captions] == ["a cat runs by the dog", "cats and cats on tables"]
    assert found.nouns == ((row("cat"), row("dog")), (row("cat"), row("table")))


def test_a_noun_of_its_own_is_no_plural():
    assert sentences("the rocks and a rock by glasses").nouns == ((row("rocks"), row("rock")),)


def patterns():
    """Photographs with three strong slots, one strong and two weak ones, one slot, and a gap before two."""
    strengths = np.array([[0.9, 0.5, 0.2], [0.8, 0.05, 0.03], [0.4, 0.0, 0.0], [0.0, 0.3, 0.04]])
    rows = np.where(strengths > 0, row("mat"), PADDING)
    return WordSlots.of(rows, np.stack([strengths, strengths], axis=2))


def test_the_strongest_slots_hold_the_nouns_of_the_sentence():
    found, like = sentences("a cat runs by the dog", "a table by the table", "the zebra runs by a"), patterns()
    captions, slots = found.draw(np.random.default_rng(0), 300, like)
    nouns = dict(zip(found.captions, found.nouns, strict=True))
    weak, firsts = 0, set()
    for caption, rows, measures in zip(captions, slots.rows, slots.measures, strict=True):
        held = rows[rows != PADDING]
        pattern = next(one for one in like.measures if (one[rows != PADDING] == measures[rows != PADDING]).all())
        filled = pattern.any(axis=1)
        assert not (rows[~filled] != PADDING).any() and not measures[rows == PADDING].any() and len({*held}) == len(held)
        own = min(filled.sum(), len(nouns[caption]))
        assert {*held[:own]} <= {*nouns[caption]} and (measures[rows != PADDING][own:, 0] < 0.1).all()
        weak += len(held) - own
        firsts.add((caption, held[0]))
    assert weak > 50 and len(firsts) == 4 and {*captions} == {*found.captions}


def test_workers_share_the_sentences_of_a_batch(inputs):
    examples = replace(Examples.of(inputs.train, inputs.vocabulary, inputs.cache), sentences=Sentences(((5, 6, 7),), ((5,),)))
    config = replace(inputs.preset.training, sentences=3, images_per_batch=6)
    first = [next(batches(examples, config, 1, 1, inputs.views, Shard(number, 2))) for number in range(2)]
    assert [len(slots[0]) - len(features) for features, slots, _ in first] == [2, 1]


def test_a_batch_holds_photographs_and_then_sentences(inputs):
    examples = Examples.of(inputs.train, inputs.vocabulary, inputs.cache)
    found = Sentences(((5, 6, 7),), ((5,),))
    config = replace(inputs.preset.training, sentences=2, word_dropout=0.0, images_per_batch=5)
    plain, mixed = ([*batches(one, config, 1, 1, inputs.views)] for one in (examples, replace(examples, sentences=found)))
    assert len(plain) == len(mixed)
    for (before, _, packed), (features, slots, both) in zip(plain[:1], mixed[:1], strict=True):
        np.testing.assert_array_equal(features, before)
        assert len(slots[0]) == len(slots[1]) == len(features) + 2
        assert len(both.targets) == len(packed.targets) + 2 * 4 and both.images.max() == len(before) + 1


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("a small red circle on a table\n" * 5)
    preset = small_preset(epochs=1, sentences=3)
    preset = replace(preset, decoder=CONFIG)
    return lambda stage=FIRST, sources=Sources((path,)): RunInputs(
        small_dataset(), Recogniser(), tmp_path / "cache", preset, sources, stage
    )


@pytest.mark.slow
def test_sentences_are_read_in_the_first_stage_by_every_decoder(data, eager, tmp_path):
    first = data()
    assert first.files("learned") == first.files("word2vec") == [("corpus", tmp_path / "corpus.txt")]
    assert data(REWARD).files("learned") == [] and not data(REWARD).reads_sentences("learned")
    assert first.files("word2vec-captions") == []
    assert not data(sources=Sources()).reads_sentences("learned"), "There are none without extra text."
    losses = []
    for count in (0, 3):
        first.preset = replace(first.preset, training=replace(first.preset.training, sentences=count))
        losses.append(Run(first, "word2vec", 1, tmp_path / str(count)).execute().epochs[0].train_loss)
    assert losses[0] != losses[1]


def test_what_cannot_teach_the_use_of_slots_is_refused(data):
    without = data(sources=Sources())
    with pytest.raises(ConfigError, match="teach the use of word slots; set word_slots=4, say, or sentences=0"):
        without.sentences(without.vocabulary, SlotFinder.of(SMALL_DECODER, without.vocabulary.words))
    with pytest.raises(ConfigError, match="no sentence to learn from; give --corpus a text that uses the nouns"):
        without.sentences(without.vocabulary, SlotFinder.of(CONFIG, without.vocabulary.words))
