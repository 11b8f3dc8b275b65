"""Fine-tuning the encoder: which weights move, distillation, exact resumption, and the saved encoder."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

from captioner.__main__ import main
from captioner.captioning.captioner import Captioner
from captioner.config import ADAPTED, LITE2, SHIPPED, AdaptationConfig
from captioner.data import datasets
from captioner.data.datasets import shapes
from captioner.data.images import read
from captioner.data.labels import load_labels, mark
from captioner.model.checkpoints import load_all
from captioner.model.checkpoints import save as save_checkpoint
from captioner.model.decoder import Decoder
from captioner.model.losses import word_losses
from captioner.model.packing import pack
from captioner.storage import read_json
from captioner.training.batches import Examples
from captioner.training.distillation import Distillation
from captioner.training.encoder_finetuning import Adapter, Batch, random_view
from captioner.training.trainer import train
from captioner.vision import encoders
from captioner.vision.encoder import Seen
from captioner.vision.feature_cache import View
from captioner.vision.keras_networks import ADAPTED_WEIGHTS, lite2_fingerprint
from captioner.vocabulary import Vocabulary, tokenize
from embeddings.table import learned_start
from support.fakes import SMALL_DECODER, check_equal, uncompiled
from support.plain_classes import divergences, probabilities

pytestmark = pytest.mark.slow

SIDE, CHANNELS, CLASSES = 64, 12, 5
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


class Original:
    """An encoder whose classes depend on the mean colours."""

    def see(self, pictures):
        mixed = np.random.default_rng(2).normal(size=(3, CLASSES))
        classes = probabilities(pictures.reshape(len(pictures), -1, 3) / 64, (mixed, 0))
        return Seen(None, classes.astype(np.float32), None)


CLASSIFIER = tuple(np.random.default_rng(3).normal(size=size).astype(np.float32) for size in ((CHANNELS, CLASSES), CLASSES))


def adapter(vocabulary, weight=0.0):
    keras.utils.set_random_seed(1)
    table = learned_start(vocabulary.words, SMALL_DECODER.embedding_dimensions, 0.1, 1)
    decoders = {name: Decoder(SMALL_DECODER, table.vectors, CHANNELS, name == "word2vec", 1) for name in ("learned", "word2vec")}
    return Adapter(small_network(), decoders, SETTINGS, 1, 3, Distillation(Original(), CLASSIFIER, weight) if weight else None)


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

    batch = 0, Batch(pictures, packed, np.zeros((4, 0), np.float32))
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
    pictures = [picture.tobytes() for batch in one._batches(both, 1) for picture in batch.pictures]
    assert len(pictures) == len(set(pictures)) == 7


def test_it_resumes_exactly(parts, whole):
    vocabulary, *both = parts
    half = run(adapter(vocabulary), *both, epochs=1)
    resumed = run(adapter(vocabulary), *both, begun=half)
    assert len(resumed.epochs) == 2
    check_equal(resumed.variables, whole[-1].variables)


def seen(one, pictures):
    """The original's classes, and those of the network as it is."""
    grid = one.model(tf.constant(pictures, tf.float32), training=False)
    return Original().see(pictures).classes, probabilities(grid.numpy().reshape(len(pictures), -1, CHANNELS), CLASSIFIER)


def test_distillation_is_added_to_the_dev_loss(parts):
    vocabulary, _, dev = parts
    pictures = np.stack([View().apply(read(record.read(), record.name), SIDE) for record in dev.records])
    expected = np.mean(divergences(*seen(adapter(vocabulary), pictures)))
    assert expected > 0.01
    assert adapter(vocabulary, 3.0).dev_loss(dev) == pytest.approx(adapter(vocabulary).dev_loss(dev) + 3 * expected, abs=1e-4)


def learned(one, batch, monkeypatch):
    """The loss of a step, and the gradients of the encoder's weights."""
    applied = []
    monkeypatch.setattr(one.optimizer, "apply", lambda gradients, _: applied.extend(gradients))
    loss, words = one.learn((0, batch))
    assert words == len(batch.packed.targets)
    return loss, [tf.convert_to_tensor(gradient).numpy() for gradient in applied]


@uncompiled()
@pytest.mark.parametrize("captioned", [6, 4, 0])
def test_distillation_is_added_to_the_gradient(parts, captioned, monkeypatch):
    """Photographs without captions count in the distillation alone; a batch of them leaves the decoder as it is."""
    vocabulary, examples, _ = parts
    examples = replace(examples.part(slice(6)), captions=examples.captions[:captioned] + ((),) * (6 - captioned))
    one = adapter(vocabulary, 3.0)
    one.config = replace(SETTINGS, images_per_batch=6)
    batch = next(one._batches(examples, 1))
    targets, found = seen(one, batch.pictures)
    np.testing.assert_array_equal(batch.classes, targets)
    loss, gradients = learned(one, batch, monkeypatch)
    assert one.decoder_optimizers[0].iterations.numpy() == (captioned > 0)
    plain, others = learned(adapter(vocabulary), batch, monkeypatch) if captioned else (0.0, [0.0])
    assert loss - plain == pytest.approx(3 * np.mean(divergences(targets, found)), abs=1e-4)
    # Nothing comes after the last bias, so it adds to the mean feature.
    expected = 3 * CLASSIFIER[0] @ (found - targets).mean(axis=0)
    np.testing.assert_allclose(gradients[-1] - others[-1], expected, atol=1e-5)


def test_it_resumes_exactly_with_distillation_and_photographs_without_captions(parts):
    vocabulary, examples, dev = parts
    examples = replace(examples, captions=tuple(own if number % 2 else () for number, own in enumerate(examples.captions)))
    whole = run(adapter(vocabulary, 1.0), examples, dev)
    half = run(adapter(vocabulary, 1.0), examples, dev, epochs=1)
    check_equal(run(adapter(vocabulary, 1.0), examples, dev, begun=half).variables, whole.variables)


def test_crops_lie_within_the_photograph():
    views = [random_view(np.random.default_rng(seed), 0.6) for seed in range(400)]
    whole = [view for view in views if view.crop == (0.0, 0.0, 1.0, 1.0)]
    assert 60 < len(whole) < 140 and 160 < sum(view.mirrored for view in views) < 240
    for left, top, right, bottom in (view.crop for view in views):
        assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1
        assert 0.58 < (right - left) * (bottom - top) <= 1


def on_another_network(run, folder, **changes):
    """Its decoders as if they had been trained on another CNN."""
    for name, checkpoint in load_all(run).items():
        save_checkpoint(folder / name, replace(checkpoint, encoder=replace(checkpoint.encoder, **changes)), {})
    return folder


def test_decoders_that_it_cannot_start_from(tensorflow, tmp_path, tiny_run, capsys):
    command = ["adapt", "--data", "shapes", "--out", str(tmp_path / "encoder"), "--from"]
    for number, (changes, told) in enumerate((
        ({"name": "vgg16"}, "were trained with vgg16"),
        ({"name": LITE2}, f"trained with another {LITE2}"),
        ({"fingerprint": "0123456789abcdef"}, "0123456789abcdef, found"),
    )):  # fmt: skip
        assert main([*command, str(on_another_network(tiny_run, tmp_path / str(number), **changes))]) == 2
        assert told in capsys.readouterr().err
    assert main([*command, str(tiny_run / "learned")]) == 2
    assert "no trained decoder in" in capsys.readouterr().err
    assert main([*command, str(tiny_run), "--labels", str(tmp_path)]) == 2
    assert "Add --set distillation=1" in capsys.readouterr().err
    assert not (tmp_path / "encoder").exists()


@uncompiled()
def test_the_command_is_interrupted_resumed_and_its_encoder_used(tensorflow, tmp_path, tiny_run, encoder, monkeypatch, capsys):
    """The real network on a few pictures; then a decoder is trained on the new encoder and captions with it."""
    start = on_another_network(tiny_run, tmp_path / "start", name=LITE2, fingerprint=lite2_fingerprint())
    monkeypatch.setattr(datasets, "shapes", lambda: shapes(8, 4, 2))
    command = ["adapt", "--data", "shapes", "--from", str(start), "--out", str(tmp_path / "encoder"), "--json"]
    command += ["--set", "epochs=2", "--set", "images_per_batch=4", "--set", "first_block=conv_head"]
    epoch = Adapter.epoch

    def stop_in_the_second(self, number, *rest):
        if number == 2:
            raise KeyboardInterrupt
        return epoch(self, number, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(encoders, "load_encoder", lambda name: encoder)  # The original's export would take long.
        assert main([*command[:-1], "first_block=block_4"]) == 2
        assert "No convolution of the encoder begins with 'block_4'" in capsys.readouterr().err
        patch.setattr(Adapter, "epoch", stop_in_the_second)
        assert main(command) == 130
        patch.setattr(Adapter, "epoch", epoch)
        assert main(command) == 2 and "with --resume" in capsys.readouterr().err
        assert main([*command, "--resume"]) == 0
    result = json.loads(capsys.readouterr().out)
    how = read_json(tmp_path / "encoder" / "how.json")
    assert len(result["epochs"]) == 2 and not (tmp_path / ".resume" / "encoder").exists()
    assert set(load_file(tmp_path / "encoder" / ADAPTED_WEIGHTS)) == {"conv_head/kernel", "conv_head/bias"}
    assert how["encoder"] == {"name": LITE2, "fingerprint": lite2_fingerprint()} and how["photographs"] == [8, 4]
    assert how["agreement"] == result["agreement"] and set(how["agreement"]) == {"shapes dev"}
    assert "distillation" not in how["settings"] and "labels" not in how
    train = ["train", "--data", "shapes", "--preset", "tiny", "--epochs", "1", "--variant", "learned"]
    assert main([*train, "--out", str(tmp_path / "first"), "--cache", str(tmp_path / "cache")]) == 0
    assert main(["adapt", "--data", "shapes", "--from", str(tmp_path / "first"), "--out", str(tmp_path / "again")]) == 2
    assert "lacks some" in capsys.readouterr().err
    captioner = Captioner.load(tmp_path / "first")
    assert captioner.encoder.name == ADAPTED and captioner.encoder.fingerprint != encoder.fingerprint
    assert captioner.encoder.facts.agreement["least_cosine"] > 0.999
    assert captioner.caption([np.zeros((50, 50, 3), np.uint8)])[0]["learned"][0].text is not None


@uncompiled()
def test_the_command_continues_a_fine_tuned_encoder_with_labels(tensorflow, tmp_path, tiny_run, encoder, monkeypatch, capsys):
    """Weights that do not move are those of the encoder before; distillation keeps its classes."""
    monkeypatch.setattr(datasets, "shapes", lambda: shapes(4, 2, 2))
    monkeypatch.setattr(encoders, "load_encoder", lambda name: encoder)
    (tmp_path / "labelled").mkdir()
    drawn = shapes(30, 1, 1, seed=1).split("train")
    for record in drawn:
        (tmp_path / "labelled" / record.name).write_bytes(record.read())
    (tmp_path / "labels.tsv").write_text("".join(f"{record.name}\tball\n" for record in drawn))
    command = ["adapt", "--data", "shapes", "--from", str(tiny_run), "--out", str(tmp_path / "encoder")]
    command += ["--labels", str(tmp_path), "--set", "distillation=1", "--set", "epochs=1", "--set", "first_block=conv_head"]
    command += ["--set", "images_per_batch=16", "--set", "learning_rate=2e-4"]
    assert main(command) == 0
    table = capsys.readouterr().out
    assert "labelled, held out" in table and "same_noun" in table
    weights, before = (load_file(folder / ADAPTED_WEIGHTS) for folder in (tmp_path / "encoder", SHIPPED / "encoder"))
    moved = {name for name, values in weights.items() if (values != before[name]).any()}
    assert set(weights) == set(before) and {"conv_head/kernel"} <= moved <= {"conv_head/kernel", "conv_head/bias"}
    how = read_json(tmp_path / "encoder" / "how.json")
    assert how["encoder"] == {"name": ADAPTED, "fingerprint": encoder.fingerprint}
    found = load_labels(tmp_path)
    marked = mark([*found.train, *found.held_out])
    assert how["labels"] == {"name": found.name, "photographs": 27, "mark": marked} and how["settings"]["distillation"] == 1
    assert {name: found["photographs"] for name, found in how["agreement"].items()} == {"shapes dev": 2, "labelled, held out": 3}
    assert all(found["divergence"] < 0.1 for found in how["agreement"].values())
