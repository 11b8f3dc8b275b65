"""The comparison with repeated seeds in sentences, with the numbers of its file.

They are written for the record that ships; a test checks that their claims hold for it. Knows no Streamlit.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from statistics import fmean

from captioner.config import CONTROLS, VARIANTS
from captioner.experiments.conclusions import Group, Pair, Study, title
from captioner.experiments.plans import CHOSEN_WITH
from captioner.figures.scores.scoreboard import VERDICT_METRIC
from captioner.figures.scores.verdict import Gap, leader
from captioner.figures.style import listed, number, signed

CAVEAT = (
    "With so few runs the intervals are approximate: too wide where runs differ only photograph by photograph, too narrow "
    "where a whole run is better or worse."
)
TIE = (
    "Mean test CIDEr over {seeds} runs each: {means}. No pair differs significantly; differences below about {least} are not "
    "detectable."
)
_UNTUNED = "Without seed {seed}, with which the settings were tuned: {means}."
_CONTROLS = (
    "Controls, mean test CIDEr: {means}. Of their {pairs} differences from the three, over {seeds} runs each, {significant} "
    "are significant; differences below about {least} are not detectable."
)
_ENCODERS = (
    "Fine-tuning the CNN changes mean test CIDEr, in the first stage and over the same seeds, by {changes}. Each decoder uses "
    "the search chosen for it on dev. The CNN was fine-tuned once, so the intervals do not cover the variation between "
    "fine-tunings; there is no reward stage on the original CNN."
)
_OWN_WORDS = "Words that only one of the three uses for the test photographs, mean over {runs} runs: {counts}."
_BY_SEED = " One of three runs of the same embedding, for comparison: {counts}."
_EXAMPLES = 5


def gap(pair: Pair) -> Gap:
    return Gap.of(*(title(*group) for group in pair.groups), *pair.cider)


def gaps(study: Study, stage: str) -> list[Gap]:
    """The gaps between the three in a stage, over at least two seeds, on the study's own encoder."""
    three = {(name, False) for name in VARIANTS}
    return [gap(pair) for pair in study.pairs if pair.stage == stage and pair.seeds > 1 and three.issuperset(pair.groups)]


def verdict(study: Study, stage: str) -> str:
    """Which of the three captions best, over the seeds that all have; nothing before each has two runs."""
    seeds, found = _seeds(study, stage), gaps(study, stage)
    if len(seeds) < 2:
        return ""
    if any(one.significant for one in found):
        return f"Over {len(seeds)} runs each, {leader(_means(study, stage, seeds), found)}"
    return TIE.format(seeds=len(seeds), means=_told(_means(study, stage, seeds)), least=_detectable(found))


def untuned(study: Study, stage: str) -> str:
    """The means without the seed that the settings were tuned on."""
    seeds = _seeds(study, stage)
    if CHOSEN_WITH not in seeds or len(seeds) < 2:
        return ""
    return _UNTUNED.format(seed=CHOSEN_WITH, means=_told(_means(study, stage, seeds - {CHOSEN_WITH})))


def controls(study: Study) -> str:
    """The decoders with other vectors, and how many of their differences from the three are significant."""
    against = [pair for pair in study.pairs if len({name in CONTROLS for name, _ in pair.groups}) == 2 and pair.seeds > 1]
    if not against:
        return ""
    groups = [group for group in study.groups if group.name in CONTROLS and not group.on_original_encoder]
    return _CONTROLS.format(
        means=_told({group.title: group.numbers["test"][VERDICT_METRIC][0] for group in groups}),
        pairs=len(against),
        seeds=min(pair.seeds for pair in against),
        significant=sum(gap(pair).significant for pair in against),
        least=_detectable(map(gap, against)),
    )


def encoders(study: Study) -> str:
    """What fine-tuning the CNN changed for the same decoders."""
    changes = [_change(pair) for pair in study.pairs if pair.groups[0][0] == pair.groups[1][0] and pair.seeds > 1]
    return _ENCODERS.format(changes=listed(changes)) if changes else ""


def _change(pair: Pair) -> str:
    """Fine-tuned minus original."""
    (name, original), (value, low, high) = pair.groups[0], pair.cider
    value, low, high = (-value, -high, -low) if original else (value, low, high)
    return f"{signed(value)} ({number(low)} to {number(high)}) for {title(name, False)}"


def own_words(study: Study, stage: str) -> str:
    """How many words only one of the three uses, which of them in most runs, and how many differ by seed alone."""
    rows, by_seed = study.own_words.get(stage), study.own_words_by_chance.get(stage)
    if not rows:
        return ""
    counts = listed([f"{variant.title} {_own(rows, name)}" for name, variant in VARIANTS.items()])
    chance = by_seed and listed([f"{variant.title} {by_seed[name]:.0f}" for name, variant in VARIANTS.items()])
    return _OWN_WORDS.format(runs=len(rows), counts=counts) + (_BY_SEED.format(counts=chance) if chance else "")


def _own(rows: Sequence[Mapping[str, Mapping[str, int]]], name: str) -> str:
    runs = Counter(word for row in rows for word in row[name])
    often = [word for word, times in runs.most_common(_EXAMPLES) if times > len(rows) / 2]
    return f"{runs.total() / len(rows):.0f}" + (f" (in most runs {listed(often)})" if often else "")


def _three(study: Study, stage: str) -> list[Group]:
    return [group for group in study.stage(stage) if group.name in VARIANTS and not group.on_original_encoder]


def _seeds(study: Study, stage: str) -> set[int]:
    """The seeds that all three have."""
    groups = _three(study, stage)
    return set.intersection(*(set(group.seeds) for group in groups)) if len(groups) == len(VARIANTS) else set()


def _means(study: Study, stage: str, seeds: Set[int]) -> dict[str, float]:
    """Mean test CIDEr over some seeds, by title."""
    values = {group.title: dict(zip(group.seeds, group.runs[VERDICT_METRIC], strict=True)) for group in _three(study, stage)}
    return {title: fmean(runs[seed] for seed in seeds) for title, runs in values.items()}


def _told(means: Mapping[str, float]) -> str:
    return listed([f"{name} {number(mean)}" for name, mean in means.items()])


def _detectable(found: Iterable[Gap]) -> str:
    """Half of the widest interval."""
    return number(max((one.high - one.low) / 2 for one in found))
