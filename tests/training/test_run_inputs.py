"""The inputs that the decoders of a run share: readable photographs, text and word tables."""

import base64
from dataclasses import replace

import numpy as np
import pytest

from captioner.config import FIRST, LITE2, REWARD, VARIANTS
from captioner.data.datasets import Dataset, Record
from captioner.errors import DatasetError
from captioner.presets import PRESETS
from captioner.training.run_inputs import RunInputs, Sources
from support.fakes import StubEncoder, small_dataset, small_inputs, small_preset, two_datasets


def test_pictures_that_cannot_be_read_are_left_out(cache, tmp_path):
    data = small_dataset(train=2)
    gone = Record("gone.jpg", ("a dog",), tmp_path / "gone.jpg")
    some = replace(data, splits=data.splits | {"train": (gone, *data.split("train"))})
    prepared = RunInputs(some, StubEncoder(), cache, small_preset())
    assert list(prepared.failed) == ["gone.jpg"] and prepared.train == data.split("train") and "dog" not in prepared.vocabulary
    with pytest.raises(DatasetError, match="split 'train' of shapes has no readable photograph"):
        RunInputs(replace(data, splits=data.splits | {"train": (gone,)}), StubEncoder(), cache, small_preset())


def test_short_captions_are_left_out_of_training_alone(cache):
    data = small_dataset(train=3)
    one, two, three = data.split("train")
    changed = (one, replace(two, captions=("Dog!", "a red circle")), replace(three, captions=("a dog", "dogs")))
    data = replace(data, splits={"train": changed, "dev": (replace(data.split("dev")[0], captions=("star",)),)})
    found = small_inputs(cache, small_preset(shortest_caption=3), data)
    assert [record.captions for record in found.train] == [one.captions, ("a red circle",)] and "dog" not in found.vocabulary
    with pytest.raises(DatasetError, match="No training caption has 99 words or more; lower shortest_caption."):
        small_inputs(cache, small_preset(shortest_caption=99), data)
    assert found.dev[0].captions == ("star",)
    assert "dog" in small_inputs(cache, small_preset(), data).vocabulary


def test_several_data_sets(cache):
    """Equal file names are kept apart, and the sets are part of the fingerprint."""
    both = small_inputs(cache, dataset=two_datasets())
    assert both.data_name == "shapes+more"
    assert both.data.sets == {"shapes": {"train": 12, "dev": 4}, "more": {"train": 6, "dev": 2}}
    assert len({record.name for record in (*both.train, *both.dev)}) == 24
    before = both.fingerprint("learned", 1)
    both.train = tuple(replace(record, origin="shapes") for record in both.train)
    both.dev = tuple(replace(record, origin="shapes") for record in both.dev)
    del both.data
    assert both.data.sets is None and both.fingerprint("learned", 1) != before


def test_extra_text_is_for_the_frozen_tables_only(cache, inputs, tmp_path):
    (tmp_path / "corpus.txt").write_text("A dog, and a star!\n\n" * 4)
    with_corpus = small_inputs(cache, sources=Sources(corpus=(tmp_path / "corpus.txt",)))
    assert with_corpus.text() == inputs.text() + [["a", "dog", "and", "a", "star"]] * 4
    assert with_corpus.text(captions_only=True) == inputs.text()
    assert with_corpus.vocabulary.words == inputs.vocabulary.words and "dog" not in with_corpus.vocabulary


@pytest.mark.parametrize("variant", VARIANTS)
def test_tables(inputs, variant):
    """All have one shape and scale; rows that were trained on text are the same for all seeds."""
    table, extra = inputs.table(variant, 1)
    other, _ = inputs.table(variant, 2)
    assert table.words == inputs.vocabulary.words and table.dimensions == inputs.preset.decoder.embedding_dimensions
    assert np.sqrt(np.mean(table.vectors[4:] ** 2)) == pytest.approx(0.1, rel=0.15) and not table.vectors[0].any()
    trained = [row for row, origin in enumerate(table.origins) if origin == "trained"]
    assert bool(trained) == VARIANTS[variant].frozen
    np.testing.assert_array_equal(table.vectors[trained], other.vectors[trained])
    assert (table.vectors[1:4] != other.vectors[1:4]).any(axis=1).all()
    assert list(extra) == (["subwords.safetensors"] if variant == "fasttext" else [])


DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"


@pytest.mark.parametrize(("stage", "mark"), [(FIRST, "59734debad67f427"), (REWARD, "ce5fa1edf67ad9e9")])
def test_the_fingerprint_of_a_run_is_that_of_earlier_versions(tmp_path, stage, mark):
    """Stored records are recognised by it."""
    dot = tmp_path / "dot.png"
    dot.write_bytes(base64.b64decode(DOT))
    splits = {"train": (Record("a.png", ("a dog runs", "a dog"), dot),), "dev": (Record("b.png", ("a dog sits",), dot),)}
    preset = replace(PRESETS["tiny"], encoder=LITE2)  # as it was when the marks were recorded
    prepared = RunInputs(Dataset("mine", splits), StubEncoder(), tmp_path / "cache", preset, stage=stage)
    assert prepared.fingerprint("word2vec", 3) == mark
