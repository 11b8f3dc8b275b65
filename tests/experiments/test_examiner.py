"""The examiner's loss of decoders with word slots, against the probabilities of the Captioner."""

from statistics import fmean

import numpy as np
import pytest
from PIL import Image

from captioner.captioning.captioner import Captioner
from captioner.config import SearchConfig
from captioner.data.datasets import Record
from captioner.experiments.examiner import Examiner
from captioner.scoring.caption_style import TrainingCaptions
from captioner.scoring.evaluation import Subjects
from captioner.vision.feature_cache import FeatureCache
from captioner.vocabulary import tokenize
from support.fakes import COLOURS, Recogniser, slotted_checkpoints


@pytest.fixture
def subjects(tmp_path):
    records = []
    for noun, colour in COLOURS.items():
        path = tmp_path / f"{noun}.png"
        Image.new("RGB", (40, 40), colour).save(path)
        records.append(Record(path.name, (f"a {noun} sits on grass", f"the {noun} runs"), path))
    return Subjects.of(records, FeatureCache(tmp_path / "cache", Recogniser()))


def test_the_loss_is_that_of_the_mixture_with_word_slots(subjects, eager):
    """A zebra is outside the vocabulary: Word2Vec copies it, Learned takes it for an unknown word."""
    texts = [text for record in subjects.records for text in record.captions]
    examiner = Examiner({"test": subjects}, TrainingCaptions.of(texts), {"test": np.arange(3) == 0}, None, subjects.cache)
    for name, checkpoint in slotted_checkpoints().items():
        captioner, gains = Captioner.of({name: checkpoint}, Recogniser()), []
        for record in subjects.records:
            for text in record.captions:
                found = captioner.follow(subjects.cache.seen([record]), tokenize(text))[name]
                assert ("<unk>" in found.words) == ("zebra" in text and name == "learned")
                gains += found.word_log_probabilities
        found = examiner.examine(checkpoint, Recogniser(), SearchConfig(beam=1), name)["scores"]["test"]
        assert found.loss == pytest.approx(-fmean(gains), abs=2e-3)
