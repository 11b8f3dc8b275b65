"""Which sentences of a text are learned from for which labelled photographs."""

import numpy as np
import pytest
from PIL import Image

from captioner.captioning.captioner import Captioner
from captioner.data.datasets import Record
from captioner.data.labels import Labelled
from captioner.errors import DatasetError
from captioner.training.pseudo_captions import COMMON_SUBJECTS, Fitting, choose, fits, naming, rated, showing
from captioner.vision.encoder import Seen
from captioner.vision.feature_cache import FeatureCache
from support.fakes import COLOURS, Recogniser, StubEncoder, slotted_checkpoints

CAT, TABBY, DOG = (Labelled(f"{noun}.png", (), None, "own", noun) for noun in ("cat", "tabby", "dog"))


def test_sentences_of_usual_length_that_name_the_object_and_say_nothing_twice():
    good = ["two cats sit on grass", "a grand piano in a room"]
    bad = ["a cat sits", "a cat and another cat on grass", "a cat sits on the", "cat " * 21, "a dog runs on grass"]
    lines = [text.split() for text in (*good, *bad, *good)]
    found = naming(lines, ["tabby", "dog", "room with chair or grand piano", "zebra"])
    assert found == {
        "tabby": [tuple(good[0].split())],
        "dog": [tuple(bad[-1].split())],
        "room with chair or grand piano": [tuple(good[1].split())],
        "zebra": [],
    }


def test_each_photograph_gets_its_best_sentence_no_sentence_twice_and_each_object_a_few_photographs():
    """A tabby is a cat."""
    first, second, third = (tuple(text.split()) for text in ("a cat on grass", "the cat sits", "a cat runs"))
    fitting = [Fitting(CAT, first, 0.1), Fitting(CAT, second, 0), Fitting(TABBY, first, -0.1), Fitting(TABBY, third, -0.2)]
    fitting.append(Fitting(DOG, second, -0.3))
    assert choose(fitting, 2) == {CAT: first, TABBY: third, DOG: second}
    assert choose(reversed(fitting), 1) == {CAT: first, DOG: second}
    assert choose([], 1) == {}


def test_a_photograph_that_no_sentence_fits_is_left_out():
    fitting = [Fitting(CAT, ("a", "cat"), -0.99), Fitting(DOG, ("a", "dog"), -1.01)]
    assert choose(fitting, 1) == {CAT: ("a", "cat")}


def test_a_sentence_fits_that_is_likelier_for_the_photograph_than_for_none():
    """Against `follow`, sentence by sentence; the dog's photograph, told it, fits sentences about a dog."""
    captioner = Captioner(Recogniser(), slotted_checkpoints())
    picture = np.full((1, 24, 24, 3), COLOURS["dog"], np.uint8)
    seen = captioner.encoder.see(picture)
    empty = Seen(np.zeros_like(seen.features), seen.classes, seen.regional)
    sentences = [("dog", "dog"), ("dog", "runs", "on"), ("cat", "runs", "on", "the", "grass"), ("zebra",)]
    expected = []
    for words in sentences:
        with_it = [one.log_probability for one in captioner.follow(seen, words, told=["dog"]).values()]
        without = [one.log_probability for one in captioner.follow(empty, words, told=[""]).values()]
        expected.append((np.mean(with_it) - np.mean(without) / 2) / (len(words) + 1))
    found = fits(captioner, seen, ["dog"], sentences)
    assert found == pytest.approx(expected, rel=1e-4) and found[1] > found[2]
    assert fits(captioner, seen, ["dog"], []) == []


def test_what_a_photograph_shows_is_told_by_its_features(tmp_path):
    """Bright photographs have captions about people, red ones about dogs, green ones about cats."""
    person, dog, cat = ("a woman sits", "two boys", "a dog"), ("a dog", "a puppy", "a man"), ("a cat", "cats", "a lawn")
    shown = {
        "white": ((255, 255, 255), ()),
        "red": ((255, 0, 0), ()),
        "light": ((220, 220, 220), person),
        "pink": ((230, 60, 60), dog),
        "green": ((10, 240, 10), cat),
        "lighter": ((240, 240, 240), person),
        "dark": ((240, 30, 20), dog),
    }
    for name, (colour, _) in shown.items():
        Image.new("RGB", (40, 40), colour).save(tmp_path / f"{name}.png")
    records = [Record(f"{name}.png", texts, tmp_path / f"{name}.png") for name, (_, texts) in shown.items() if texts]
    cache = FeatureCache(tmp_path / "cache", StubEncoder())
    labelled = [Labelled(f"{name}.png", (), tmp_path / f"{name}.png", "own", "ball") for name in ("white", "red")]
    cache.fill([*records, *labelled])
    found = showing(labelled, records, cache)
    assert {thing: own.tolist() for thing, own in found.items()} == {
        "person": [True, False],
        "dog": [False, True],
        "cat": [False] * 2,
    }
    with pytest.raises(DatasetError, match="a cat in all photographs or in none"):
        showing(labelled, [records[0], records[1]], cache)


def test_sentences_mention_common_subjects_only_where_they_are(tmp_path):
    captioner, cache = Captioner(Recogniser(), slotted_checkpoints()), FeatureCache(tmp_path / "cache", Recogniser())
    Image.new("RGB", (40, 40), COLOURS["cat"]).save(tmp_path / "cat.png")
    record = Labelled("cat.png", (), tmp_path / "cat.png", "own", "cat")
    cache.fill([record])
    alone, with_dog = ("the", "cat", "sits"), ("a", "cat", "sits", "on", "the", "dog")
    for dog in (True, False):
        shown = {thing: np.array([dog and thing == "dog"]) for thing in COMMON_SUBJECTS}
        several = rated(captioner, [record], cache, {"cat": [alone, with_dog]}, shown)
        assert {one.sentence for found in several for one in found} == {alone, *([with_dog] if dog else [])}
