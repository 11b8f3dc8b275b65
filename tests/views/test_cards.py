"""What stands on a decoder's card: how a probability is said, which words differ, and that no word can act as HTML."""

import math
import re
from types import SimpleNamespace

import pytest

from captioner.config import VARIANTS
from captioner.views import cards

NASTY = "<img/src=x>"


def caption(*words: str, probability: float = 0.5, finished: bool = True):
    steps = len(words) + finished
    return SimpleNamespace(
        words=words,
        text=" ".join(words),
        finished=finished,
        word_log_probabilities=(math.log(probability),) * steps,
        log_probability=steps * math.log(probability),
    )


@pytest.mark.parametrize(
    ("chances", "said"),
    [
        (1.0, "almost certain"),
        (1.04, "almost certain"),
        (1.25, "1 in 1.2"),
        (2, "1 in 2"),
        (3.44, "1 in 3.4"),
        (9.96, "1 in 10"),
        (343, "1 in 340"),
        (999.9, "1 in 1,000"),
        (16_499, "1 in 16,000"),
        (8_900_000, "1 in 8.9 million"),
        (2e9, "1 in 2 billion"),
        (7.24e11, "1 in 720 billion"),
        (4.4e14, "1 in 440 trillion"),
        (1e300, "1 in more than a thousand trillion"),
    ],
)
def test_odds_have_two_figures(chances, said):
    assert cards.odds(-math.log(chances)) == said


def test_odds_of_the_impossible_do_not_overflow():
    assert cards.odds(-math.inf) == cards.odds(-1e6) == "1 in more than a thousand trillion"


def test_percentages_never_claim_none_or_all():
    assert [cards.percent(share) for share in (0.0, 0.01, 0.256, 0.99, 0.9999)] == ["<1%", "1%", "26%", "99%", ">99%"]


def test_durations():
    assert [cards.duration(seconds) for seconds in (0.0184, 0.95, 1.04, 52.3)] == ["18 ms", "950 ms", "1.0 s", "52 s"]


def test_words_that_not_all_wrote_differ():
    sentences = ["a brown dog runs".split(), "a dog is running".split(), "a brown dog sits".split()]
    marked = [
        [word for word, mark in zip(words, marks, strict=True) if mark]
        for words, marks in zip(sentences, cards.differing(sentences), strict=True)
    ]
    assert marked == [["brown", "runs"], ["is", "running"], ["brown", "sits"]]


def test_only_the_surplus_of_a_repeated_word_differs():
    assert cards.differing([["a", "man", "and", "a", "man"], ["a", "man", "and", "dogs"]]) == [
        [False, False, False, True, True],
        [False, False, False, True],
    ]


@pytest.mark.parametrize("sentences", [[["a", "dog"]], [["a", "dog"]] * 3, [[], [], []]])
def test_where_all_agree_nothing_differs(sentences):
    assert not any(map(any, cards.differing(sentences)))


def test_a_sentence_underlines_what_differs():
    assert "a <u>dog</u> runs" in cards.sentence(["a", "dog", "runs"], [False, True, False])
    assert "no word at all" in cards.sentence([], [])


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_the_rule_is_the_variants_colour_and_dash(variant):
    drawn, left_out = variant.dash
    assert f"{variant.colour} 0 {drawn}px, transparent {drawn}px {drawn + left_out}px" in cards.rule(variant)


def test_choices_have_a_bar_and_a_number_each_and_the_end_is_no_word():
    made = cards.choices([("dog", 0.25), ("<end>", 0.004), ("certain", 1.0000001)], "#123456")
    assert re.findall(r"<b>(.*?)</b>", made) == ["dog", "<i>end</i>", "certain"]
    assert re.findall(r"width:(.*?)%", made) == ["25.0", "0.4", "100.0"]
    assert re.findall(r"<small>(.*?)</small>", made) == ["25%", "&lt;1%", "&gt;99%"]


def test_what_was_given_stands_back_and_what_was_added_stands_out():
    made = cards.continued(caption("a", "dog", "runs"), 2)
    assert "<span>a dog</span> <b>runs</b>" in made
    assert "nothing more" in cards.continued(caption("a"), 1)


def test_the_runners_up_are_numbered_from_two():
    more = cards.runners_up([caption("a", "cat"), caption("a", "dog")])
    assert 'start="2"' in more and more.index("a cat") < more.index("a dog") and "1 in 8" in more


def test_no_word_acts_as_html():
    nasty = caption(NASTY)
    for made in (
        cards.sentence(nasty.words, [True]),
        cards.sentence(nasty.words, [False]),
        cards.runners_up([nasty]),
        cards.choices([(NASTY, 0.5)], "#000000"),
        cards.continued(nasty, 1),
        cards.continued(nasty, 0),
        cards.written(NASTY),
    ):
        assert NASTY not in made and "&lt;img/src=x&gt;" in made
