"""Whether captions name the object of a label, on captions judged by hand."""

import pytest

from captioner.scoring.object_names import accepted, named, noun_of, other_names, share_named

YES = [
    ("cat", "A Cat's toy and two cats"),
    ("cat", "a kitten on a bed"),
    ("grand piano", "a man plays the piano"),
    ("room with chair, table or desk", "two chairs in front of a window"),
    ("room with chair, table or desk", "some desks"),
    ("person", "a group of people"),
    ("face of a person", "two women smile"),
    ("airplane", "planes in the sky"),
    ("zucchinis", "a zucchini"),
    ("strawberry", "a bowl of strawberries"),
    ("tomatoes", "a tomato"),
    ("ice cream", "an ice cream cone"),
    ("hot dog", "two hot dogs on a plate"),
    ("television or computer monitor", "a tv on a table"),
    ("long sleeved shirt", "a red shirt"),
    ("pair of shorts", "a boy in shorts"),
    ("computer mouse", "computer mice"),
    ("knife", "knives"),
    ("axe", "axes"),
]
NO = [
    ("cat", "a dog sits on a catalog"),
    ("hot dog", "a dog runs on hot sand"),
    ("sea horse", "a horse at the sea"),
    ("pair of shorts", "a pair of dogs"),
    ("ice cream", "cream on ice"),
    ("head of a flamingo", "the head of a man"),
    ("glass bottle", "a glass of water"),
    ("person", ""),
]


@pytest.mark.parametrize(("label", "caption"), YES)
def test_a_caption_that_names_it(label, caption):
    assert named(caption, accepted(label))


@pytest.mark.parametrize(("label", "caption"), NO)
def test_a_caption_that_does_not(label, caption):
    assert not named(caption, accepted(label))


def test_the_nouns_of_the_cnn_count():
    assert not named("a white dog", accepted("Samoyed")) and named("two white dogs", accepted("Samoyed", "dog"))
    assert named("a puppy", accepted("Samoyed", "dog")) and named("a samoyed", accepted("Samoyed", "dog"))
    captions = {"1.jpg": "a dog", "2.jpg": "a dog", "3.jpg": "a bed", "4.jpg": "a boy"}
    labels = {"1.jpg": "Samoyed", "2.jpg": "sofa", "3.jpg": "bed", "4.jpg": "lamp", "5.jpg": "cat"}
    assert share_named(captions, labels) == 0.5  # The CNN's table has the Samoyed as a dog.


def test_a_label_in_the_plural_is_the_class_too():
    """The table calls a zucchini, a cucumber and a pomegranate by words that people use."""
    assert [noun_of(label) for label in ("zucchinis", "Cucumbers", "pomegranates")] == ["vegetables", "vegetables", "fruit"]
    assert noun_of("bell peppers") == "peppers" and noun_of("Arctic fox") == "fox" and noun_of("no class") == ""


def test_other_names_are_words_of_captions():
    assert all(names and all(name == name.lower().strip() for name in (label, *names)) for label, names in other_names().items())
    assert not any(label in names for label, names in other_names().items())
