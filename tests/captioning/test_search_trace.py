"""The tree of a search against one worked by hand and against the hypotheses that the same search returns."""

import math

import numpy as np
import pytest
from captioning.test_beam_search import TRAP, A, B, markov, table_of, table_step

from captioner.captioning.beam_search import search
from captioner.captioning.search_trace import Considered, Trace
from captioner.config import SearchConfig
from captioner.errors import ConfigError
from captioner.vocabulary import END, START


def traced(step, **settings):
    trace = Trace()
    found = search(step, (np.zeros((1, 1)),), 1, SearchConfig(**settings), trace=trace)[0]
    return found, trace.candidates


def test_the_tree_of_a_search_worked_by_hand():
    """A 0.6 and B 0.4 are kept; then of A A 0.18, A B 0.24, A end 0.18 and B end 0.4 the best four are considered."""
    found, candidates = traced(table_step(TRAP), beam=2, length_preference=0.0)
    first, second = ([one for one in candidates if one.step == step] for step in (0, 1))
    assert [(one.word, one.parent, one.fate) for one in first] == [(A, None, "kept"), (B, None, "kept")]
    assert [(one.word, one.parent) for one in second[:2]] == [(END, 1), (B, 0)]
    assert [math.exp(one.total) for one in second[:2]] == pytest.approx([0.4, 0.24])
    assert second[0].fate == "finished" and second[1].fate == "kept"
    assert {one.fate for one in second if one.word == END and one.parent == 0} == {"dropped"}
    assert found[0].ids == (B,)


@pytest.mark.parametrize("method", ["beam", "greedy", "sample"])
@pytest.mark.parametrize("seed", range(4))
def test_every_hypothesis_is_a_path_through_the_tree(method, seed):
    table, _ = markov(seed)
    trace = Trace()
    settings = SearchConfig(method, beam=3, maximum_words=6, seed=seed)
    for hypothesis in search(table_of(table[0]), (np.zeros((1, 1)),), 1, settings, trace=trace)[0]:
        ids = hypothesis.ids + (END,) * hypothesis.finished
        path = [trace.candidates[number] for number in trace.find(ids)]
        assert [one.word for one in path] == list(ids)
        assert [one.log_probability for one in path] == pytest.approx(hypothesis.log_probabilities)
        assert path[-1].total == pytest.approx(hypothesis.log_probability, abs=1e-5)
        assert path[-1].fate == ("finished" if hypothesis.finished else "kept")


def test_a_beam_keeps_as_many_as_it_is_wide_and_considers_twice_as_many():
    table, _ = markov(1)
    _, candidates = traced(table_of(table[0]), beam=3, maximum_words=4)
    for step in range(2):
        fates = [one.fate for one in candidates if one.step == step]
        assert len(fates) == 6 and fates.count("kept") == 3


def test_only_kept_candidates_have_children():
    table, _ = markov(2)
    _, candidates = traced(table_of(table[0]), beam=4, maximum_words=5)
    for one in candidates:
        assert one.parent is None or (candidates[one.parent].fate, candidates[one.parent].step) == ("kept", one.step - 1)
        before = candidates[one.parent].total if one.parent is not None else 0.0
        assert one.total == pytest.approx(before + one.log_probability, abs=1e-5)


def test_a_sentence_that_was_not_searched_is_found_as_far_as_it_was():
    trace = Trace()
    trace.note([Considered(0, A, -1.0, -1.0, "kept"), Considered(0, B, -2.0, -2.0, "dropped")])
    trace.note([Considered(0, END, -0.5, -1.5, "finished")])
    assert trace.find([A, END]) == [0, 2] and trace.find([B, END]) == [] and trace.find([A, B]) == [0]


def test_only_one_photograph_can_be_traced():
    with pytest.raises(ConfigError, match="one photograph at a time, not for 2"):
        search(table_step({START: {END: 1.0}}), (np.zeros((2, 1)),), 2, SearchConfig(), trace=Trace())
