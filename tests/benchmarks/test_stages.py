"""The stages of captioning: each is measured by itself, and a decoder's time is apart from its search's."""

import time
from types import SimpleNamespace

import numpy as np
import pytest

from captioner.benchmarks.captioning import photograph
from captioner.benchmarks.stages import medians, shares, stage_times
from captioner.captioning.captioner import Captioner
from captioner.config import VARIANTS, SearchConfig
from support.fakes import StubEncoder, small_checkpoint

SLOW = 0.02  # seconds


class SlowEncoder(StubEncoder):
    def encode(self, pictures):
        time.sleep(SLOW * len(pictures))
        return super().encode(pictures)


def test_every_stage_is_measured_by_itself(monkeypatch):
    captioner = Captioner(SlowEncoder(), {name: small_checkpoint() for name in VARIANTS})
    decoder, asked = captioner.decoders["word2vec"], []

    class SlowSession:
        def __init__(self, features):
            self._session = session(features)
            self.state = self._session.state

        def step(self, *given):
            asked.append(given)
            time.sleep(SLOW)
            return self._session.step(*given)

    session = decoder.session
    monkeypatch.setattr(decoder, "session", SlowSession)
    network = SimpleNamespace(encode=lambda pictures: time.sleep(3 * SLOW * len(pictures)))
    search, files = SearchConfig(maximum_words=4), [[photograph(0), photograph(1)], [photograph(2), photograph(3)]]
    times = stage_times(captioner, network, files, search)
    assert set(times) == {"decode", "resize", "encode", *VARIANTS, "search", "together", "tensorflow"}
    # Two threads sleep at the same time.
    assert times["encode"] == pytest.approx(SLOW * 1000 / 2, rel=0.5)
    assert times["tensorflow"] == pytest.approx(3 * times["encode"], rel=0.5)
    assert times["word2vec"] > 4 * max(times["learned"], times["fasttext"], times["search"]) > 0
    assert times["together"] > times["encode"] + times["word2vec"] and asked


def test_shares_are_those_of_tensorflows_encoder_and_the_middle_round_counts():
    rounds = [{"encode": encode, "tensorflow": 10.0} for encode in (5.0, 9.0, 6.0)]
    assert medians(rounds) == {"encode": 6.0, "tensorflow": 10.0}
    assert shares(medians(rounds)) == {"encode": 0.6}
    assert np.isfinite(list(shares(rounds[0]).values())).all()
