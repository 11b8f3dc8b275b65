"""Words: how a caption is cut, which words are kept and in which order, and when two lists are the same."""

import doctest

import pytest

from captioner import vocabulary
from captioner.errors import VocabularyError
from captioner.vocabulary import END, PADDING, SPECIAL_WORDS, START, UNKNOWN, Vocabulary, tokenize


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A dog, running .", "a dog running"),
        ("a man 's hat", "a man s hat"),
        ("the man's and the woman’s dogs'", "the mans and the womans dogs"),
        ("a black-and-white T-shirt", "a black and white t shirt"),
        ("number 42, #8 & co.", "number 42 # 8 & co"),
        ("RIF=ding under_score (both)", "rif ding under score both"),
        ("ÉTÉ à la plage; naïve", "été à la plage naïve"),
        ("狗 runs\tfast\n", "狗 runs fast"),
        ("   ", ""),
        ("' - _ !...", ""),
    ],
)
def test_captions_are_cut_into_words(text, words):
    assert tokenize(text) == words.split() and doctest.testmod(vocabulary).failed == 0


def test_equal_words_are_kept_once():
    first, second = tokenize("a dog's day"), tokenize("the DOG'S day")
    assert first[1] == "dogs" and all(one is two for one, two in zip(first[1:], second[1:], strict=True))


def test_special_words_have_their_numbers_and_cannot_be_typed():
    words = Vocabulary(SPECIAL_WORDS)
    assert [words.id(word) for word in SPECIAL_WORDS] == [PADDING, START, END, UNKNOWN] == [0, 1, 2, 3]
    assert not {word for text in SPECIAL_WORDS for word in tokenize(text)} & set(SPECIAL_WORDS)


def test_frequent_words_are_kept_commonest_first_and_ties_by_name():
    captions = [["b", "a", "dog"], ["dog", "a", "b"], ["dog", "rare"]]
    built = Vocabulary.build(captions, minimum_count=2)
    assert built.words == (*SPECIAL_WORDS, "dog", "a", "b")
    assert len(built) == 7
    assert "dog" in built and "rare" not in built
    assert Vocabulary.build(reversed(captions), minimum_count=2).words == built.words


def test_encoding_and_back():
    words = Vocabulary([*SPECIAL_WORDS, "a", "dog"])
    assert words.encode(["a", "zebra", "dog"]) == [4, UNKNOWN, 5]
    assert words.decode([4, 5]) == ["a", "dog"]
    assert words.encode([]) == words.decode([]) == []


def test_a_fingerprint_names_the_list_and_its_order():
    lists = [["a", "b"], ["b", "a"], ["ab"], ["a", "b", "c"], []]
    fingerprints = [Vocabulary([*SPECIAL_WORDS, *words]).fingerprint for words in lists]
    assert len(set(fingerprints)) == len(lists)
    assert Vocabulary([*SPECIAL_WORDS, "a", "b"]).fingerprint == fingerprints[0]
    # Checkpoints hold this very value, so it may not change from version to version.
    assert fingerprints[0] == "f102d967d9a9f3b4"


def test_a_list_that_is_no_vocabulary_is_refused():
    with pytest.raises(VocabularyError, match="starts with a dog"):
        Vocabulary(["a", "dog"])
    with pytest.raises(VocabularyError, match="starts with nothing"):
        Vocabulary([])
    with pytest.raises(VocabularyError, match="contains 'dog' twice"):
        Vocabulary([*SPECIAL_WORDS, "dog", "a", "dog"])
    with pytest.raises(VocabularyError, match="No word occurs 3 times"):
        Vocabulary.build([["a", "dog"], ["a"]], minimum_count=3)
