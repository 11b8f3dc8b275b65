"""Fine-tuning the encoder: which weights move, exact resumption, and the saved encoder."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

from captioner.__main__ import main
from captioner.captioning.captioner import Captioner
from captioner.config import ADAPTED, LITE2, AdaptationConfig
from captioner.data import datasets
from captioner.data.datasets import shapes
from captioner.data.images import read
from captioner.model.checkpoints import load_all
from captioner.model.checkpoints import save as save_checkpoint
from captioner.model.decoder import Decoder
from captioner.model.losses import word_losses
from captioner.model.packing import pack
from captioner.training.batches import Examples
from captioner.training.encoder_finetuning import Adapter, random_view
from captioner.training.trainer import train
from captioner.vision.feature_cache import View
from captioner.vision.keras_networks import ADAPTED_WEIGHTS
from captioner.vocabulary import Vocabulary, tokenize
from embeddings.table import learned_start
from support.fakes import SMALL_DECODER, check_equal, uncompiled

pytestmark = pytest.mark.slow

SIDE, CHANNELS = 64, 12
SETTINGS = AdaptationConfig(epochs=2, images_per_batch=4, learning_rate=1e-4, decoder_learning_rate=1e-2, warmup_epochs=0)
SETTINGS = replace(SETTINGS, first_block="blocks_20", averaging=0.5)


@pytest.fixture(scope="module")
def parts(tensorflow):
    drawn = shapes(12, 4, 1)
    words = [tokenize(caption) for record in drawn.split("train") for caption in record.captions]
    vocabulary = Vocabulary.build(words, 1)
    return vocabulary, *(Examples.of(drawn.split(split), vocabulary, None) for split in ("train", "dev"))


def small_network():
    """A small network with EfficientNet-Lite2's layer names and a 2 x 2 grid."""
    picture = keras.Input((SIDE, SIDE, 3))
    grid = keras.layers.Rescaling(1 / 128, offset=-1)(picture)
    grid = keras.layers.Conv2D(6, 5, strides=16, padding="same", activation="relu6", name="conv_stem")(grid)
    for block in (19, 20):
        grid = keras.layers.DepthwiseConv2D(3, padding="same", name=f"blocks_{block}_depthwise_conv")(grid)
    grid = keras.layers.Conv2D(CHANNELS, 3, strides=2, padding="same", name="conv_head")(grid)
    return keras.Model(picture, grid)


def adapter(vocabulary):
    keras.utils.set_random_seed(1)
    table = learned_start(vocabulary.words, SMALL_DECODER.embedding_dimensions, 0.1, 1)
    decoders = {name: Decoder(SMALL_DECODER, table.vectors, CHANNELS, name == "word2vec", 1) for name in ("learned", "word2vec")}
    return Adapter(small_network(), decoders, SETTINGS, 1, 3)


@uncompiled()
def run(one, examples, dev, begun=None, epochs=2):
    config = replace(SETTINGS, epochs=epochs)
    return train(one.decoders[0], examples, dev, config, 1, state=begun, make_trainer=lambda *_: one)


@pytest.fixture(scope="module")
def whole(parts):
    """A whole fine-tuning: the adapter after it, the weights and tables before it, and the last state."""
    vocabulary, examples, dev = parts
    one = adapter(vocabulary)
    before = {variable.path: variable.numpy() for variable in one.model.variables}
    tables = [decoder.table.numpy() for decoder in one.decoders]
    return one, before, tables, run(one, examples, dev)


def test_what_moves_and_what_stays(whole):
    one, before, tables, state = whole
    moving = {variable.path for variable in one.moving}
    assert {path.partition("/")[0].split("_")[1] for path in moving} == {"20", "head"}
    for variable in one.model.variables:
        assert (variable.numpy() != before[variable.path]).any() == (variable.path in moving), variable.path
    assert (one.decoders[0].table.numpy() != tables[0]).any() and (one.decoders[1].table.numpy() == tables[1]).all()
    assert set(state.best) == moving and [epoch.epoch for epoch in state.epochs] == [1, 2]
    assert state.epochs[1].train_loss < state.epochs[0].train_loss


def test_dev_loss_is_the_mean_over_the_decoders(parts):
    vocabulary, _, dev = parts
    one = adapter(vocabulary)
    pictures = np.stack([View().apply(read(record.read(), record.name), SIDE) for record in dev.records])
    grid = one.model(tf.constant(pictures, tf.float32), training=False)
    features, packed = tf.reshape(grid, (4, -1, CHANNELS)), pack(dev.captions)
    losses = [
        float(word_losses(decoder.logits(features, packed.arrays(), len(packed.counts)), packed.targets, 0.0)[0])
        for decoder in one.decoders
    ]
    assert one.dev_loss(dev) == pytest.approx(np.mean(losses), abs=1e-5)

    batch = 0, (pictures, packed)
    with uncompiled():
        expected, words = adapter(vocabulary).learn(batch)
    assert one.learn(batch) == (pytest.approx(expected, abs=1e-5), words)  # The step as it is compiled.


def test_several_data_sets(parts):
    """The dev loss is the mean of theirs; a photograph's second time in an epoch has another crop."""
    vocabulary, examples, dev = parts
    one, halves = adapter(vocabulary), (dev.part(slice(1)), dev.part(slice(1, 4)))
    origins = zip(dev.records, "abbb", strict=True)
    both = replace(dev, records=tuple(replace(record, origin=name) for record, name in origins))
    assert one.dev_loss(both) == pytest.approx(np.mean([one.dev_loss(half) for half in halves]), abs=1e-6)
    one.config = replace(SETTINGS, other_share=2.0)
    pictures = [picture.tobytes() for batch, _ in one._batches(both, 1) for picture in batch]
    assert len(pictures) == len(set(pictures)) == 7


def test_it_resumes_exactly(parts, whole):
    vocabulary, *both = parts
    half = run(adapter(vocabulary), *both, epochs=1)
    resumed = run(adapter(vocabulary), *both, begun=half)
    assert len(resumed.epochs) == 2
    check_equal(resumed.variables, whole[-1].variables)


def test_crops_lie_within_the_photograph():
    views = [random_view(np.random.default_rng(seed), 0.6) for seed in range(400)]
    whole = [view for view in views if view.crop == (0.0, 0.0, 1.0, 1.0)]
    assert 60 < len(whole) < 140 and 160 < sum(view.mirrored for view in views) < 240
    for left, top, right, bottom in (view.crop for view in views):
        assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1
        assert 0.58 < (right - left) * (bottom - top) <= 1


def on_the_original_network(run, folder):
    """Its decoders as if they had been trained on the CNN before fine-tuning."""
    for name, checkpoint in load_all(run).items():
        save_checkpoint(folder / name, replace(checkpoint, encoder=replace(checkpoint.encoder, name=LITE2)), {})
    return folder


@uncompiled()
def test_the_command_is_interrupted_resumed_and_its_encoder_used(tensorflow, tmp_path, tiny_run, encoder, monkeypatch, capsys):
    """The real network on a few pictures; then a decoder is trained on the new encoder and captions with it."""
    start = on_the_original_network(tiny_run, tmp_path / "start")
    monkeypatch.setattr(datasets, "shapes", lambda: shapes(8, 4, 2))
    command = ["adapt", "--data", "shapes", "--from", str(start), "--out", str(tmp_path / "encoder"), "--json"]
    command += ["--set", "epochs=2", "--set", "images_per_batch=4", "--set", "first_block=conv_head"]
    epoch = Adapter.epoch

    def stop_in_the_second(self, number, *rest):
        if number == 2:
            raise KeyboardInterrupt
        return epoch(self, number, *rest)

    assert main([*command[:-1], "first_block=block_4"]) == 2
    assert "No convolution of the encoder begins with 'block_4'" in capsys.readouterr().err
    assert main([*command[:3], "--from", str(tiny_run / "learned"), "--out", str(tmp_path / "encoder")]) == 2
    assert "no trained decoder in" in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr(Adapter, "epoch", stop_in_the_second)
        assert main(command) == 130
    assert main(command) == 2 and "with --resume" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert len(result["epochs"]) == 2 and not (tmp_path / ".resume" / "encoder").exists()
    assert set(load_file(tmp_path / "encoder" / ADAPTED_WEIGHTS)) == {"conv_head/kernel", "conv_head/bias"}
    train = ["train", "--data", "shapes", "--preset", "tiny", "--epochs", "1", "--variant", "learned"]
    assert main([*train, "--out", str(tmp_path / "first"), "--cache", str(tmp_path / "cache")]) == 0
    assert main(["adapt", "--data", "shapes", "--from", str(tmp_path / "first"), "--out", str(tmp_path / "again")]) == 2
    assert "lacks some" in capsys.readouterr().err
    captioner = Captioner.load(tmp_path / "first")
    assert captioner.encoder.name == ADAPTED and captioner.encoder.fingerprint != encoder.fingerprint
    assert captioner.encoder.facts.agreement["least_cosine"] > 0.999
    assert captioner.caption([np.zeros((50, 50, 3), np.uint8)])[0]["learned"][0].text is not None
