"""Told words, against captions made one by one."""

import numpy as np
import pytest

from captioner.captioning.captioner import Captioner
from captioner.config import SearchConfig
from captioner.experiments.told_words import measure, untaught
from support.fakes import COLOURS, Recogniser, slotted_checkpoints

CONFIG = SearchConfig(beam=2, maximum_words=6)


def test_only_a_decoder_with_a_vector_for_the_word_can_say_it():
    checkpoints = slotted_checkpoints()
    for checkpoint in checkpoints.values():
        checkpoint.weights["copy_gate/bias"][:] = 3  # They copy gladly.
    captioner = Captioner(Recogniser(), checkpoints)
    assert untaught(captioner) == ["zebra"]
    pictures = [np.full((24, 24, 3), colour, np.uint8) for colour in COLOURS.values()]
    seen = captioner.see(pictures)
    learned, word2vec = measure(captioner, seen, ["zebra"], CONFIG)
    alone = [captioner.caption([picture], CONFIG, told=["zebra"])[0] for picture in pictures]
    for row in (learned, word2vec):
        own = [captions[row.variant][0] for captions in alone]
        assert row.said == np.mean(["zebra" in caption.words for caption in own]) and row.sound <= row.said
        assert row.log_probability == pytest.approx(np.mean([one.log_probability / (len(one.words) + 1) for one in own]))
    assert learned.said == 0 and word2vec.photographs == 3
