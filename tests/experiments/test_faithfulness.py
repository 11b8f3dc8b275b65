"""Deletion and insertion curves, against captions that are followed one by one and areas by hand."""

import numpy as np
import pytest

from captioner.captioning.captioner import Captioner
from captioner.config import SearchConfig
from captioner.data.images import resize
from captioner.experiments.faithfulness import (
    ATTENTION,
    DELETION,
    INSERTION,
    ORDERS,
    RANDOM,
    SHARES,
    WAYS,
    Faithfulness,
    covered,
    gather,
    measure,
)
from captioner.model.checkpoints import EncoderMark
from captioner.scoring.caption_style import FUNCTION_WORDS
from support.fakes import StubEncoder, small_checkpoint

CONFIG = SearchConfig(beam=2, maximum_words=6)
SEED = 6  # Of weights whose captions have content words.


@pytest.fixture
def captioner():
    mark = EncoderMark.of(StubEncoder())
    return Captioner(StubEncoder(), {name: small_checkpoint(name, SEED, mark) for name in ("learned", "word2vec")})


@pytest.fixture
def pictures():
    return list(np.random.default_rng(3).integers(0, 255, (4, 30, 30, 3), dtype=np.uint8))


def test_following_one_caption_for_several_pictures_is_following_it_for_each(captioner, pictures):
    seen, words = captioner.see(pictures), ("a", "dog", "runs", "on", "zebras")
    found = captioner.follow_each(seen, words, "word2vec")
    for number in range(len(pictures)):
        alone = captioner.follow(seen.part([number]), words, finished=False)["word2vec"]
        assert found[number] == pytest.approx(alone.word_log_probabilities, abs=1e-5)


def test_covered_regions_have_the_mean_colour_and_others_stay():
    picture = np.arange(27, dtype=np.uint8).reshape(3, 3, 3).repeat(2, axis=0).repeat(2, axis=1)
    mask = np.zeros(9, bool)
    mask[[1, 8]] = True
    found = covered(picture, mask, 3, 3)
    where = np.zeros((6, 6), bool)
    where[:2, 2:4] = where[4:, 4:] = True
    assert (found[where] == [12, 13, 14]).all() and (found[~where] == picture[~where]).all()


def test_curves_begin_and_end_at_the_whole_and_the_covered_photograph(captioner, pictures):
    found = list(measure(captioner, pictures, CONFIG))
    assert found
    for picture, one in zip(pictures, found, strict=False):
        small = resize(picture, captioner.encoder.size)
        captions = captioner.caption([picture], CONFIG)[0]
        for name, curves in one.items():
            best = captions[name][0]
            content = [place for place, word in enumerate(best.words) if word not in FUNCTION_WORDS]
            whole = np.mean([best.word_log_probabilities[place] for place in content])
            none = captioner.follow_each(captioner.see([covered(small, np.ones(9, bool), 3, 3)]), best.words, name)[
                0, content
            ].mean()
            for order in ORDERS:
                assert curves[DELETION, order][[0, -1]] == pytest.approx([whole, none], abs=1e-5)
                assert curves[INSERTION, order][[0, -1]] == pytest.approx([none, whole], abs=1e-5)
        attention = best.attention[content].mean(axis=0).ravel()
        most = np.isin(np.arange(9), np.argsort(-attention, kind="stable")[:3])  # 0.3 of nine regions
        seen = captioner.see([covered(small, most, 3, 3), covered(small, ~most, 3, 3)])
        values = captioner.follow_each(seen, best.words, name)[:, content].mean(axis=1)
        assert [curves[way, ATTENTION][SHARES.index(0.3)] for way in WAYS] == pytest.approx(values, abs=1e-5)
    together = gather(found)
    assert {one.variant for one in together} == {"learned", "word2vec"}
    assert together[0].curves[DELETION, RANDOM].shape == (len(found), len(SHARES))


def test_an_order_whose_caption_falls_faster_is_better():
    """The areas under the two lines are 0 and -0.5."""
    flat, falling = np.zeros((5, len(SHARES))), np.tile(-np.array(SHARES), (5, 1))
    curves = {(way, order): flat for way in WAYS for order in ORDERS} | {(DELETION, ATTENTION): falling}
    one = Faithfulness("learned", curves)
    assert one.better_than(RANDOM) == pytest.approx((0.5, 0.5, 0.5)) and one.better_than(RANDOM, INSERTION).value == 0
