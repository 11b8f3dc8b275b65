"""An open question, answered: is it the dimensions, the embedding or chance that held a course project's FastText back?

Everything said here is computed from the records of `captioner.experiments.plans.RECIPES`. Knows no Streamlit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from captioner.config import Variant, find_variant
from captioner.experiments.plans import DIMENSIONS, ENDS, RECIPES
from captioner.experiments.records import Record
from captioner.figures.curves.course_project import read_course
from captioner.figures.scores.scoreboard import VERDICT_METRIC
from captioner.figures.style import listed, number

EMBEDDINGS, RANDOM = ("word2vec", "fasttext"), "random"
NOT_YET = (
    "Whether it was the dimensions, the embedding or chance is not known yet: python -m captioner study --plan recipes "
    "--data DIR --part question trains what it takes to tell."
)
_ROUGHLY = (
    "The course’s words, captions and epochs were others, and of its curves the best loss is known, so the two gaps can be "
    "compared only roughly."
)
_NEAR = ", though by no more than seeds lie apart"
_MOST = 0.8  # A cause that makes up so much of both gaps, the one here and the course’s, accounts for it.


@dataclass(frozen=True)
class Group:
    """All seeds of a frozen table of some kind and width."""

    variant: Variant
    dimensions: int
    records: tuple[Record, ...]

    @property
    def name(self) -> str:
        return f"{self.variant.title}, {self.dimensions}"

    @property
    def cider(self) -> float:
        """Of test, the mean over the seeds."""
        return fmean(record.metric("test", VERDICT_METRIC) for record in self.records)

    @property
    def spread(self) -> float:
        """How far the seeds lie apart in it."""
        ciders = [record.metric("test", VERDICT_METRIC) for record in self.records]
        return max(ciders) - min(ciders)

    def losses(self, epochs: int) -> list[float]:
        """The training loss of each seed after so many epochs."""
        return [record.losses[epochs - 1][0] for record in self.records]


@dataclass(frozen=True)
class Effects:
    """Training losses after the last epoch that all trainings have reached, means over the seeds."""

    epochs: int
    losses: Mapping[tuple[str, int], float]  # by table and dimensions
    chance: float  # the largest difference of two trainings with the same vectors; random ones are drawn anew for each
    seeds: int  # how often each setting was trained, at the least
    course: float  # what the course project's two curves lie apart at their best

    def cost(self, name: str) -> float:
        """What the fewest dimensions cost such a table against the most."""
        fewest, most = ENDS
        return self.losses[name, fewest] - self.losses[name, most]

    def apart(self, dimensions: int) -> float:
        """FastText above Word2Vec."""
        one, other = EMBEDDINGS
        return self.losses[other, dimensions] - self.losses[one, dimensions]

    @property
    def gap(self) -> float:
        """FastText with the fewest dimensions above Word2Vec with the most: the course project's two decoders."""
        return self.by_dimensions + self.by_embedding

    @property
    def by_dimensions(self) -> float:
        """The part of the gap that goes with the dimensions: their cost, as the mean over both tables."""
        return fmean(map(self.cost, EMBEDDINGS))

    @property
    def by_embedding(self) -> float:
        """The part that goes with the embedding, as the mean over both ends; the two parts make up the gap."""
        return fmean(map(self.apart, ENDS))

    @property
    def meaningless(self) -> float | None:
        """Rows drawn at random above the mean of the two, at the most dimensions."""
        most = max(ENDS)
        if (RANDOM, most) not in self.losses:
            return None
        return self.losses[RANDOM, most] - fmean(self.losses[name, most] for name in EMBEDDINGS)


def groups(records: Sequence[Record]) -> list[Group]:
    """By table, widest first."""
    found: dict[tuple[str, int], list[Record]] = {}
    asked = set(RECIPES.trials(["question"]))
    for record in records:
        if record.trial in asked and not record.gave_up:
            dimensions = record.trial.settings.decoder.embedding_dimensions
            found.setdefault((record.variant, dimensions), []).append(record)
    order = sorted(found, key=lambda key: ((*EMBEDDINGS, RANDOM).index(key[0]), -key[1]))
    return [Group(find_variant(key[0]), key[1], tuple(found[key])) for key in order]


def measure(found: Sequence[Group]) -> Effects | None:
    """Nothing before both embeddings were trained with the fewest and the most dimensions, each more than once."""
    seeds = {(group.variant.name, group.dimensions): len(group.records) for group in found}
    if any(seeds.get((name, width), 0) < 2 for name in EMBEDDINGS for width in ENDS):
        return None
    epochs = reached(found)
    losses = {(group.variant.name, group.dimensions): group.losses(epochs) for group in found}
    chance = max(max(ends) - min(ends) for (name, _), ends in losses.items() if name in EMBEDDINGS)
    means = {key: fmean(ends) for key, ends in losses.items()}
    return Effects(epochs, means, chance, min(map(len, losses.values())), _course_gap())


def reached(found: Sequence[Group]) -> int:
    """The last epoch that all trainings have."""
    return min(len(record.losses) for group in found for record in group.records)


def _course_gap() -> float:
    best = {curve.variant.name: curve.best for curve in read_course()}
    return best[EMBEDDINGS[1]] - best[EMBEDDINGS[0]]


def title(records: Sequence[Record]) -> str:
    return "An open question, answered" if measure(groups(records)) else "An open question"


def sentences(records: Sequence[Record]) -> list[str]:
    """The question, and as far as the records go its answer."""
    effects = measure(groups(records))
    answer = [verdict(effects), told(effects), scored(groups(records))] if effects else [NOT_YET]
    return [asked(), *answer, *filter(None, [given_up(records)])]


def given_up(records: Sequence[Record]) -> str:
    """Which trainings of the question came to no end."""
    failed = [str(record.trial) for record in records if record.trial in RECIPES.trials(["question"]) and record.gave_up]
    return f"Given up, as the loss ran away: {'; '.join(failed)}." if failed else ""


def asked() -> str:
    fasttext, word2vec = (next(one for one in read_course() if one.variant.name == name) for name in reversed(EMBEDDINGS))
    return (
        f"A well-known course project trained one decoder with Word2Vec and one with FastText. The first came to a training loss "
        f"of {word2vec.best:.2f}, the second no further than {fasttext.best:.2f}, and why was left open. Its Word2Vec had "
        f"{word2vec.dimensions} dimensions (numbers a word), its FastText {fasttext.dimensions}."
    )


def told(effects: Effects) -> str:
    """What all of it is computed from."""
    fewest, most = ENDS
    tables = [name for name in (*EMBEDDINGS, RANDOM) if (name, fewest) in effects.losses and (name, most) in effects.losses]
    costs = listed([f"{_signed(effects.cost(name))} with {_title(name)}" for name in tables])
    widths = [width for width in DIMENSIONS if all((name, width) in effects.losses for name in EMBEDDINGS)]
    apart = listed([f"{_signed(effects.apart(width))} at {width}" for width in widths])
    seeds = f"{effects.seeds} seed{'s' * (effects.seeds > 1)}"
    random = ""
    if effects.meaningless is not None:
        random = (
            f" Random is a table of numbers drawn at random for each training, which mean nothing; at {most} dimensions it "
            f"changes the loss by {_signed(effects.meaningless)} against the mean of the two."
        )
    return (
        f"The same decoder was trained here with both at several dimensions, from at least {seeds} each; training losses are "
        f"compared after {effects.epochs} epochs. Seed 1 at {most} dimensions is the training in the table "
        f"above. {fewest} dimensions in place of {most} change the loss by {costs}. FastText in place "
        f"of Word2Vec changes it by {apart} dimensions.{random} Trainings that differ in nothing but the "
        f"decoder’s random numbers lie up to {number(effects.chance)} apart with Word2Vec and FastText; their vectors were "
        "trained once, so whether other vectors of the same kind would do alike is not known."
    )


def scored(found: Sequence[Group]) -> str:
    """What it means for the captions."""
    tables = {group.variant.title: [one for one in found if one.variant == group.variant] for group in found}
    ciders = (
        f"{title} {listed([f'{number(one.cider)} at {one.dimensions}' for one in groups])}" for title, groups in tables.items()
    )
    spread = max(group.spread for group in found)
    told = f"Their captions, in test CIDEr by dimensions, means over the seeds: {'; '.join(ciders)}."
    told += f" Seeds of one setting lie up to {number(spread)} apart."
    best = {title: max(groups, key=lambda one: one.cider) for title, groups in tables.items()}
    least = {title: min(groups, key=lambda one: fmean(one.losses(reached(found)))) for title, groups in tables.items()}
    other = [f"{title} at {best[title].dimensions}" for title in tables if best[title] is not least[title]]
    if not other:
        return told
    near = all(best[title].cider - least[title].cider <= spread for title in tables)
    return f"{told} The least loss does not make the best captions: best is {listed(other)}{_NEAR if near else ''}."


def verdict(effects: Effects) -> str:
    """Which cause makes up the gap as far as it came back here, and how much of the course's gap that is."""
    fewest, most = ENDS
    low, high = effects.losses[EMBEDDINGS[0], most], effects.losses[EMBEDDINGS[1], fewest]
    here = f"Here FastText with {fewest} dimensions ends at a loss of {number(high)}, Word2Vec with {most} at {number(low)}"
    if effects.gap <= effects.chance:
        return f"The gap did not come back. {here}, and chance alone moves a loss by up to {number(effects.chance)}."
    share = effects.gap / effects.course
    back = f"{here}: they lie {number(effects.gap)} apart, {share:.0%} of the {number(effects.course)} between the course’s two."
    back += "" if share >= _MOST else " The rest has a cause that was not repeated here."
    back += f" {_ROUGHLY}"
    costs, apart = [effects.cost(name) for name in EMBEDDINGS], [effects.apart(width) for width in ENDS]
    if _disagree(costs, effects.chance) or _disagree(apart, effects.chance):
        return f"Neither dimensions nor embedding explain it by themselves, for each changes what the other does. {back}"
    parts = {"dimensions": effects.by_dimensions, "embedding": effects.by_embedding}
    cause = max(parts, key=parts.get)
    other = next(name for name in parts if name != cause)
    remark = ", which works the other way" if parts[other] < 0 else ""
    remark = ", which chance can explain" if abs(parts[other]) <= effects.chance else remark
    mostly = "It was" if parts[cause] >= _MOST * max(effects.gap, effects.course) else "More than anything it was"
    return (
        f"{mostly} the {cause}. {back} Of the {number(effects.gap)}, {_signed(parts[cause])} goes with the {cause} and "
        f"{_signed(parts[other])} with the {other}{remark} (each averaged over the other)."
    )


def _disagree(values: Sequence[float], chance: float) -> bool:
    """Whether some are above zero and some below, all by more than chance."""
    return min(values) < -chance and max(values) > chance


def _signed(value: float) -> str:
    """
    >>> _signed(0.25), _signed(-0.25)
    ('+0.250', '−0.250')
    """
    return ("+" if value >= 0 else "") + number(value)


def _title(name: str) -> str:
    return find_variant(name).title
