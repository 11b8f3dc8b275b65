"""The search against tables a hand can check, exhaustive enumeration, and plain loops written another way."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

from captioner.captioning.beam_search import follow, rate, search
from captioner.captioning.hypotheses import take_best
from captioner.config import SearchConfig
from captioner.errors import CheckpointError, ConfigError
from captioner.vocabulary import END, PADDING, START, UNKNOWN
from support.plain_search import plain_beam

A, B, C = 4, 5, 6
FORBIDDEN = (PADDING, START, UNKNOWN)


def table_step(table):
    """A step whose words depend on the previous word only; table maps a word to {next word: probability}."""
    size = 1 + max(word for row in table.values() for word in [*row, *table])
    log_probabilities = np.full((size, size), -np.inf, dtype=np.float32)
    for word, row in table.items():
        log_probabilities[word, list(row)] = np.log(list(row.values()))
    return lambda state, words, images: said(log_probabilities[words], state)


def said(log_probabilities, state, attention=None):
    """What a step returns whose scores are log-probabilities already."""
    return log_probabilities, np.zeros((len(log_probabilities), 1), np.float32), state, attention


def markov(seed, images=1, size=12):
    """A random table per image (images, size, size) of log-probabilities, and its step."""
    logits = np.random.default_rng(seed).normal(scale=2.0, size=(images, size, size))
    table = (logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))).astype(np.float32)
    return table, step_of(table)


def step_of(table):
    return lambda state, words, images: said(table[owners(words, images), words], state)


def owners(words, images):
    """The image of each row."""
    return images.repeat(len(words) // len(images))


def table_of(table):
    """The step of one image alone."""
    return lambda state, words, images: said(table[words], state)


def find(step, images=1, state=None, **settings):
    return search(step, (np.zeros((images, 1)),) if state is None else state, images, SearchConfig(**settings))


def same(first, second):
    return all(
        (one.ids, one.log_probabilities, one.alternatives, one.score, one.finished)
        == (two.ids, two.log_probabilities, two.alternatives, two.score, two.finished)
        for one, two in zip(first, second, strict=True)
    )


# Greedy takes A (0.6), after which everything is spread thin; B (0.4) leads to a certain end.
#   A end: 0.6 * 0.3 = 0.18     A A: 0.6 * 0.3 ...     A B: 0.6 * 0.4 = 0.24, then end 1: 0.24     B end: 0.4
TRAP = {START: {A: 0.6, B: 0.4}, A: {END: 0.3, A: 0.3, B: 0.4}, B: {END: 1.0}}


def test_beam_avoids_the_trap_that_greedy_falls_into():
    (greedy,), (beam,) = (find(table_step(TRAP), method=method, beam=2, length_preference=0.0) for method in ("greedy", "beam"))
    assert [hypothesis.ids for hypothesis in greedy] == [(A, B)]
    assert greedy[0].log_probability == pytest.approx(math.log(0.24), abs=1e-6)
    assert [hypothesis.ids for hypothesis in beam] == [(B,), (A, B)]
    assert beam[0].score == pytest.approx(math.log(0.4), abs=1e-6)
    assert beam[0].log_probabilities == pytest.approx((math.log(0.4), 0.0), abs=1e-6)


def test_length_preference_turns_the_order_round():
    # Finished are (A,) with 0.3 and (B, C) with 0.7 * 0.4 = 0.28.
    #   preference 0: log 0.3 = -1.204 > log 0.28 = -1.273            -> (A,) first
    #   preference 1: -1.204 / 2 = -0.602 < -1.273 / 3 = -0.424       -> (B, C) first; the end counts as a step
    table = {START: {A: 0.3, B: 0.7}, A: {END: 1.0}, B: {C: 0.4, UNKNOWN: 0.6}, C: {END: 1.0}}
    short, long = (find(table_step(table), beam=2, length_preference=power)[0] for power in (0.0, 1.0))
    assert [hypothesis.ids for hypothesis in short] == [(A,), (B, C)]
    assert [hypothesis.ids for hypothesis in long] == [(B, C), (A,)]
    assert [hypothesis.score for hypothesis in long] == pytest.approx([math.log(0.28) / 3, math.log(0.3) / 2], abs=1e-6)


def test_a_beam_wide_enough_finds_what_enumeration_finds():
    words, longest, power = (A, B, C), 3, 0.7
    table, step = markov(seed=5, size=7)
    table = table[0].astype(np.float64)
    expected = []
    for length in range(longest + 1):
        for ids in itertools.product(words, repeat=length):
            finished = length < longest
            path = [START, *ids, *[END] * finished]
            total = sum(table[one, two] for one, two in itertools.pairwise(path))
            expected.append((not finished, -total / (length + 1) ** power, ids))
    found = find(step, beam=50, maximum_words=longest, length_preference=power)[0]
    assert len(found) == 1 + 3 + 9 + 27
    assert [hypothesis.ids for hypothesis in found] == [ids for _, _, ids in sorted(expected)]
    assert [hypothesis.score for hypothesis in found] == pytest.approx([-cost for _, cost, _ in sorted(expected)], abs=1e-5)


@pytest.mark.parametrize("beam", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("size", [5, 7, 12])  # down to words of which all but one are forbidden, fewer than 2 * beam
@pytest.mark.parametrize("forbidden", [FORBIDDEN, (*FORBIDDEN, A), ()])
@pytest.mark.parametrize("coarse", [False, True])
def test_beam_is_the_plain_search(beam, size, forbidden, coarse):
    images, config = 6, SearchConfig(beam=beam, maximum_words=8)
    table, _ = markov(8, images, size)
    if coarse:  # Many words are as likely as others then, and some impossible.
        table = np.where(table < -6, -np.inf, table.round()).astype(np.float32)
    found = search(step_of(table), (np.zeros((images, 1)),), images, config, forbidden)
    for rows, hypotheses in zip(table, found, strict=True):
        expected = plain_beam(lambda path, rows=rows: rows[path[-1]], beam, 8, forbidden)
        assert [(one.ids, one.finished) for one in hypotheses] == [(ids, finished) for ids, _, finished in expected]
        assert [one.score for one in hypotheses] == pytest.approx([score for _, score, _ in expected])


def test_beam_1_is_greedy_and_greedy_takes_the_most_probable_word():
    table, step = markov(seed=1, images=30)
    found, greedy = find(step, images=30, beam=1), find(step, images=30, method="greedy", beam=5)
    for image in range(30):
        word, expected = START, []
        while len(expected) < 30:
            row = table[image, word].copy()
            row[list(FORBIDDEN)] = -np.inf
            word = int(row.argmax())
            if word == END:
                break
            expected.append(word)
        assert greedy[image][0].ids == tuple(expected)
        assert same(found[image], greedy[image])


@pytest.mark.parametrize("method", ["beam", "greedy", "sample"])
def test_forbidden_words_never_appear_even_when_most_probable(method):
    table, step = markov(seed=2, images=20)
    table[:, :, list(FORBIDDEN)] = -0.01
    for hypotheses in find(step, images=20, method=method, beam=4):
        for hypothesis in hypotheses:
            offered = {word for step_words in hypothesis.alternatives for word, _ in step_words}
            assert not (set(hypothesis.ids) | offered) & {*FORBIDDEN}


def test_probabilities_are_the_steps_own():
    table = {START: {A: 0.2, END: 0.1, UNKNOWN: 0.7}, A: {END: 1.0}}
    for method in ("greedy", "sample"):
        hypothesis = find(table_step(table), method=method, seed=1)[0][0]
        assert hypothesis.ids == (A,)
        assert hypothesis.log_probabilities[0] == pytest.approx(math.log(0.2), abs=1e-6)
        (first, second), last = hypothesis.alternatives
        assert [word for word, _ in (first, second, *last)] == [A, END, END]
        assert (first[1], second[1], last[0][1]) == pytest.approx((0.2, 0.1, 1.0), abs=1e-6)


def test_alternatives_are_the_best_allowed_words_of_the_step():
    table, step = markov(seed=3)
    hypothesis = find(step, alternatives=4)[0][0]
    for previous, alternatives in zip((START, *hypothesis.ids), hypothesis.alternatives, strict=False):
        allowed = [word for word in np.argsort(-table[0, previous]) if word not in FORBIDDEN][:4]
        assert [word for word, _ in alternatives] == allowed
        assert [probability for _, probability in alternatives] == pytest.approx(np.exp(table[0, previous, allowed]), rel=1e-5)
    bare = find(step, alternatives=0)[0][0]
    assert bare.ids == hypothesis.ids and bare.log_probabilities == hypothesis.log_probabilities
    assert bare.alternatives == ((),) * len(bare.log_probabilities)


@pytest.mark.parametrize(("method", "beam"), [("greedy", 1), ("beam", 3), ("beam", 10), ("sample", 1)])
def test_an_image_gets_the_same_alone_and_in_a_batch(method, beam):
    table, step = markov(seed=4, images=25)
    together = find(step, images=25, method=method, beam=beam, seed=9)
    for image in range(25):
        assert same(find(table_of(table[image]), method=method, beam=beam, seed=9)[0], together[image])
    assert len({hypotheses[0].ids for hypotheses in together}) > 5


def test_finished_images_leave_the_batch():
    # Image n ends after n words, for certain; greedy has one row an image.
    seen = []

    def step(state, words, images):
        seen.append(images.tolist())
        assert words.dtype == images.dtype == np.int32
        done = (state[0][:, 0] == images)[:, None]
        log_probabilities = np.where(done, np.eye(5)[END], np.eye(5)[A])
        with np.errstate(divide="ignore"):
            return said(np.log(log_probabilities).astype(np.float32), (state[0] + 1,))

    found = find(step, images=4, method="greedy")
    assert seen == [[0, 1, 2, 3], [1, 2, 3], [2, 3], [3]]
    assert [hypotheses[0].ids for hypotheses in found] == [(), (A,), (A, A), (A, A, A)]
    assert [hypotheses[0].log_probability for hypotheses in found] == [0.0] * 4


def test_state_and_attention_follow_their_hypothesis():
    table, plain = markov(seed=6, images=5)

    def step(state, words, images):
        history = np.column_stack([state[0][:, 1:], words])  # (rows, remembered words)
        owner = state[1][:, 0]
        assert (owner == owners(words, images)).all()
        attention = np.column_stack([owner, words, history.sum(axis=1)]).astype(np.float32)
        return said(plain((), words, images)[0], (history, state[1]), attention)

    state = (np.zeros((5, 40), dtype=np.int64), np.arange(5)[:, None])
    for image, hypotheses in enumerate(find(step, images=5, state=state, beam=4, maximum_words=12)):
        for hypothesis in hypotheses:
            steps = len(hypothesis.log_probabilities)
            assert steps == len(hypothesis.ids) + hypothesis.finished == len(hypothesis.alternatives)
            previous = np.array([START, *hypothesis.ids])[:steps]
            expected = np.column_stack([np.full(steps, image), previous, previous.cumsum()])
            np.testing.assert_array_equal(hypothesis.attention, expected)
            path = [START, *hypothesis.ids, *[END] * hypothesis.finished]
            gains = [table[image, one, two] for one, two in itertools.pairwise(path)]
            assert hypothesis.log_probabilities == pytest.approx(gains, rel=1e-6)


def first_samples(step, temperature, draws):
    settings = {"method": "sample", "temperature": temperature, "maximum_words": 1, "alternatives": 0}
    return [find(step, seed=seed, **settings)[0][0].ids for seed in range(draws)]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_samples_follow_the_softmax_at_a_temperature(temperature):
    probabilities = {A: 0.5, B: 0.2, C: 0.1, END: 0.05, UNKNOWN: 0.15}
    found = first_samples(table_step({START: probabilities}), temperature, draws=2000)
    counts = np.array([found.count(ids) for ids in ((A,), (B,), (C,), ())])
    weights = np.array([0.5, 0.2, 0.1, 0.05]) ** (1 / temperature)
    # Four standard deviations of a frequency over 2,000 draws are 0.045 at most.
    np.testing.assert_allclose(counts / 2000, weights / weights.sum(), atol=0.045)


def test_sampling_is_repeatable_and_cold_sampling_is_greedy():
    _, step = markov(seed=7, images=10)
    runs = [find(step, images=10, method="sample", seed=seed) for seed in (3, 3, 4)]
    assert all(same(one, two) for one, two in zip(runs[0], runs[1], strict=True))
    assert [run[0].ids for run in runs[0]] != [run[0].ids for run in runs[2]]
    greedy = find(step, images=10, method="greedy")
    for temperature in (1e-6, 1e-300):
        cold = find(step, images=10, method="sample", temperature=temperature)
        assert all(same(one, two) for one, two in zip(cold, greedy, strict=True))


def test_an_empty_caption_is_a_caption():
    table = {START: {END: 0.9, A: 0.1}, A: {END: 1.0}}
    for method in ("greedy", "beam"):
        best = find(table_step(table), method=method, beam=2)[0][0]
        assert (best.ids, best.finished) == ((), True)
        assert best.score == best.log_probability == pytest.approx(math.log(0.9), abs=1e-6)
    assert find(table_step(table), images=0) == []


def test_what_never_ends_is_closed_unfinished():
    table = {START: {A: 0.6, B: 0.4}, A: {A: 0.6, B: 0.4}, B: {A: 0.6, B: 0.4}}
    found = find(table_step(table), beam=3, maximum_words=5)[0]
    assert [(len(one.ids), one.finished, len(one.log_probabilities)) for one in found] == [(5, False, 5)] * 3
    assert found[0].ids == (A,) * 5
    assert found[0].score == pytest.approx(5 * math.log(0.6) / 6**0.7, abs=1e-5)
    assert find(table_step(table), method="sample", maximum_words=4)[0][0].finished is False


def test_finished_captions_come_before_unfinished_ones():
    # The caption () has probability 0.001 and ends; A A A is far likelier, and never ends.
    table = {START: {END: 0.001, A: 0.999}, A: {A: 1.0}}
    found = find(table_step(table), beam=3, maximum_words=3)[0]
    assert [(one.ids, one.finished) for one in found] == [((), True), ((A, A, A), False)]


def test_something_comes_back_when_nothing_is_possible():
    attention = np.ones((1, 9), dtype=np.float32)
    impossible = np.full((1, 6), -np.inf, dtype=np.float32)
    for method in ("greedy", "beam", "sample"):
        (found,) = find(lambda state, words, images: said(impossible, state, attention[:0]), method=method)[0]
        assert (found.ids, found.finished, found.attention.shape) == ((), False, (0, 9))
    table = {START: {A: 1.0}, A: {UNKNOWN: 1.0}}
    assert [(one.ids, one.finished) for one in find(table_step(table))[0]] == [((A,), False)]


def test_the_best_columns_come_in_order_and_ties_go_to_the_first():
    scores = np.random.default_rng(0).normal(size=(6, 40))
    columns, values = take_best(scores.copy(), 25)
    np.testing.assert_array_equal(columns, np.argsort(-scores, axis=1)[:, :25])
    np.testing.assert_array_equal(values, -np.sort(-scores, axis=1)[:, :25])
    assert take_best(np.array([[1.0, 2.0, 2.0]]), 2)[0].tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("method", "magic"),
        ("beam", 0),
        ("beam", 51),
        ("temperature", 0.0),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("length_preference", math.inf),
        ("length_preference", math.nan),
        ("maximum_words", 0),
        ("alternatives", -1),
        ("seed", -1),
    ],
)
def test_a_setting_that_cannot_be_is_named(name, value):
    config = dataclasses.replace(SearchConfig(), **{name: value})
    with pytest.raises(ConfigError, match=rf"'{name}' should be .*, but is {value!r}"):
        search(table_step(TRAP), (), 1, config)


@pytest.mark.parametrize("method", ["beam", "greedy", "sample"])
def test_damaged_weights_are_told_and_not_captioned(method):
    broken = np.full((1, 6), np.nan, dtype=np.float32)
    with pytest.raises(CheckpointError, match="not a number"):
        find(lambda state, words, images: (broken, broken[:, :1], state, None), method=method)


def test_a_prefix_is_taken_whatever_its_probability_and_the_search_goes_on_from_it():
    table, _ = markov(5, size=8)
    given = (B, UNKNOWN, A)
    config = SearchConfig(beam=3, maximum_words=7)
    found = search(table_of(table[0]), (np.zeros((1, 1)),), 1, config, prefix=given)[0]
    before = [START, B, UNKNOWN]
    for hypothesis in found:
        assert hypothesis.ids[:3] == given and len(hypothesis.ids) <= 7
        expected = [float(table[0, last, word]) for last, word in zip(before, given, strict=True)]
        assert list(hypothesis.log_probabilities[:3]) == pytest.approx(expected)
    # From the prefix on it is the search that starts with its last word.
    start = table[0].copy()
    start[START] = table[0, A]
    alone = search(table_of(start), (np.zeros((1, 1)),), 1, SearchConfig(beam=3, maximum_words=4, length_preference=0.0))[0]
    again = search(
        table_of(table[0]), (np.zeros((1, 1)),), 1, SearchConfig(beam=3, maximum_words=7, length_preference=0.0), prefix=given
    )[0]
    assert [hypothesis.ids[3:] for hypothesis in again] == [hypothesis.ids for hypothesis in alone]


def test_following_a_caption_reads_its_words_off_the_table():
    table, _ = markov(6, size=8)
    followed = follow(table_of(table[0]), (np.zeros((1, 1)),), [C, C, A, END], alternatives=2)
    steps = [(START, C), (C, C), (C, A), (A, END)]
    assert followed.ids == (C, C, A) and followed.finished
    assert list(followed.log_probabilities) == pytest.approx([float(table[0, last, word]) for last, word in steps])
    for (last, _), pairs in zip(steps, followed.alternatives, strict=True):
        allowed = [word for word in np.argsort(-table[0, last]) if word not in FORBIDDEN]
        assert [word for word, _ in pairs] == allowed[:2]


def test_a_caption_without_an_end_is_followed_to_its_last_word():
    table, _ = markov(7, size=8)
    followed = follow(table_of(table[0]), (np.zeros((1, 1)),), [A, B])
    assert followed.ids == (A, B) and not followed.finished and len(followed.log_probabilities) == 2


def test_captions_are_rated_together_as_they_are_followed_one_by_one():
    """Of any lengths, in any order, each with its end."""
    table, state = markov(9, size=8)[0][0], (np.zeros((1, 1)),)
    captions = [[A], [C, C, A], [], [B, A, C, B], [C, B, A]]
    alone = [follow(table_of(table), state, [*caption, END]).log_probability for caption in captions]
    assert rate(table_of(table), state, captions) == pytest.approx(alone)
    assert rate(table_of(table), state, []).shape == (0,)


def test_a_prefix_serves_every_image_of_a_batch():
    table, step = markov(8, images=3)
    together = search(step, (np.zeros((3, 1)),), 3, SearchConfig(beam=2, maximum_words=6), prefix=(A, C))
    for image, found in enumerate(together):
        alone = search(
            table_of(table[image]), (np.zeros((1, 1)),), 1, SearchConfig(beam=2, maximum_words=6), prefix=(A, C)
        )[0]
        assert same(found, alone)
