"""A visitor's own caption where the decoders have word slots."""

import numpy as np

from captioner.captioning.captioner import Captioner
from captioner.views.caption.own_words import known_to_all
from support.fakes import COLOURS, Recogniser, slotted_checkpoints


def test_a_word_in_a_slot_is_known_to_the_decoders_that_have_its_vector():
    captioner, words = Captioner(Recogniser(), slotted_checkpoints()), ["zebra", "runs", "lawnmower"]
    seen = captioner.see([np.full((24, 24, 3), COLOURS["zebra"], np.uint8)])
    followed = captioner.follow(seen, words)
    assert known_to_all(words, {"word2vec": followed["word2vec"]}) == [True, True, False, True]
    assert known_to_all(words, followed) == [False, True, False, True]
