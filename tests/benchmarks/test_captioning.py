"""The benchmarks on tiny decoders and data: everything is measured, what is compared is equal, and the table names the bars."""

import io
import json
import runpy
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from captioner.benchmarks import captioning, training
from captioner.benchmarks.memory import peak_megabytes
from captioner.benchmarks.table import FIGURES, stage_rows, table
from captioner.config import DecoderConfig
from captioner.data.images import read
from captioner.errors import CheckpointError, TrainingError
from captioner.model.decoder import Decoder
from support.fakes import StubEncoder, small_dataset, small_preset

CAPTION = {"encoder_ms": 17.0, "end_to_end_ms": 51.5, "ratio_to_encoder": 3.0294, "recipe_ms": 5150.0, "ratio_to_recipe": 100.0}
TRAINING = {"epoch_s": 44.0, "ratio_to_recipe": 14.9, "share_of_gemm": 0.4021}


@pytest.mark.slow
def test_captioning_is_measured_end_to_end(tiny_run, monkeypatch):
    monkeypatch.setattr(captioning, "_WARM_UP", 1)
    monkeypatch.setattr(captioning, "_ROUNDS", 2)
    monkeypatch.setattr(captioning, "MANY", 2)
    monkeypatch.setattr(captioning, "LENGTH", 4)
    monkeypatch.setattr(captioning, "GREEDY", replace(captioning.GREEDY, maximum_words=3))
    result = captioning.caption_bench(tiny_run, photographs=1)
    caption = result["caption"]
    assert list(caption) == list(CAPTION) and list(result["memory"]) == ["growth_mb"]
    assert caption["ratio_to_encoder"] == pytest.approx(caption["end_to_end_ms"] / caption["encoder_ms"])
    assert caption["ratio_to_recipe"] == pytest.approx(caption["recipe_ms"] / caption["end_to_end_ms"])
    assert min(caption.values()) > 0 and 0 <= result["memory"]["growth_mb"] < 500
    assert len(table(result).splitlines()) == 6
    heads, *rows = stage_rows(result)
    decoders = ("Learned decoder", "Word2Vec decoder", "FastText decoder")
    assert heads[1:] == ("decode", "resize", "CNN", *decoders, "search", "together")
    assert len(rows) == 2 and min(min(result[amount].values()) for amount in ("one", "many")) > 0


def test_photographs_are_different_jpegs_of_usual_sizes():
    pictures = [captioning.photograph(number) for number in range(12)]
    assert len(set(pictures)) == 12 and pictures[3] == captioning.photograph(3)
    assert all(Image.open(io.BytesIO(data)).format == "JPEG" for data in pictures)
    assert {read(data).shape for data in pictures} == {(375, 500, 3), (500, 375, 3), (333, 500, 3), (500, 333, 3)}
    assert min(read(data).std() for data in pictures) > 5


def test_a_recipe_that_says_something_else_is_refused():
    ours = SimpleNamespace(words=("a", "cat"), text="a cat")
    captioner = SimpleNamespace(caption=lambda _pictures, _config: [{"learned": [ours]}])
    captioning._check_same({"learned": ("a", "cat")}, captioner)
    with pytest.raises(CheckpointError, match="learned the recipe says 'a dog', the fast path 'a cat'."):
        captioning._check_same({"learned": ("a", "dog")}, captioner)


def test_the_peak_of_memory_rises_with_what_is_held_and_does_not_fall():
    before = peak_megabytes()
    held = np.ones(1_000_000, np.float32)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    needed = int(status["VmRSS"].split()[0]) / 1024
    del held
    # The system counts to within some tenths of a megabyte.
    assert before > 50 and peak_megabytes() >= max(before, needed) - 1


def test_the_memory_process_is_told_folder_and_number_and_its_failure_is_told(monkeypatch, tmp_path):
    calls = []

    def run(command, **settings):
        calls.append(command)
        return subprocess.CompletedProcess(command, 0 if len(calls) == 1 else 3, json.dumps({"growth_mb": 7.5}))

    monkeypatch.setattr(subprocess, "run", run)
    assert captioning.memory_growth(tmp_path, 30) == 7.5
    assert calls[0][1:] == ["-m", "captioner.benchmarks.captioning", str(tmp_path.resolve()), "30"]
    with pytest.raises(CheckpointError, match="ended with status 3"):
        captioning.memory_growth(tmp_path, 30, Path("vgg16.h5"))
    assert calls[1][4:] == ["30", str(Path.cwd() / "vgg16.h5")]


def test_the_other_process_loads_the_encoder_weights(monkeypatch, tmp_path):
    asked = []

    def load(folder, weights):
        asked.append((folder, weights))
        raise CheckpointError("No further.")

    monkeypatch.setattr("captioner.captioning.captioner.Captioner.load", load)
    for weights in ([], ["/vgg16.h5"]):
        monkeypatch.setattr("sys.argv", [captioning.__file__, str(tmp_path), "9", *weights])
        with pytest.raises(CheckpointError, match="No further"):
            runpy.run_path(captioning.__file__, run_name="__main__")
    assert asked == [(tmp_path, None), (tmp_path, Path("/vgg16.h5"))]


@pytest.fixture(scope="module")
def workload(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    return training.Workload.of(small_dataset(), StubEncoder(), folder, small_preset(), rounds=2)


def test_a_workload_is_a_sample_in_equal_parts_and_knows_the_whole(workload):
    assert [len(part.records) for part in workload.parts] == [6, 6]
    names = {record.name for part in workload.parts for record in part.records}
    assert len(names) == workload.images == 12
    # Every caption of this data has six words and an end.
    captions = [caption.split() for record in small_dataset().split("train") for caption in record.captions]
    assert workload.words == sum(len(words) + 1 for words in captions)
    assert (workload.regions, workload.channels) == (9, 6)


@pytest.mark.slow
def test_training_is_measured_three_ways(workload, eager, monkeypatch):
    monkeypatch.setattr(training, "RECIPE_ROWS", (8, 16))
    monkeypatch.setattr(training, "_PRODUCT", 128)
    monkeypatch.setattr(training, "MERGE", DecoderConfig("merge", 6, 8, 1, 8, 2, 8))
    result = training.measure(workload)
    assert set(TRAINING) | {"recipe_epoch_s", "gemm_gflops", "epoch_gflop"} <= set(result) == set(FIGURES["training"])
    assert result["ratio_to_recipe"] == pytest.approx(result["recipe_epoch_s"] / result["merge_epoch_s"])
    assert result["share_of_gemm"] == pytest.approx(result["epoch_gflop"] / result["epoch_s"] / result["gemm_gflops"])
    assert result["loss_difference"] < training.SAME_LOSS and result["recipe_rows"] in (8, 16)
    assert min(value for name, value in result.items() if name != "loss_difference") > 0


@pytest.mark.slow
@pytest.mark.parametrize("frozen", [False, True])
def test_operations_are_those_counted_by_hand(frozen):
    """9 regions of 6 channels, words of 3 numbers, an LSTM of 5 units, attention of 4, 7 hidden units, 11 words."""
    config = DecoderConfig(embedding_dimensions=3, units=5, image_units=4, heads=2, hidden_units=7)
    decoder = Decoder(config, np.ones((11, 3), np.float32), 6, frozen, regions=9)
    # A product, and the gradients of its weights and of its input; the features and frozen embeddings have no gradient.
    image = 2 * 9 * 6 * 4 + 3 * (4 * 5 + 4 * 5)
    # Word and state to 20 gates, the query, 9 scores and the context, hidden units from both, 11 words.
    word = (2 if frozen else 3) * 3 * 20 + 3 * (5 * 20 + 5 * 4 + 9 * 4 + 9 * 4 + 9 * 7 + 7 * 11)
    assert training.epoch_gflop(decoder, (9, 6), images=10, words=100) == pytest.approx(2 * (10 * image + 100 * word) / 1e9)


def test_losses_that_differ_are_refused(workload, monkeypatch):
    from captioner.benchmarks.keras_baseline import Recipe

    monkeypatch.setattr(Recipe, "loss", lambda *_: 9.0)
    with pytest.raises(TrainingError, match="should equal ours, but they differ by"):
        training._recipe_work(workload.parts[0], workload.decoder(replace(training.MERGE, units=8, image_units=8)))


def test_a_table_says_which_bars_are_reached():
    text = table({"caption": CAPTION, "memory": {"growth_mb": 12.34}, "training": TRAINING})
    rows = [" ".join(line.split()) for line in text.splitlines()]
    ends = ["17.0 ms", "51.5 ms", "2.00 times as long not reached", "5,150 ms", "least 100.0 times as long reached",
            "12.3 MB at most 50.0 MB reached", "44.0 s", "14.9 times as long at least 15.0 times as long not reached",
            "40.2% at least 40.0% reached"]  # fmt: skip
    assert len(rows) == len(ends) and all(row.endswith(end) for row, end in zip(rows, ends, strict=True))
