"""Why did a course project's FastText train worse than its Word2Vec: the dimensions, the embedding or chance?

The sentences are written for the records that ship, with their numbers; a test checks that `EXPLAINED` and `LOSS` hold for
them. Knows no Streamlit.
"""

from collections.abc import Sequence
from statistics import fmean

import pandas as pd

from captioner.config import find_variant
from captioner.experiments.plans import ENDS, RECIPES
from captioner.experiments.records import Record
from captioner.figures.curves.course_project import read_course
from captioner.figures.scores.scoreboard import VERDICT_METRIC
from captioner.figures.style import number, signed

FEW, MANY = ENDS
EMBEDDINGS = ["word2vec", "fasttext"]
NOT_YET = "To answer this, train the runs with python -m captioner study --plan recipes --part question --data DIR."
EXPLAINED = "It was the dimensions. "
LOSS = (
    "The lowest training loss does not give the best captions: those have fewer dimensions, though their lead is smaller than "
    "the difference between seeds. "
)
_ASKED = (
    "A well-known course project trained one decoder with Word2Vec ({0.dimensions} dimensions) and one with FastText "
    "({1.dimensions}). Word2Vec reached a training loss of {0.best:.2f}, FastText only {1.best:.2f}; the project did not say "
    "why."
)
_ANSWER = (
    "Here FastText with {few} dimensions ends at a training loss of {high}, Word2Vec with {many} at {low}. That gap of {gap} is "
    "{share:.0%} of the course’s {course}, a rough comparison: the course had other words, captions and epochs, and only its "
    "best losses are known. Of the gap, {dimensions} goes with the dimensions and {embedding} with the embedding, each averaged "
    "over the other."
)
_METHOD = (
    "The same decoder was trained with at least {seeds} seeds per setting; training losses are compared after {epochs} epochs. "
    "Seed 1 at {many} dimensions is the run in the table above. Runs that differ only in the decoder’s seed are up to {chance} "
    "apart; Word2Vec and FastText vectors were trained once, so the variation between vectors of one kind is not covered. "
    "Random vectors are drawn anew for each run."
)
_SPREAD = "Seeds of one setting differ by up to {spread} in test CIDEr."
_MOST = 0.8  # the share of a gap that its cause must account for
_SETTING = ["variant", "dimensions"]


def runs(records: Sequence[Record]) -> pd.DataFrame:
    """A row per finished run of the question; `end` is its training loss after the last epoch that all of them have."""
    asked = RECIPES.trials(["question"])
    found = sorted((one for one in records if one.trial in asked and not one.gave_up), key=lambda one: asked.index(one.trial))
    epochs = min((one.epochs for one in found), default=0)
    rows = [
        {
            "variant": one.variant,
            "dimensions": one.trial.settings.decoder.embedding_dimensions,
            "seed": one.seed,
            "epochs": epochs,
            "end": one.losses[epochs - 1][0],
            "dev": min(dev for _, dev in one.losses),
            "cider": one.metric("test", VERDICT_METRIC),
            "losses": [loss for loss, _ in one.losses],
        }
        for one in found
    ]
    table = pd.DataFrame(rows, columns=[*_SETTING, "seed", "epochs", "end", "dev", "cider", "losses"])
    kinds = list(dict.fromkeys(trial.variant for trial in asked))
    return table.sort_values(_SETTING, key=lambda column: column.map(kinds.index) if column.name == "variant" else -column)


def answered(found: pd.DataFrame) -> bool:
    """Whether both embeddings have two runs with the fewest and with the most dimensions."""
    seeds = found.groupby(_SETTING).size()
    return all(seeds.get((name, width), 0) > 1 for name in EMBEDDINGS for width in ENDS)


def title(found: pd.DataFrame) -> str:
    return "An open question, answered" if answered(found) else "An open question"


def sentences(records: Sequence[Record]) -> list[str]:
    """The question and, as far as the records go, its answer."""
    found, course = runs(records), read_course()
    answer = [_answer(found), _method(found), _captions(found)] if answered(found) else [NOT_YET]
    diverged = [str(one.trial) for one in records if one.gave_up and one.trial in RECIPES.trials(["question"])]
    asked = _ASKED.format(*map(course.get, EMBEDDINGS))
    return [asked, *answer, *([f"Runs that diverged: {'; '.join(diverged)}."] if diverged else [])]


def _answer(found: pd.DataFrame) -> str:
    """The claim is made if the dimensions cost both embeddings most of the gap here and of the course's, and more than chance."""
    low, high = (read_course()[name].best for name in EMBEDDINGS)
    losses = found.groupby(_SETTING).end.mean()
    gap = losses["fasttext", FEW] - losses["word2vec", MANY]
    costs = [losses[name, FEW] - losses[name, MANY] for name in EMBEDDINGS]
    apart = [losses["fasttext", width] - losses["word2vec", width] for width in ENDS]
    explained = min(costs) > max(_MOST * gap, _MOST * (high - low), _chance(found))
    return (EXPLAINED if explained else "") + _ANSWER.format(
        few=FEW,
        high=number(losses["fasttext", FEW]),
        many=MANY,
        low=number(losses["word2vec", MANY]),
        gap=number(gap),
        share=gap / (high - low),
        course=number(high - low),
        dimensions=signed(fmean(costs)),
        embedding=signed(fmean(apart)),
    )


def _method(found: pd.DataFrame) -> str:
    seeds = found.groupby(_SETTING).size().min()
    return _METHOD.format(seeds=seeds, epochs=found.epochs.iloc[0], many=MANY, chance=number(_chance(found)))


def _captions(found: pd.DataFrame) -> str:
    """The claim is made if with either embedding fewer dimensions than the lowest loss has caption best, by less than chance."""
    spread, misleads = _widest(found, "cider"), True
    for name in EMBEDDINGS:
        means = found[found.variant == name].groupby("dimensions")[["end", "cider"]].mean()
        best, least = means.cider.idxmax(), means.end.idxmin()
        misleads &= best < least and means.cider[best] - means.cider[least] < spread
    return (LOSS if misleads else "") + _SPREAD.format(spread=number(spread))


def _chance(found: pd.DataFrame) -> float:
    """The largest difference between runs with the same vectors; random ones are drawn anew for each."""
    return _widest(found[found.variant.isin(EMBEDDINGS)], "end")


def _widest(found: pd.DataFrame, column: str) -> float:
    groups = found.groupby(_SETTING)[column]
    return (groups.max() - groups.min()).max()


def as_table(found: pd.DataFrame) -> pd.DataFrame:
    """A row for each kind of vectors and width, means over its seeds, as text."""
    groups = found.groupby(_SETTING, sort=False)
    table = groups[["end", "dev", "cider"]].mean().map(number)
    epochs = found.epochs.max()
    table.columns = [f"training loss after {epochs} epochs", "least dev loss", "test CIDEr"]
    table.insert(0, "seeds", groups.size().map(str))
    table.index = [f"{find_variant(name).title}, {width}" for name, width in table.index]
    return table.rename_axis("vectors, dimensions")
