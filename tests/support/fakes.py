"""Small stand-ins: an encoder without weights, a data set, presets, checkpoints and runs."""

import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save as save_tensors

from captioner.config import FIRST, REWARD, VARIANTS, DecoderConfig, Preset
from captioner.data import datasets
from captioner.model.blueprint import parts, weight_shapes
from captioner.model.checkpoints import HISTORY, Checkpoint, EncoderMark, load, save
from captioner.presets import PRESETS
from captioner.storage import read_json, write_bytes, write_json
from captioner.training.run import Run
from captioner.training.run_inputs import RunInputs
from captioner.vision.encoder import Seen
from captioner.vision.nouns import nouns
from captioner.vocabulary import SPECIAL_WORDS, Vocabulary
from embeddings.table import learned_start

TINY_EPOCHS = 5  # of the run on shapes that many tests share


class StubEncoder:
    """Its features are the mean colours on a 3 x 3 grid and their squares; it counts the pictures."""

    name, size, fingerprint = "stub", 24, "0123456789abcdef"
    rows, columns, regions, channels, class_count = 3, 3, 9, 6, 0

    def __init__(self):
        self.pictures = 0

    def files(self):
        return {}

    def see(self, pictures):
        return Seen(self.encode(pictures), None, None)

    def encode(self, pictures):
        self.pictures += len(pictures)
        cells = pictures.reshape(len(pictures), 3, 8, 3, 8, 3).astype(np.float32) / 255
        means = cells.mean(axis=(2, 4)).reshape(len(pictures), self.regions, 3)
        return np.concatenate([means, means**2], axis=-1)  # (pictures, regions, channels)


COLOURS = {"dog": (250, 20, 20), "cat": (20, 250, 20), "zebra": (20, 20, 250)}


class Recogniser(StubEncoder):
    """Recognises a dog, a cat or a zebra by the picture's colour; the features do not tell it."""

    class_count, fingerprint = 1000, "recogniser000000"

    def see(self, pictures):
        classes = np.zeros((len(pictures), self.class_count), np.float32)
        found = pictures.reshape(len(pictures), -1, 3).mean(axis=1).argmax(axis=1)
        numbers = np.array([nouns().noun_of_class.index(noun) for noun in COLOURS])
        classes[np.arange(len(pictures)), numbers[found]] = 0.8
        return Seen(0 * self.encode(pictures) + 1, classes, classes / 2)


SMALL_VOCABULARY = Vocabulary((*SPECIAL_WORDS, *"a the dog cat runs sits on grass".split()))
SMALL_DECODER = DecoderConfig(
    embedding_dimensions=6, units=8, image_units=8, heads=2, hidden_units=5, feature_dropout=0.2, dropout=0.2, row_scale=0.1
)


def small_preset(**training) -> Preset:
    """Seconds of training with everything random: dropout, views and word dropout."""
    tiny = PRESETS["tiny"]
    settings = {"epochs": 4, "images_per_batch": 4, "views": 2, "word_dropout": 0.1, "label_smoothing": 0.1}
    return replace(tiny, decoder=SMALL_DECODER, training=replace(tiny.training, **(settings | training)))


def small_dataset(train=12, dev=4, name="shapes", seed=0) -> datasets.Dataset:
    """Shapes with captions of at most six words, so that only one loop has to be compiled."""
    drawn = datasets.shapes(train, dev, 1, seed, size=32)
    splits = {
        split: tuple(
            replace(record, captions=tuple(" ".join(caption.split()[:6]) for caption in record.captions), origin=name)
            for record in records
        )
        for split, records in drawn.splits.items()
    }
    return replace(drawn, name=name, splits=splits)


def two_datasets() -> datasets.Dataset:
    """Two small data sets together, whose photographs have the same file names."""
    return datasets.join([small_dataset(), small_dataset(6, 2, "more", 1)])


def small_inputs(cache_folder, preset: Preset | None = None, dataset: datasets.Dataset | None = None, **more) -> RunInputs:
    return RunInputs(dataset or small_dataset(), StubEncoder(), cache_folder, preset or small_preset(), **more)


@contextmanager
def uncompiled():
    """Run TensorFlow's functions step by step: a few steps are done before they would be compiled."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


# A known network, with the stub's few channels.
MARK = EncoderMark("vgg16", "0123456789abcdef", 3, 3, StubEncoder.channels)
# Every option of the older recipes that changes the decoder.
OLDER = [
    {"image_entry": "attention", "attention": "additive"},
    {"image_entry": "attention", "attention": "additive", "layers": 2},
    {"image_entry": "attention", "image_norm": "batch"},
    {"image_entry": "merge", "pooling": "blocks"},
    {"image_entry": "init", "pooling": "blocks", "image_norm": "batch"},
    {"image_entry": "pre", "image_norm": "batch"},
    {"image_entry": "merge", "activation": "relu", "layers": 2},
    {"image_entry": "attention", "attention": "additive", "activation": "relu", "dropout_at": "words"},
]
# And every shape that a decoder can have.
_ENTRIES = ("attention", "merge", "init", "pre")
_SIZES = [{"layers": layers, "hidden_units": hidden} for layers in (1, 2) for hidden in (5, 0)]
_SLOTS = [{"image_entry": "attention", "word_slots": 2, "hidden_units": hidden} for hidden in (5, 0)]
SHAPES = [{"image_entry": entry, **sizes} for entry in _ENTRIES for sizes in _SIZES] + _SLOTS + OLDER


def small_checkpoint(
    variant="learned", seed=3, mark: EncoderMark | None = None, beyond: tuple[str, ...] = (), **shape
) -> Checkpoint:
    """A decoder with random weights and biases: zeros could hide a mistake. `beyond` are words of its table alone."""
    config, mark, random = replace(SMALL_DECODER, **shape), mark or EncoderMark.of(StubEncoder()), np.random.default_rng(seed)
    table = learned_start((*SMALL_VOCABULARY.words, *beyond), config.embedding_dimensions, 1.0, seed)
    shapes = weight_shapes(parts(config, mark.channels, len(SMALL_VOCABULARY)))
    weights = {path: random.normal(0, 0.6, size).astype(np.float16) for path, size in shapes.items()}
    weights |= {path: values**2 for path, values in weights.items() if path == "image_norm/variance"}
    return Checkpoint(variant, seed, replace(small_preset(), decoder=config), mark, SMALL_VOCABULARY, table, weights)


def slotted_checkpoints(**shape) -> dict[str, Checkpoint]:
    """Decoders with two word slots that copy what they can; Word2Vec alone has a vector for the zebra."""
    mark, found = EncoderMark.of(Recogniser()), {}
    for name, beyond in (("learned", ()), ("word2vec", ("zebra",))):
        found[name] = small_checkpoint(name, mark=mark, beyond=beyond, word_slots=2, **shape)
        found[name].weights["copy_gate/bias"][:] = -50
    return found


def write_captioned(folder: Path) -> None:
    """A data set with captions of a dog, a cat and a person with a zebra."""
    (folder / "photographs").mkdir(parents=True)
    for noun, colour in COLOURS.items():
        Image.new("RGB", (50, 50), colour).save(folder / "photographs" / f"{noun}.png")
    lines = ("dog.png#0\ta dog runs", "cat.png#0\tthe cat sits on grass", "zebra.png#0\ta man and a zebra")
    (folder / "captions.train.txt").write_text("\n".join(lines) + "\n")


def write_stages(run: Path, folder: Path) -> Path:
    """The decoders of a run as the first stage, and slightly changed ones as the reward stage."""
    shutil.copytree(run, folder / FIRST)
    for name in VARIANTS:
        given, random = load(run / name), np.random.default_rng(1)
        moved = {path: value + random.normal(0, 0.1, value.shape) for path, value in given.weights.items()}
        save(folder / REWARD / name, replace(given, weights=moved, stage=REWARD), rewarded(read_json(run / name / HISTORY)))
    write_json(folder / REWARD / "search.json", {"beam": 2, "length_preference": 0.9})
    return folder


def trained_on(folder: Path, name: str) -> Path:
    """The decoders in a folder, their histories changed as if they had been trained on a data set of this name."""
    for path in folder.rglob(HISTORY):
        history = read_json(path)
        write_json(path, history | {"data": history["data"] | {"name": name}})
    return folder


def rewarded(history: dict, epochs: int = 2) -> dict:
    """A history that continues with epochs of the reward stage; the last one is the best."""
    before = history["epochs"]
    more = [
        before[-1] | {"epoch": len(before) + number, "stage": REWARD, "reward": 0.6 + number / 10, "dev_cider": 0.5 + number / 20}
        for number in range(1, epochs + 1)
    ]
    return history | {"epochs": before + more, "earlier": len(before), "best_epoch": len(before) + epochs}


def stop_after_an_epoch(run, monkeypatch) -> None:
    """Execute a run that is interrupted as soon as its first epoch has been saved."""
    keep = run._keep

    def keep_and_stop(state, *rest):
        keep(state, *rest)
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "_keep", keep_and_stop)
    with pytest.raises(KeyboardInterrupt):
        run.execute()


def interrupt_reading(cache, number, monkeypatch) -> None:
    """Interrupt the process when the cache is read for the time of this number."""
    seen, calls = cache.seen, iter(range(1, number + 1))
    monkeypatch.setattr(cache, "seen", lambda *given: _interrupt() if next(calls) == number else seen(*given))


def _interrupt():
    raise KeyboardInterrupt


def check_equal(one, other) -> None:
    """The same arrays by name, bit for bit."""
    assert set(one) == set(other) and all(one[name].tobytes() == other[name].tobytes() for name in one)


def keep_what_runs_end_with(folder) -> None:
    """From now on every run of this process saves all its variables in that folder, in full precision."""
    execute = Run.execute

    def execute_and_keep(self, resume=False):
        state = execute(self, resume)
        write_bytes(Path(folder) / f"{self.variant}.safetensors", save_tensors(state.variables))
        return state

    Run.execute = execute_and_keep
