"""Why did a course project's FastText train worse than its Word2Vec: the dimensions, the embedding or chance?

The sentences are written for the records that ship, with their numbers; a test checks that `EXPLAINED` and `LOSS` hold for
them. Knows no Streamlit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from captioner.config import Variant, find_variant
from captioner.experiments.plans import DIMENSIONS, ENDS, RECIPES
from captioner.experiments.records import Record
from captioner.figures.curves.course_project import CourseCurve, read_course
from captioner.figures.scores.scoreboard import VERDICT_METRIC
from captioner.figures.style import listed, number, signed

EMBEDDINGS, RANDOM = ("word2vec", "fasttext"), "random"
FEW, MANY = ENDS
NOT_YET = "To answer this, train the runs with python -m captioner study --plan recipes --part question --data DIR."
EXPLAINED = "It was the dimensions."
_MOST = 0.8  # the share of a gap that its cause must account for


@dataclass(frozen=True)
class Group:
    """All seeds of a frozen table of one kind and width."""

    variant: Variant
    dimensions: int
    records: tuple[Record, ...]

    @property
    def name(self) -> str:
        return f"{self.variant.title}, {self.dimensions}"

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
        """The parts of the gap that go with the dimensions and with the embedding, each averaged over the other."""
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
        f"A well-known course project trained one decoder with Word2Vec ({word2vec.dimensions} dimensions) and one with FastText "
        f"({fasttext.dimensions}). Word2Vec reached a training loss of {word2vec.best:.2f}, FastText only {fasttext.best:.2f}; the "
        "project did not say why."
    )


def answered(effects: Effects) -> str:
    dimensions, embedding = map(signed, effects.parts)
    return f"{EXPLAINED} " * effects.explained + (
        f"Here FastText with {FEW} dimensions ends at a training loss of {number(effects.losses['fasttext', FEW])}, Word2Vec with "
        f"{MANY} at {number(effects.losses['word2vec', MANY])}. That gap of {number(effects.gap)} is "
        f"{effects.gap / effects.course:.0%} of the course’s {number(effects.course)}, a rough comparison: the course had other "
        f"words, captions and epochs, and only its best losses are known. Of the gap, {dimensions} goes with the dimensions and "
        f"{embedding} with the embedding, each averaged over the other."
    )


def method(effects: Effects) -> str:
    """The numbers behind the answer."""
    tables = [name for name in (*EMBEDDINGS, RANDOM) if {(name, FEW), (name, MANY)} <= effects.losses.keys()]
    costs = listed([f"{signed(effects.cost(name))} with {find_variant(name).title}" for name in tables])
    widths = [width for width in DIMENSIONS if all((name, width) in effects.losses for name in EMBEDDINGS)]
    apart = listed([f"{signed(effects.apart(width))} at {width}" for width in widths])
    told = (
        f"The same decoder was trained with at least {effects.seeds} seeds per setting; training losses are compared after "
        f"{effects.epochs} epochs. Seed 1 at {MANY} dimensions is the run in the table above. {FEW} instead of {MANY} dimensions "
        f"change the loss by {costs}; FastText instead of Word2Vec changes it by {apart} dimensions. Runs that differ only in the "
        f"decoder’s seed are up to {number(effects.chance)} apart; Word2Vec and FastText vectors were trained once, so the "
        "variation between vectors of one kind is not covered."
    )
    if RANDOM not in tables:
        return told
    random = effects.losses[RANDOM, MANY] - fmean(effects.losses[name, MANY] for name in EMBEDDINGS)
    return f"{told} Random vectors, drawn anew for each run, are {signed(random)} from the mean of the two at {MANY} dimensions."


def captions(found: Sequence[Group]) -> str:
    """The same settings by the captions they give."""
    tables = {group.variant.title: [one for one in found if one.variant == group.variant] for group in found}
    ciders = [
        f"{name} {listed([f'{number(fmean(one.ciders))} at {one.dimensions}' for one in table])}" for name, table in tables.items()
    ]
    spread = max(max(group.ciders) - min(group.ciders) for group in found)
    return (
        f"Test CIDEr by dimensions, means over the seeds: {'; '.join(ciders)}. Seeds of one setting differ by up to "
        f"{number(spread)}. {LOSS if loss_misleads(found) else ''}"
    ).rstrip()


LOSS = (
    "The lowest training loss does not give the best captions: those have fewer dimensions, though their lead is smaller than the "
    "difference between seeds."
)


def loss_misleads(found: Sequence[Group]) -> bool:
    """Whether `LOSS` holds: with either embedding the best captions have fewer dimensions than the lowest loss."""
    spread = max(max(group.ciders) - min(group.ciders) for group in found)
    for name in EMBEDDINGS:
        table = [group for group in found if group.variant.name == name]
        best = max(table, key=lambda one: fmean(one.ciders))
        least = min(table, key=lambda one: fmean(one.losses(reached(found))))
        if best.dimensions >= least.dimensions or fmean(best.ciders) - fmean(least.ciders) >= spread:
            return False
    return True
