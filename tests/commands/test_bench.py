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


@pytest.mark.parametrize(
    ("more", "sentence"), [([], "--data"), (["--data", "shapes", "--encoder-weights", "vgg16.h5"], "--encoder-weights")]
)
def test_training_needs_data_and_no_encoder_weights(cli, calls, more, sentence):
    status, output, errors = cli("bench", "--training", *more)
    assert status == 2 and not output and sentence in errors and not calls
