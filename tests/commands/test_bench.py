"""`bench`: what it measures with, and what it refuses."""

import json
import sys
import types

import pytest

CAPTION, TRAINING = {"caption": {"ratio_to_encoder": 2.5}}, {"training": {"epoch_s": 40.0}}


@pytest.fixture
def calls(monkeypatch):
    """The arguments of the benchmarks, which measure nothing."""
    calls = []
    modules = {
        "captioning": types.SimpleNamespace(caption_bench=lambda folder, weights: calls.append((folder, weights)) or CAPTION),
        "training": types.SimpleNamespace(training_bench=lambda *given: calls.append(given) or TRAINING),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, f"captioner.benchmarks.{name}", module)
        monkeypatch.setattr(f"captioner.benchmarks.{name}", module, raising=False)
    return calls


def test_bench_passes_its_options_on(cli, calls, tmp_path, staged):
    status, output, _ = cli("bench", "--checkpoints", tmp_path, "--json")
    assert status == 0 and json.loads(output) == CAPTION
    status, output, _ = cli("bench", "--training", "--data", "shapes", "--cache", tmp_path, "--preset", "tiny")
    assert status == 0 and output.split()[-2:] == ["40.0", "s"]
    cli("bench", "--checkpoints", staged, "--stage", "first")
    assert calls == [(tmp_path, None), ("shapes", tmp_path, "tiny"), (staged / "first", None)]


def test_the_stages_are_a_table_of_their_own(cli, monkeypatch, calls, tmp_path):
    stages = {"one": {"encode": 0.62, "together": 1.4}, "many": {"encode": 0.51, "together": 0.9}}
    monkeypatch.setitem(CAPTION, "caption", {"ratio_to_encoder": 1.4})
    monkeypatch.setattr(sys.modules["captioner.benchmarks.captioning"], "caption_bench", lambda *_, **__: CAPTION | stages)
    _, output, _ = cli("bench", "--checkpoints", tmp_path)
    rows = [line.split() for line in output.splitlines()]
    assert rows[-2][-2:] == ["0.62", "1.40"] and rows[-1][-2:] == ["0.51", "0.90"] and rows[0][-1] == "reached"


@pytest.mark.parametrize(
    ("more", "sentence"), [([], "--data"), (["--data", "shapes", "--encoder-weights", "vgg16.h5"], "--encoder-weights")]
)
def test_training_needs_data_and_no_encoder_weights(cli, calls, more, sentence):
    status, output, errors = cli("bench", "--training", *more)
    assert status == 2 and not output and sentence in errors and not calls
