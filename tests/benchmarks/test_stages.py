"""The stages of captioning, on a clock that moves only in the stages that are made slow."""

from types import SimpleNamespace

import pytest

from captioner.benchmarks import stages
from captioner.benchmarks.captioning import photograph
from captioner.captioning.captioner import Captioner
from captioner.config import VARIANTS, SearchConfig
from support.fakes import StubEncoder, small_checkpoint

STEPS = 4


class Clock:
    seconds = 0.0

    def perf_counter(self):
        return self.seconds

    def slow(self, work, seconds):
        def slowly(*given):
            self.seconds += seconds
            return work(*given)

        return slowly


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(stages, "time", clock)
    return clock


def test_every_stage_is_measured_by_itself(clock, monkeypatch):
    captioner = Captioner(StubEncoder(), {name: small_checkpoint() for name in VARIANTS})
    decoder = captioner.decoders["word2vec"]
    start = decoder.session

    def session(*given):
        begun = start(*given)
        monkeypatch.setattr(begun, "step", clock.slow(begun.step, 0.5))
        return begun

    monkeypatch.setattr(decoder, "session", clock.slow(session, 1))
    monkeypatch.setattr(captioner.encoder, "see", clock.slow(captioner.encoder.see, 5))
    monkeypatch.setattr(stages, "search", clock.slow(stages.search, 3))
    network = SimpleNamespace(encode=clock.slow(len, 20))
    config = SearchConfig(method="greedy", maximum_words=STEPS)
    times = stages.stage_times(captioner, network, [[photograph(0), photograph(1)]], config)
    decoding = 1 + 0.5 * STEPS
    assert {name: 2 * spent / 1000 for name, spent in times.items()} == {
        "decode": 0, "resize": 0, "encode": 5, "learned": 0, "word2vec": decoding, "fasttext": 0,
        "search": 3 * 3, "together": 5 + decoding, "tensorflow": 20,
    }  # fmt: skip


def test_shares_are_those_of_tensorflows_encoder_and_the_middle_round_counts():
    rounds = [{"encode": encode, "tensorflow": 10.0} for encode in (5.0, 9.0, 6.0)]
    assert stages.medians(rounds) == {"encode": 6.0, "tensorflow": 10.0}
    assert stages.shares(stages.medians(rounds)) == {"encode": 0.6}
