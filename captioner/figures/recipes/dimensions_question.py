"""Why did a course project's FastText train worse than its Word2Vec: the dimensions, the embedding or chance?

The sentences are written for the records that ship, with their numbers; a test checks that `EXPLAINED` and `LOSS` hold for
them. Knows no Streamlit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from captioner.config import Variant, find_variant
from captioner.experiments.plans import ENDS, RECIPES
from captioner.experiments.records import Record
from captioner.figures.curves.course_project import CourseCurve, read_course
from captioner.figures.scores.scoreboard import VERDICT_METRIC
from captioner.figures.style import number, signed

EMBEDDINGS, RANDOM = ("word2vec", "fasttext"), "random"
FEW, MANY = ENDS
NOT_YET = "To answer this, train the runs with python -m captioner study --plan recipes --part question --data DIR."
EXPLAINED = "It was the dimensions."
LOSS = (
    "The lowest training loss does not give the best captions: those have fewer dimensions, though their lead is smaller than "
    "the difference between seeds."
)
_MOST = 0.8  # the share of a gap that its cause must account for


@dataclass(frozen=True)
class Group:
    """All seeds of a frozen table of one kind and width."""

    variant: Variant
    dimensions: int
    records: tuple[Record, ...]

    @property
    def ciders(self) -> list[float]:
        return [record.metric("test", VERDICT_METRIC) for record in self.records]

    def losses(self, epochs: int) -> list[float]:
        """The training loss of each seed after that many epochs."""
        return [record.losses[epochs - 1][0] for record in self.records]


@dataclass(frozen=True)
class Effects:
    """Training losses after the last epoch that all runs reached, means over the seeds."""

    epochs: int
    losses: Mapping[tuple[str, int], float]  # by table and dimensions
    chance: float  # the largest difference between runs with the same vectors; random ones are drawn anew for each
    seeds: int  # the fewest of any setting
    course: float  # the gap between the course project's two curves at their best

    def cost(self, name: str) -> float:
        """The loss with the fewest dimensions minus that with the most."""
        return self.losses[name, FEW] - self.losses[name, MANY]

    def apart(self, dimensions: int) -> float:
        """FastText minus Word2Vec."""
        return self.losses["fasttext", dimensions] - self.losses["word2vec", dimensions]

    @property
    def gap(self) -> float:
        """FastText with the fewest dimensions minus Word2Vec with the most: the course project's two decoders."""
        return self.losses["fasttext", FEW] - self.losses["word2vec", MANY]

    @property
    def parts(self) -> tuple[float, float]:
        """The parts of the gap that go with the dimensions and with the embedding, each "
        "averaged over the other."""
        return fmean(map(self.cost, EMBEDDINGS)), fmean(map(self.apart, ENDS))

    @property
    def explained(self) -> bool:
        """Whether the dimensions cost both embeddings most of the gap here and of the course's, and more than chance."""
        return min(map(self.cost, EMBEDDINGS)) > max(_MOST * self.gap, _MOST * self.course, self.chance)


def groups(records: Sequence[Record]) -> list[Group]:
    """By table, widest first."""
    found: dict[tuple[str, int], list[Record]] = {}
    asked = set(RECIPES.trials(["question"]))
    for record in records:
        if record.trial in asked and not record.gave_up:
            found.setdefault((record.variant, record.trial.settings.decoder.embedding_dimensions), []).append(record)
    order = sorted(found, key=lambda key: ((*EMBEDDINGS, RANDOM).index(key[0]), -key[1]))
    return [Group(find_variant(key[0]), key[1], tuple(found[key])) for key in order]


def measure(found: Sequence[Group]) -> Effects | None:
    """None until both embeddings have two runs with the fewest and with the most dimensions."""
    seeds = {(group.variant.name, group.dimensions): len(group.records) for group in found}
    if any(seeds.get((name, width), 0) < 2 for name in EMBEDDINGS for width in ENDS):
        return None
    epochs = reached(found)
    losses = {(group.variant.name, group.dimensions): group.losses(epochs) for group in found}
    chance = max(max(ends) - min(ends) for (name, _), ends in losses.items() if name in EMBEDDINGS)
    means = {key: fmean(ends) for key, ends in losses.items()}
    low, high = (course(name).best for name in EMBEDDINGS)
    return Effects(epochs, means, chance, min(seeds.values()), high - low)


def course(name: str) -> CourseCurve:
    return next(curve for curve in read_course() if curve.variant.name == name)


def reached(found: Sequence[Group]) -> int:
    """The last epoch that all runs have."""
    return min(len(record.losses) for group in found for record in group.records)


def title(records: Sequence[Record]) -> str:
    return "An open question, answered" if measure(groups(records)) else "An open question"


def sentences(records: Sequence[Record]) -> list[str]:
    """The question and, as far as the records go, its answer."""
    found = groups(records)
    effects = measure(found)
    answer = [answered(effects), method(effects), captions(found)] if effects else [NOT_YET]
    diverged = [str(one.trial) for one in records if one.gave_up and one.trial in RECIPES.trials(["question"])]
    return [asked(), *answer, *([f"Runs that diverged: {'; '.join(diverged)}."] if diverged else [])]


def asked() -> str:
    word2vec, fasttext = map(course, EMBEDDINGS)
    return (
        f"A well-known course project trained one decoder with Word2Vec ({word2vec.dimensions} dimensions) and one with "
        f"FastText ({fasttext.dimensions}). Word2Vec reached a training loss of {word2vec.best:.2f}, FastText only "
        f"{fasttext.best:.2f}; the project did not say why."
    )


def answered(effects: Effects) -> str:
    high, low = effects.losses["fasttext", FEW], effects.losses["word2vec", MANY]
    dimensions, embedding = map(signed, effects.parts)
    return f"{EXPLAINED} " * effects.explained + (
        f"Here FastText with {FEW} dimensions ends at a training loss of {number(high)}, Word2Vec with {MANY} at "
        f"{number(low)}. That gap of {number(effects.gap)} is {effects.gap / effects.course:.0%} of the course’s "
        f"{number(effects.course)}, a rough comparison: the course had other words, captions and epochs, and only its best "
        f"losses are known. Of the gap, {dimensions} goes with the dimensions and {embedding} with the embedding, each "
        "averaged over the other."
    )


def method(effects: Effects) -> str:
    return (
        f"The same decoder was trained with at least {effects.seeds} seeds per setting; training losses are compared after "
        f"{effects.epochs} epochs. Seed 1 at {MANY} dimensions is the run in the table above. Runs that differ only in the "
        f"decoder’s seed are up to {number(effects.chance)} apart; Word2Vec and FastText vectors were trained once, so the "
        "variation between vectors of one kind is not covered. Random vectors are drawn anew for each run."
    )


def captions(found: Sequence[Group]) -> str:
    misleads = f"{LOSS} " if loss_misleads(found) else ""
    return f"{misleads}Seeds of one setting differ by up to {number(_spread(found))} in test CIDEr."


def loss_misleads(found: Sequence[Group]) -> bool:
    """Whether `LOSS` holds: with either embedding the best captions have fewer dimensions than the lowest loss."""
    for name in EMBEDDINGS:
        table = [group for group in found if group.variant.name == name]
        best = max(table, key=lambda one: fmean(one.ciders))
        least = min(table, key=lambda one: fmean(one.losses(reached(found))))
        if best.dimensions >= least.dimensions or fmean(best.ciders) - fmean(least.ciders) >= _spread(found):
            return False
    return True


def _spread(found: Sequence[Group]) -> float:
    return max(max(group.ciders) - min(group.ciders) for group in found)


def cells(found: Sequence[Group]) -> dict[str, dict[str, str]]:
    """A row for each table and width, means over its seeds."""
    epochs = reached(found) if found else 0
    return {
        f"{group.variant.title}, {group.dimensions}": {
            "seeds": str(len(group.records)),
            f"training loss after {epochs} epochs": number(fmean(group.losses(epochs))),
            "least dev loss": number(fmean(min(dev for _, dev in record.losses) for record in group.records)),
            "test CIDEr": number(fmean(group.ciders)),
        }
        for group in found
    }
