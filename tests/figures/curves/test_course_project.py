"""The published curves against the figures that were published with them."""

from captioner.figures.curves.course_project import caution, description, read_course


def test_the_curves_are_those_that_were_published():
    word2vec, fasttext = read_course().values()
    assert (word2vec.variant.name, word2vec.dimensions, len(word2vec.losses)) == ("word2vec", 300, 59)
    assert (fasttext.variant.name, fasttext.dimensions, len(fasttext.losses)) == ("fasttext", 10, 64)
    for curve, first, best, last in ((word2vec, 3.60, 2.76, 2.81), (fasttext, 5.07, 3.63, 3.66)):
        assert [round(loss, 2) for loss in (curve.losses[0], curve.best, curve.losses[-1])] == [first, best, last]


def test_they_are_described_and_cautioned_against():
    assert "300 numbers a word, 59 epochs from 3.60 to a best of 2.76 and 2.81 in the end" in description()
    assert "7,577 words (ours: 2,536)" in caution(2536) and "ours" not in caution(None).split("7,577")[1]
