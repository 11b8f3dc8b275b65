"""Word slots by words, against those that training finds by the numbers of nouns."""

import numpy as np

from captioner.captioning.seen_words import SlotReader, words_seen
from captioner.model.word_slots import SlotFinder
from captioner.vision.encoder import Seen
from support.fakes import small_checkpoint


def test_captions_and_training_fill_slots_alike():
    checkpoint, random = small_checkpoint("word2vec", beyond=("zebra", "horse", "bird"), word_slots=4), np.random.default_rng(5)
    config, classes = checkpoint.preset.decoder, random.dirichlet(np.full(1000, 0.01), 200).astype(np.float32)
    seen = Seen(np.zeros((200, 9, 6), np.float32), classes, classes / 2)
    read, found = SlotReader(checkpoint).read(words_seen(seen, config)), SlotFinder.of(config, checkpoint.table.words).find(seen)
    np.testing.assert_array_equal(read.rows, found.rows)
    np.testing.assert_allclose(read.measures, found.measures, rtol=1e-6)
    assert read.vectors is None and set(found.rows.ravel().tolist()) > {0, checkpoint.table.row("bird")}
