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
from captioner.vocabulary import PADDING, SPECIAL_WORDS, Vocabulary
from support.fakes import SMALL_DECODER, Recogniser, small_dataset, small_preset

CONFIG = replace(SMALL_DECODER, word_slots=3)
WORDS = Vocabulary((*SPECIAL_WORDS, *"a the and on by cat cats dog tables mat table glass glasses sunglasses runs zebra".split()))
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
    assert sentences("the sunglasses and a glass runs").nouns == ((row("sunglasses"), row("glass")),)


def patterns():
    """Photographs with three strong slots, one strong and two weak ones, and one slot."""
    strengths = np.array([[0.9, 0.5, 0.2], [0.8, 0.05, 0.03], [0.4, 0.0, 0.0]])
    rows = np.where(strengths > 0, row("mat"), PADDING)
    return WordSlots.of(rows, np.stack([strengths, strengths], axis=2))


def test_the_strongest_slots_hold_the_nouns_of_the_sentence():
    found, like = sentences("a cat runs by the dog", "a table by the table", "the zebra runs by a"), patterns()
    captions, slots = found.draw(np.random.default_rng(0), 300, like)
    nouns = dict(zip(found.captions, found.nouns, strict=True))
    weak, firsts = 0, set()
    for caption, rows, measures in zip(captions, slots.rows, slots.measures, strict=True):
        pattern = next(place for place, one in enumerate(like.measures) if one[0, 0] == measures[0, 0])
        there = int((like.rows[pattern] != PADDING).sum())
        own = min(there, len(nouns[caption]))
        assert set(rows[:own]) <= set(nouns[caption]) and len(set(rows[:own])) == own
        wrong = rows[own:][rows[own:] != PADDING]
        assert not set(wrong) & set(rows[:own]) and (measures[own:, 0][rows[own:] != PADDING] < 0.1).all()
        assert (rows[there:] == PADDING).all() and not measures[rows == PADDING].any()
        np.testing.assert_array_equal(measures[rows != PADDING], like.measures[pattern][rows != PADDING])
        weak += len(wrong)
        firsts.add((caption, rows[0]))
    assert weak > 50 and len(firsts) == 4 and {*captions} == {*found.captions}


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
    assert data(REWARD).files("learned") == [] and not data(REWARD).reads_sentences
    run = Run(first, "word2vec", 1, tmp_path / "run")
    assert run.execute().epochs[0].train_loss > 0


def test_a_text_that_names_nothing_is_refused(data):
    without = data(sources=Sources())
    with pytest.raises(ConfigError, match="no sentence to learn from; give --corpus a text that uses the nouns"):
        without.sentences(without.vocabulary, SlotFinder.of(CONFIG, without.vocabulary.words))
