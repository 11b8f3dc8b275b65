"""Which photographs and words each part of the training data withholds."""

from pathlib import Path

import pytest

from captioner.data.datasets import Record
from captioner.errors import ConfigError
from captioner.experiments.withheld import OBJECTS, WORDS, Part
from captioner.vision.nouns import nouns

TEXTS = (
    "a man on a bike",
    "two cyclists ride",
    "a dog runs",
    "a cat and a laptop",
    "a catfish swims",
    "kittens sleep",
    "a red bus",
)
RECORDS = tuple(Record(f"{number}.jpg", ("something", text), Path(str(number)), "own") for number, text in enumerate(TEXTS))


def texts(records):
    return {record.captions[-1] for record in records}


@pytest.mark.parametrize("text", ["", "unseen", "unseen+5", "300"])
def test_a_part_is_written_as_it_is_read(text):
    assert str(Part.read(text)) == text


@pytest.mark.parametrize("text", ["seen", "unseen+", "unseen+0", "unseen+x", "-3", "unseen5"])
def test_no_other_part_is_read(text):
    with pytest.raises(ConfigError, match="There is no part"):
        Part.read(text)


def test_every_photograph_whose_captions_name_an_object_is_withheld():
    kept, withheld = Part.read("unseen").divide(RECORDS, 1)
    assert texts(kept) == {"a dog runs", "a catfish swims"} and withheld.words == WORDS
    assert {*kept, *withheld.records} == {*RECORDS}


def test_some_photographs_of_each_object_come_back_the_same_in_larger_parts():
    parts = [Part.read(text).divide(RECORDS, 1)[0] for text in ("unseen", "unseen+1", "unseen+2")]
    assert set(parts[0]) < set(parts[1]) < set(parts[2])
    assert sum("bike" in text or "cyclists" in text for text in texts(parts[1])) == 1
    assert sum("cat " in text or "kittens" in text for text in texts(parts[1])) == 1
    assert set(parts[2]) == set(RECORDS), "no object has more than two photographs"


def test_a_number_of_photographs_is_drawn_by_the_seed_and_lies_within_a_larger_one():
    three, five = (Part.read(str(count)).divide(RECORDS, 1) for count in (3, 5))
    assert len(three[0]) == 3 and set(three[0]) < set(five[0]) and not three[1].records and not three[1].words
    assert len({Part.read("3").divide(RECORDS, seed)[0] for seed in range(9)}) > 1
    assert Part.read("").divide(RECORDS, 1)[0] == RECORDS
    with pytest.raises(ConfigError, match="There are 7 training photographs, not 8"):
        Part.read("8").divide(RECORDS, 1)


def test_every_object_has_a_noun_of_the_cnn_that_is_one_of_its_words():
    assert all(one.noun in nouns().words and one.noun in one.words for one in OBJECTS)
    assert len(frozenset().union(*(one.words for one in OBJECTS))) == sum(len(one.words) for one in OBJECTS) < len(WORDS)
