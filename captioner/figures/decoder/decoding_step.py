"""The steps of a greedy caption, number by number, as the NumPy decoder computes them. Telling of them is left to the page."""

from dataclasses import dataclass

import numpy as np

from captioner.captioning.beam_search import FORBIDDEN, State
from captioner.captioning.numpy_decoder import NumpyDecoder
from captioner.captioning.numpy_layers import AttentionValues, LstmValues, Values, mixture
from captioner.config import SearchConfig
from captioner.model.word_slots import WordSlots
from captioner.vocabulary import END, START


@dataclass(frozen=True, eq=False)
class Step:
    """One word further for one photograph. `look` is None without attention, `added` unless the photograph is added."""

    word: int
    vector: np.ndarray  # (dimensions,)
    before: State  # (units,) each: output and memory of every layer
    cells: tuple[LstmValues, ...]  # (units,) each
    look: AttentionValues | None  # query and context (image_units,), weights (heads, regions)
    attention: np.ndarray | None  # (regions,), the mean weights over the heads
    added: np.ndarray | None  # (units,)
    hidden: np.ndarray | None  # (hidden_units,)
    scores: np.ndarray  # (vocabulary,), the logits
    log_probabilities: np.ndarray  # (vocabulary,), of the mixture with word slots
    copied: np.ndarray | None  # the probability of copying each word slot, (slots,)
    chosen: int

    def likeliest(self, count: int) -> list[int]:
        return np.argsort(-self.log_probabilities, kind="stable")[:count].tolist()


def greedy_steps(
    decoder: NumpyDecoder,
    features: np.ndarray,
    maximum_words: int = SearchConfig.maximum_words,
    slots: WordSlots | None = None,
) -> tuple[Step, ...]:
    """The likeliest word at every step, to the end or the longest caption, for one photograph's features (regions, channels)."""
    memory, state = decoder.start(features[None].astype(np.float32), slots)
    added = memory.grid[0] if decoder.config.adds_image else None
    steps: list[Step] = []
    word = START
    while len(steps) < maximum_words and word != END:
        values = decoder.forward(memory, state, np.array([word]))
        columns = None if memory.slots is None else memory.slots.columns
        steps.append(_step(word, decoder.vector(word, slots), state, values, added, columns))
        word, state = steps[-1].chosen, values.state
    return tuple(steps)


def _step(
    word: int, vector: np.ndarray, state: State, values: Values, added: np.ndarray | None, columns: np.ndarray | None
) -> Step:
    """The values without their axis of one row."""
    scores, look = values.logits[0].copy(), values.look
    log_probabilities = scores - scores.max()
    log_probabilities -= np.log(np.exp(log_probabilities).sum())
    regions = None
    if columns is not None:
        mixed, normalisers = mixture(values.logits, values.copying, columns)
        log_probabilities, regions = (mixed - normalisers)[0], -columns.shape[1]
    allowed = log_probabilities.copy()
    allowed[list(FORBIDDEN)] = -np.inf
    return Step(
        word=word,
        vector=vector,
        before=tuple(part[0] for part in state),
        cells=tuple(LstmValues(*(part[0] for part in cell)) for cell in values.cells),
        look=look and AttentionValues(look.query[0], look.weights[0, :, 0, :regions], look.context[0]),
        attention=look and look.attention[0, :regions],
        added=added,
        hidden=None if values.hidden is None else values.hidden[0],
        scores=scores,
        log_probabilities=log_probabilities,
        copied=None if values.copying is None else np.exp(values.copying[0, 1:]),
        chosen=int(allowed.argmax()),
    )


def largest(weights: np.ndarray, columns: int) -> tuple[int, int]:
    """Row and column of the largest weight of a grid, both counted from one."""
    row, column = divmod(int(np.argmax(weights)), columns)
    return row + 1, column + 1
