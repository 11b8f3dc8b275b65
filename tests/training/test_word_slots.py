"""Decoders with word slots, from training through the reward stage to captions: they say what the CNN recognises."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from captioner.__main__ import main
from captioner.captioning.captioner import Captioner
from captioner.config import REWARD, RewardConfig, SearchConfig
from captioner.data.datasets import Dataset, Record, join
from captioner.data.datasets import load as load_dataset
from captioner.data.labels import load_labels
from captioner.errors import ConfigError
from captioner.model.checkpoints import load
from captioner.model.word_slots import SlotFinder
from captioner.training.batches import Examples
from captioner.training.pseudo_captions import told
from captioner.training.run import Run, Start
from captioner.training.run_inputs import RunInputs, Sources
from captioner.training.self_critical import Writer
from captioner.vocabulary import Vocabulary
from support.fakes import (
    COLOURS,
    SMALL_DECODER,
    Recogniser,
    StubEncoder,
    check_equal,
    small_preset,
    stop_after_an_epoch,
    uncompiled,
    write_captioned,
)

pytestmark = pytest.mark.slow

OTHERS = ("fish", "bird", "lion")  # nouns of the corpus alone that come before the zebra
CAPTIONS = ("a {} sits on grass", "the {} runs on grass")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Dogs and cats; zebras are in the test split alone."""
    folder = tmp_path_factory.mktemp("photographs")
    splits = {"train": ("dog", "cat") * 8, "dev": ("dog", "cat") * 2, "test": tuple(COLOURS)}
    records = {split: tuple(record(folder, split, *one) for one in enumerate(kinds)) for split, kinds in splits.items()}
    return Dataset("animals", records)


def record(folder, split, number, noun):
    path = folder / f"{split}-{number}.png"
    Image.new("RGB", (30, 20 + number), COLOURS[noun]).save(path)
    return Record(path.name, tuple(caption.format(noun) for caption in CAPTIONS), path)


@pytest.fixture(scope="module")
def inputs(dataset, tmp_path_factory, tensorflow):
    folder = tmp_path_factory.mktemp("slots")
    corpus = folder / "corpus.txt"
    kinds = (*COLOURS, *OTHERS)
    corpus.write_text("".join(f"a {kind} {verb} on grass\n" for kind in kinds for verb in ("sits", "runs", "eats")) * 30)
    preset = small_preset(epochs=12, word_dropout=0.0, views=1)
    training, reward = replace(preset.training, learning_rate=0.03), RewardConfig(epochs=1, views=1, images_per_batch=8)
    preset = replace(preset, decoder=replace(SMALL_DECODER, word_slots=2), training=training, reward=reward)
    return RunInputs(dataset, Recogniser(), folder / "cache", preset, Sources((corpus,)))


@pytest.fixture(scope="module")
def run(inputs, tmp_path_factory):
    """The folder of a trained decoder of both kinds."""
    folder = tmp_path_factory.mktemp("run")
    for variant in ("learned", "word2vec"):
        Run(inputs, variant, 1, folder).execute()
    return folder


def captioner(folder):
    return Captioner.load(folder, ("learned", "word2vec"), Recogniser())


def test_the_captions_name_what_the_cnn_recognises(run, dataset):
    pictures = [np.array(Image.open(one.source)) for one in dataset.split("test")[:2]]
    for noun, found in zip(("dog", "cat"), captioner(run).caption(pictures), strict=True):
        for captions in found.values():
            best = captions[0]
            assert noun in best.words and best.words_seen[0] == (noun, pytest.approx(0.8), pytest.approx(0.4))
            assert best.copied.shape == best.slot_attention.shape == (len(best.steps), 1)
            assert best.attention.sum() + best.slot_attention.sum() == pytest.approx(len(best.steps), abs=1e-3)


def test_a_frozen_table_has_rows_for_nouns_that_no_caption_has(run):
    tables = {name: load(run / name).table for name in ("learned", "word2vec")}
    vocabulary = load(run / "learned").vocabulary
    assert tables["learned"].words == vocabulary.words and "zebra" not in vocabulary
    assert tables["word2vec"].words == (*vocabulary.words, *OTHERS, "zebra")
    assert tables["word2vec"].origin("zebra") == "trained"


def test_a_word_can_be_told_and_the_decoder_without_its_vector_says_so(run, dataset):
    one = captioner(run)
    seen = one.see([np.array(Image.open(dataset.split("test")[0].source))])
    assert one.check_told(("Zebra",)) == ["Learned has no vector for 'zebra' and captions without it."]
    assert [word.word for word in one.words_seen(seen, ("Zebra",))[0]] == ["zebra", "dog"]
    assert one.words_seen(seen, ("", "cat"))[0] == (("cat", 1, 1),) and one.words_seen(seen, ("",)) == [()]
    told = one.caption_seen(seen, told=("", "cat"))[0]
    assert all("cat" in captions[0].words for captions in told.values())
    learned = one.slots("learned", seen, ("zebra",))
    assert learned.empty.tolist() == [[True, False]] and not learned.measures[0, 0].any()
    for wrong, sentence in ((("a dog",), "holds one word"), (("a", "b", "c"), "have 2 word slots, but received 3")):
        with pytest.raises(ConfigError, match=sentence):
            one.check_told(wrong)


def test_sentences_about_a_labelled_photograph_are_a_data_set(run, inputs, dataset, tmp_path, monkeypatch, capsys):
    """A label may be a phrase, and its word may be outside the captions' vocabulary."""
    labels = {"dog": "pair of dogs", "cat": "cat", "zebra": "zebra"}
    rows = zip(dataset.split("test"), labels.values(), strict=True)
    (tmp_path / "labels.tsv").write_text("".join(f"{one.name}\t{label}\n" for one, label in rows))
    shutil.copytree(dataset.split("test")[0].source.parent, tmp_path / "labelled")
    monkeypatch.setattr("captioner.captioning.captioner.load_encoder", lambda name, **_: Recogniser())
    monkeypatch.setattr("captioner.training.pseudo_captions.SHORTEST", 4)
    corpus, made = inputs.sources.corpus[0], tmp_path / "Made"
    write_captioned(tmp_path / "captioned")
    given = {"--labels": tmp_path, "--data": tmp_path / "captioned", "--checkpoints": run, "--corpus": corpus, "--out": made}
    given["--cache"] = tmp_path / "cache"
    assert main(["pseudo-caption", "--variant", "word2vec", *(str(part) for pair in given.items() for part in pair)]) == 0
    learned_from = {one.name: one.label for one in load_labels(tmp_path).train}
    assert f"Kept {len(learned_from)} of {len(learned_from)} photographs" in capsys.readouterr().out
    found = load_dataset(made)
    assert found.name == "made" and list(found.splits) == ["train"] and found.notes == ()
    for one in found.split("train"):
        noun = told(learned_from[one.name])[0].removesuffix("s")
        assert one.captions[0] in {f"a {noun} {verb} on grass" for verb in ("sits", "runs")}, "Nobody eats in the captions."
    assert {one.origin for one in join([dataset, found]).split("train")} == {"", "made"}


def test_greedy_captions_of_the_training_graph_are_those_of_the_search(run, inputs, dataset):
    """Zebras too, whose word is outside the vocabulary."""
    checkpoint = load(run / "word2vec")
    inputs.cache.fill(dataset.split("test"))
    known = Vocabulary(checkpoint.table.words)
    finder = SlotFinder.of(checkpoint.preset.decoder, known.words)
    examples = Examples.of(dataset.split("test"), known, inputs.cache, finder)
    features, slots = examples.photographs(range(3))
    written = Writer(checkpoint.build(), 9, 2).likeliest(features.astype(np.float32), slots[:2])
    found = captioner(run).caption_seen(inputs.cache.seen(dataset.split("test")), SearchConfig(method="greedy", maximum_words=9))
    assert [tuple(known.decode(ids)) for ids in written] == [one["word2vec"][0].words for one in found]


def test_the_reward_stage_goes_on_with_the_slots(run, inputs, dataset, tmp_path):
    second = RunInputs(dataset, Recogniser(), inputs.cache.folder.parent, inputs.preset, inputs.sources, REWARD)
    state = Run(second, "word2vec", 1, tmp_path, Start.load(run, "word2vec", second)).execute()
    assert state.epochs[-1].reward > 0 and load(tmp_path / "word2vec").table.words[-1] == "zebra"


@uncompiled()
def test_an_interrupted_run_resumes_exactly(inputs, tmp_path, monkeypatch):
    short = RunInputs.__new__(RunInputs)
    short.__dict__ = inputs.__dict__ | {"preset": replace(inputs.preset, training=replace(inputs.preset.training, epochs=2))}
    whole = Run(short, "word2vec", 1, tmp_path / "whole").execute()
    with monkeypatch.context() as patch:
        stop_after_an_epoch(Run(short, "word2vec", 1, tmp_path / "resumed"), patch)
    check_equal(Run(short, "word2vec", 1, tmp_path / "resumed").execute(resume=True).variables, whole.variables)


def test_an_encoder_without_a_classifier_is_refused(inputs, dataset, tmp_path):
    plain = RunInputs(dataset, StubEncoder(), tmp_path / "cache", inputs.preset, inputs.sources)
    with pytest.raises(ConfigError, match="need a CNN with a classifier"):
        Run(plain, "learned", 1, tmp_path / "run").execute()
