"""Plans: the trials of each experiment, as rows of data.

Training and scoring them is left to `captioner.experiments.runner`, what is kept of each to `captioner.experiments.records`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from captioner.config import CONTROLS, FIRST, JOINED, REWARD, STANDARD, VARIANTS, Preset
from captioner.presets import OLDER_RECIPES, PRESETS, find_preset

SPLITS = ("dev", "test")  # that trials are scored on
MOST_SEEDS = 99
SEEDS = "seeds"  # the plan of the comparison with repeated seeds
CHOSEN_WITH = 1  # The seed whose decoders the settings were chosen with: the recipe by us, the search by the runner.
DIMENSIONS, ENDS = (10, 50, 100, 300), (10, 300)
COURSE, STACKED = "course", "stacked"
_ORIGINAL = "{}-frozen"  # The name of the preset that differs from another in its encoder alone, which is not fine-tuned.

Overrides = tuple[tuple[str, Any], ...]  # such as ("decoder.units", 256)


@dataclass(frozen=True)
class Trial:
    """One run: a preset with some settings overridden, its embedding, stage of training, seed and splits."""

    preset: str
    variant: str
    stage: str = FIRST
    seed: int = 1
    splits: str = STANDARD
    overrides: Overrides = ()

    @classmethod
    def of(cls, settings: Preset, variant: str, stage: str = FIRST, seed: int = 1, splits: str = STANDARD) -> "Trial":
        """The trial with exactly these settings."""
        return cls(settings.name, variant, stage, seed, splits, overrides(settings, stage))

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
        """The splits that its training has not seen."""
        return SPLITS if self.splits == STANDARD else ("test",)

    @property
    def label(self) -> str:
        """What tells its decoders from others of the same variant, stage and seed."""
        joined = [self.splits] * (self.splits != STANDARD)
        return "-".join([self.preset, *(f"{name}-{value}" for name, value in self.overrides), *joined])

    @property
    def place(self) -> Path:
        """Where it lies, below the folder of its label."""
        return Path(self.stage, "seeds", str(self.seed), self.variant)

    def __str__(self) -> str:
        changed = [f"{name.rpartition('.')[2]} {value}" for name, value in self.overrides]
        joined = [self.splits] * (self.splits != STANDARD)
        return ", ".join([self.preset, self.variant, f"{self.stage} stage", f"seed {self.seed}", *changed, *joined])


def overrides(settings: Preset, stage: str) -> Overrides:
    """The settings that differ from the preset of the same name, as far as a run of that stage depends on them.

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


@dataclass(frozen=True)
class Row:
    """A trial and how many seeds it is repeated with."""

    trial: Trial
    seeds: int = 1


@dataclass(frozen=True)
class Plan:
    """The rows of an experiment, in named parts, and what is done with them.

    `preset`: the recipe that the experiment is about, if it is one; the best seeds of its decoders can be shipped, and a
    training whose loss diverges is tried again next time. Without it, a training that diverges is a result.
    `choose_search`: choose beam and length preference on dev, once for each stage, rather than use the preset's own.
    `needs`: the fields of a record that its readers cannot do without.
    """

    name: str
    parts: Mapping[str, tuple[Row, ...]]
    preset: str = ""
    choose_search: bool = False
    needs: tuple[str, ...] = ()

    def trials(self, parts: Iterable[str] = ()) -> list[Trial]:
        """Those of some parts, or of all of them, each once. Within a part all rows of one seed come before the next seed."""
        wanted = set(parts) or set(self.parts)
        rows = [self.parts[name] for name in self.parts if name in wanted]
        return list(dict.fromkeys(trial for part in rows for trial in _repeated(part)))

    @cached_property
    def order(self) -> dict[Trial, int]:
        """The place of every trial: those that are planned, then the same with more seeds."""
        more = {name: tuple(replace(row, seeds=MOST_SEEDS) for row in rows) for name, rows in self.parts.items()}
        trials = dict.fromkeys([*self.trials(), *replace(self, parts=more).trials()])
        return {trial: number for number, trial in enumerate(trials)}


def _repeated(rows: tuple[Row, ...]) -> list[Trial]:
    seeds = range(1, max((row.seeds for row in rows), default=0) + 1)
    return [replace(row.trial, seed=seed) for seed in seeds for row in rows if seed <= row.seeds]


def _rows(preset: str, variants: Iterable[str], seeds: int = 1, stage: str = FIRST) -> tuple[Row, ...]:
    return tuple(Row(Trial(preset, name, stage), seeds) for name in variants)


def repeated_seeds(preset: str = "triptych", seeds: int = 5, reward: int = 3, control: int = 2, original: int = 2) -> Plan:
    """The comparison of the three decoders: several seeds, controls, and the same on the original encoder.

    Whole seeds through both stages come first, so that a comparison that is cut short says as much as it can.
    """
    ours = _rows(preset, VARIANTS, seeds) + _rows(preset, VARIANTS, min(seeds, reward), REWARD)
    parts = {"three": ours, "controls": _rows(preset, CONTROLS, control)}
    twin = _ORIGINAL.format(preset)
    parts |= {"original": _rows(twin, VARIANTS, original)} if twin in PRESETS else {}
    return Plan(SEEDS, parts, preset, choose_search=True, needs=("seconds", "cores", "best_epoch", "loss", "cider"))


def _changed(preset: str, variant: str, splits: str = STANDARD, **decoder: Any) -> Trial:
    found = find_preset(preset)
    return Trial.of(replace(found, decoder=replace(found.decoder, **decoder)), variant, splits=splits)


RECIPES = Plan(
    "recipes",
    {
        "table": tuple(row for preset in OLDER_RECIPES for row in _rows(preset, VARIANTS)),
        "question": tuple(
            Row(_changed(COURSE, variant, embedding_dimensions=dimensions), seeds=2)
            for variant, widths in (("word2vec", DIMENSIONS), ("fasttext", DIMENSIONS), ("random", ENDS))
            for dimensions in widths
        ),
        "notes": (
            Row(Trial(STACKED, "word2vec")),
            Row(_changed(STACKED, "word2vec", activation="relu")),
            Row(Trial(STACKED, "word2vec", splits=JOINED)),
        ),
    },
    needs=("trained_on", "words", "trainable", "frozen", "fastest_epoch", "cores", "ms_per_caption", "intervals"),
)
PLANS: dict[str, Plan] = {plan.name: plan for plan in (repeated_seeds(), RECIPES)}
