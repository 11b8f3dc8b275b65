"""Plans: the trials of each experiment, as rows of data. A new experiment is a new row in `PLANS`.

Training and scoring are left to `captioner.experiments.runner`, the records to `captioner.experiments.records`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from captioner.config import ADAPTED, CONTROLS, FIRST, JOINED, LITE2, REWARD, STANDARD, VARIANTS, Preset
from captioner.presets import OLDER_RECIPES, PRESETS, find_preset

SPLITS = ("dev", "test")  # Trials are scored on these.
SEEDS = "seeds"  # The plan whose best runs ship.
MOST_SEEDS = 99
CHOSEN_WITH = 1  # The seed that recipe and search were chosen with.
DIMENSIONS, ENDS = (10, 50, 100, 300), (10, 300)

Overrides = tuple[tuple[str, Any], ...]  # such as ("decoder.units", 256)


@dataclass(frozen=True)
class Trial:
    """One run: a preset with overrides, an embedding, a stage, a seed, and the splits and the part of the data.

    `part`: the training photographs to learn from, see `captioner.experiments.withheld`; empty for all.
    """

    preset: str
    variant: str
    stage: str = FIRST
    seed: int = 1
    splits: str = STANDARD
    overrides: Overrides = ()
    part: str = ""

    @classmethod
    def of(
        cls, settings: Preset, variant: str, stage: str = FIRST, seed: int = 1, splits: str = STANDARD, part: str = ""
    ) -> "Trial":
        """The trial with exactly these settings."""
        return cls(settings.name, variant, stage, seed, splits, overrides(settings, stage), part)

    @cached_property
    def settings(self) -> Preset:
        found = find_preset(self.preset)
        for name, value in self.overrides:
            part, _, setting = name.rpartition(".")
            changed = {setting: value}
            found = replace(found, **({part: replace(getattr(found, part), **changed)} if part else changed))
        return found

    @property
    def start(self) -> "Trial":
        """The first-stage run that this second-stage run starts from."""
        return replace(self, stage=FIRST, overrides=overrides(self.settings, FIRST))

    @property
    def scored_on(self) -> tuple[str, ...]:
        """The splits that are held out of training."""
        return SPLITS if self.splits == STANDARD else ("test",)

    @property
    def label(self) -> str:
        """The recipe as a folder name: preset, overrides, splits and part."""
        data = [self.splits] * (self.splits != STANDARD) + [self.part] * bool(self.part)
        return "-".join([self.preset, *(f"{name}-{value}" for name, value in self.overrides), *data])

    @property
    def place(self) -> Path:
        """Its folder below the label's."""
        return Path(self.stage, "seeds", str(self.seed), self.variant)

    def __str__(self) -> str:
        changed = [f"{name.rpartition('.')[2]} {value}" for name, value in self.overrides]
        data = [self.splits] * (self.splits != STANDARD) + [f"part {self.part}"] * bool(self.part)
        return ", ".join([self.preset, self.variant, f"{self.stage} stage", f"seed {self.seed}", *changed, *data])


def overrides(settings: Preset, stage: str) -> Overrides:
    """The settings that differ from the preset of the same name, without the ones of later stages.

    >>> overrides(replace(PRESETS["tiny"], decoder=replace(PRESETS["tiny"].decoder, units=8)), "first")
    (('decoder.units', 8),)
    """
    named = PRESETS.get(settings.name, Preset(settings.name))
    before, after = (_flat(preset.up_to(stage)) for preset in (named, settings))
    return tuple((name, value) for name, value in after.items() if value != before[name])


def _flat(preset: Preset) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part, values in asdict(preset).items():
        found |= {f"{part}.{name}": value for name, value in values.items()} if isinstance(values, dict) else {part: values}
    return found


Rows = Mapping[Trial, int]  # how many seeds each trial is repeated with


@dataclass(frozen=True)
class Plan:
    """The rows of an experiment, in named parts, and what is done with them.

    `preset`: the recipe whose seeds are compared. Its diverged runs are tried again; in other plans they are results.
    `choose_search`: choose beam and length preference on dev, once for each stage, rather than use the preset's own.
    `needs`: the fields of a record that its readers require.
    `expectation`: what was expected before the first run; it stays, whatever comes out.
    """

    name: str
    parts: Mapping[str, Rows]
    preset: str = ""
    choose_search: bool = False
    needs: tuple[str, ...] = ()
    expectation: str = ""

    def trials(self, parts: Iterable[str] = ()) -> list[Trial]:
        """The trials of some parts, or of all: each once, and within a part seed by seed."""
        wanted = [rows for name, rows in self.parts.items() if not parts or name in parts]
        seeds = range(1, MOST_SEEDS + 1)
        found = (replace(row, seed=seed) for rows in wanted for seed in seeds for row, most in rows.items() if seed <= most)
        return list(dict.fromkeys(found))

    @property
    def place(self) -> str:
        """The folder of its conclusions and histories. The plan whose runs ship has no folder of its own."""
        return "" if self.name == SEEDS else self.name

    @cached_property
    def order(self) -> dict[Trial, int]:
        """The position of every trial: the planned ones, then the same with more seeds."""
        more = {name: dict.fromkeys(rows, MOST_SEEDS) for name, rows in self.parts.items()}
        trials = dict.fromkeys([*self.trials(), *replace(self, parts=more).trials()])
        return {trial: number for number, trial in enumerate(trials)}


def _rows(preset: str, variants: Iterable[str], seeds: int = 1, stage: str = FIRST) -> dict[Trial, int]:
    return {Trial(preset, name, stage): seeds for name in variants}


def repeated_seeds(preset: str = "triptych", seeds: int = 3, reward_seeds: int = 3, control_seeds: int = 0) -> Plan:
    """The comparison of the three decoders over several seeds, with controls.

    Each seed goes through both stages before the next one starts, so that an interrupted comparison has whole seeds.
    """
    ours = _rows(preset, VARIANTS, seeds) | _rows(preset, VARIANTS, min(seeds, reward_seeds), REWARD)
    parts = {"three": ours, "controls": _rows(preset, CONTROLS, control_seeds)}
    return Plan(SEEDS, parts, preset, choose_search=True, needs=("seconds", "cores", "best_epoch", "loss", "cider"))


# The former study: the recipe for Flickr8k alone, with controls and on the original encoder.
_FORMER = repeated_seeds("flickr8k", 5, 3, 2)
FLICKR8K = replace(_FORMER, name="flickr8k", parts={**_FORMER.parts, "original": _rows("triptych-frozen", VARIANTS, 2)})


def _changed(preset: str, variant: str, **decoder: Any) -> Trial:
    found = find_preset(preset)
    return Trial.of(replace(found, decoder=replace(found.decoder, **decoder)), variant)


RECIPES = Plan(
    "recipes",
    {
        "table": {Trial(preset, name): 1 for preset in OLDER_RECIPES for name in VARIANTS},
        "question": {
            _changed("course", variant, embedding_dimensions=dimensions): 2
            for variant, widths in (("word2vec", DIMENSIONS), ("fasttext", DIMENSIONS), ("random", ENDS))
            for dimensions in widths
        },
        "notes": {
            Trial("stacked", "word2vec"): 1,
            _changed("stacked", "word2vec", activation="relu"): 1,
            Trial("stacked", "word2vec", splits=JOINED): 1,
        },
    },
    needs=("trained_on", "words", "trainable", "frozen", "fastest_epoch", "cores", "ms_per_caption", "intervals"),
)


def _shortened(variant: str, word_slots: int, encoder: str = ADAPTED, part: str = "", **training: Any) -> Trial:
    """Five epochs on whole photographs. An `other_share` of 0 leaves out the further data sets; their words and vectors stay."""
    found = find_preset("triptych")
    shortened = replace(found.training, **{"epochs": 5, "views": 1, "sentences": 0} | training)
    settings = replace(found, encoder=encoder, decoder=replace(found.decoder, word_slots=word_slots), training=shortened)
    return Trial.of(settings, variant, part=part)


# What further data sets and word slots bring, each with and without the other. Sentences without photographs are left out:
# they teach word slots alone.
ABLATION = Plan(
    "ablation",
    {
        name: {_shortened(variant, slots, other_share=share): 2 for slots in (0, 4) for variant in VARIANTS}
        for name, share in (("first set", 0.0), ("all sets", 1.0))
    },
    needs=("trained_on", "words", "intervals"),
)


# The three, and vectors that mean nothing.
_FOUR = (*VARIANTS, "random")


def _unseen(variant: str, word_slots: int = 4, shots: int = 0) -> Trial:
    """On the original CNN: the other one was fine-tuned with captions of the objects."""
    part = f"unseen+{shots}" if shots else "unseen"
    return _shortened(variant, word_slots, LITE2, part, sentences=32 if word_slots else 0)


UNSEEN = Plan(
    "unseen",
    {
        "no slots": {_unseen(name, 0): 3 for name in _FOUR},
        "slots": {_unseen(name): 3 for name in _FOUR},
    },
    needs=("objects",),
    expectation=(
        "Decoders without word slots never name an object that they were not taught: their output has no unit for the word. With "
        "slots, and sentences that teach their use, Word2Vec and FastText name some objects, because their rows for these words "
        "lie near those of taught words. Learned cannot name them, because it has no such row. Random names fewer than "
        "Word2Vec and FastText, because its rows mean nothing. If the word is forced, Word2Vec and FastText write sound "
        "sentences more often than Random."
    ),
)
SHOTS = Plan(
    "shots",
    {str(count): {_unseen(name, shots=count): 2 for name in VARIANTS} for count in (1, 5, 20)},
    needs=("objects",),
    expectation=(
        "One photograph of each object is not enough for Learned, whose vocabulary needs a word five times; with five "
        "photographs it names some, with twenty it is within 0.05 of Word2Vec and FastText."
    ),
)
# Photographs and epochs: with fewer photographs more epochs, of which dev chooses the best. 0 stands for all photographs.
SIZES = {100: 60, 300: 30, 1000: 15, 3000: 8, 0: 5}
SIZE = Plan(
    "size",
    {
        str(size or "all"): {_shortened(name, 4, part=str(size or ""), sentences=32, epochs=epochs): 3 for name in _FOUR}
        for size, epochs in SIZES.items()
    },
    needs=("intervals",),
    expectation=(
        "With 100 and 300 photographs Word2Vec and FastText are above Learned and Random, by 0.02 to 0.05 test CIDEr; from "
        "3,000 photographs on no pair differs significantly."
    ),
)
PLANS: dict[str, Plan] = {plan.name: plan for plan in (repeated_seeds(), FLICKR8K, RECIPES, ABLATION, UNSEEN, SHOTS, SIZE)}
