"""Misspellings, worked out by hand, and their effect, against decoders whose unknown word has the misspelt word's vector."""

import doctest
from dataclasses import replace

import numpy as np
import pytest

from captioner.captioning.captioner import Captioner
from captioner.errors import ConfigError
from captioner.experiments import misspelling
from captioner.experiments.misspelling import known_words, misspellings, misspelt, spelling_effect
from captioner.vocabulary import UNKNOWN
from embeddings.subwords import SUBWORDS_FILE, Pieces, Subwords, keep
from support.fakes import SMALL_DECODER, Recogniser, StubEncoder, slotted_checkpoints, small_checkpoint

CAPTION = ("dog", "cat", "sits")  # The dog that is in a slot is said first, so that the other words have a chance.
PIECES = keep(Pieces(40, 3, 3), np.random.default_rng(8).normal(0, 2, (40, SMALL_DECODER.embedding_dimensions)), ["cattle"])


@pytest.fixture(scope="module", params=["plain", "slots"])
def captioner(request):
    if request.param == "slots":
        found, encoder = slotted_checkpoints(), Recogniser()
    else:
        found, encoder = {name: small_checkpoint(name) for name in ("learned", "word2vec")}, StubEncoder()
    composing = replace(found["learned"], variant="fasttext", extra={SUBWORDS_FILE: PIECES.to_bytes()})
    return Captioner(encoder, found | {"fasttext": composing})


@pytest.fixture(scope="module")
def seen(captioner):
    return captioner.see([np.full((24, 24, 3), (250, 20, 20), np.uint8)])


def test_the_slips_that_are_shown_are_right():
    assert doctest.testmod(misspelling).failed == 0


def test_slips_are_letters_left_out_exchanged_and_doubled():
    found = misspellings("jumped")
    left_out = ["jmped", "juped", "jumed", "jumpd", "jumpe"]
    exchanged = ["jmuped", "jupmed", "jumepd", "jumpde"]
    doubled = ["juumped", "jummped", "jumpped", "jumpeed", "jumpedd"]
    assert sorted(found) == sorted([*left_out, *exchanged, *doubled])
    assert all(slip[0] == "j" for slip in found)


@pytest.mark.parametrize("word", ["", "horse", "<start>", "don't1", "2000000"])
def test_short_words_and_others_than_words_have_no_slips(word):
    assert misspellings(word) == () and misspelt(word, (), np.random.default_rng(1)) is None


def test_no_slip_is_a_known_word():
    random, known = np.random.default_rng(1), {"runing", "unning"} | set(misspellings("running")[:-1])
    assert {misspelt("running", known, random) for _ in range(20)} == {misspellings("running")[-1]}
    assert misspelt("running", set(misspellings("running")), random) is None
    drawn = {misspelt("running", (), random) for _ in range(300)}
    assert drawn == set(misspellings("running"))


def test_known_words_are_those_of_every_table(captioner):
    known = known_words(captioner)
    assert {"cat", "<unk>"} <= known and ("zebra" in known) == bool(captioner.word_slots)


def test_an_unchanged_word_moves_nothing(captioner, seen):
    assert spelling_effect(captioner, seen, CAPTION, 1, "cat") == dict.fromkeys(captioner.variants, 0)


def test_the_effect_is_that_of_reading_the_unknown_word_or_the_pieces(captioner, seen):
    found = spelling_effect(captioner, seen, CAPTION, 1, "catle")
    table = captioner.checkpoints["fasttext"].table
    vectors = table.vectors.copy()
    vectors[UNKNOWN] = Subwords.from_bytes(PIECES.to_bytes()).vector("catle")
    reads = captioner.with_tables({"fasttext": replace(table, vectors=vectors)})
    right, wrong = (reads.next_word(seen, ("dog", word)) for word in ("cat", "<unk>"))
    for name in captioner.variants:
        gained = np.maximum(wrong[name] - right[name], 0).sum()  # As much as the other words lose.
        assert found[name] == pytest.approx(gained, abs=1e-5) and 0 < found[name] <= 1
    assert found["fasttext"] != pytest.approx(found["learned"], abs=1e-3), "The same decoder reads the word by its pieces."


def test_the_words_after_the_misspelt_one_do_not_matter(captioner, seen):
    assert spelling_effect(captioner, seen, CAPTION, 1, "catle") == spelling_effect(captioner, seen, CAPTION[:2], 1, "catle")
    with pytest.raises(ConfigError, match="do not know 'lawnmower'"):
        spelling_effect(captioner, seen, ("a", "lawnmower"), 1, "lawnmowr")
