"""The blocks of the README files about experiments: the studies, the ablation, the older recipes and what was tried."""

from pathlib import Path

from captioner.config import STAGES
from captioner.experiments.conclusions import SIGNIFICANCE_RULE, Study, read_study
from captioner.experiments.plans import ABLATION, FLICKR8K, PLANS, RECIPES, SEEDS, Trial
from captioner.experiments.records import MEASURED, Record, read_kept, read_records
from captioner.figures.recipes import dimensions_question, recipe_table, recipe_text
from captioner.figures.scores import ablation_table, study_chart, study_text
from captioner.figures.style import listed
from captioner.reports.markdown import filled, framed, table

_TRIED = (
    "run", "setting", "decoder", "stage", "epochs", "best dev loss", "search", "dev CIDEr", "dev BLEU-4", "dev ROUGE-L",
    "minutes", "cores",
)  # fmt: skip
_ONLY_ON_THE_PAGE = ("dev BLEU-4", "dev ROUGE-L", "of them trained", "published")


def study(folder: Path) -> str:
    """The study of the decoders that ship."""
    return _study(read_study(folder, PLANS[SEEDS]))


def former(folder: Path) -> str:
    """The study of the recipe before that."""
    return _study(read_study(folder, FLICKR8K))


def _study(found: Study | None) -> str:
    """All that was measured of every variant, a table per stage."""
    if found is None:
        return ""
    parts = [filled(f"{found.finished} of {found.planned} runs; standard deviations over seeds in brackets.")]
    for stage in dict.fromkeys(group.stage for group in found.groups):
        said = (tell(found, stage) for tell in (study_text.verdict, study_text.untuned, study_text.own_words))
        parts += [f"**{STAGES[stage].title}**\n", framed(study_chart.as_table(found, stage))]
        parts.append(filled(" ".join(filter(None, said))))
    notes = [SIGNIFICANCE_RULE, study_text.CAVEAT, study_text.controls(found), study_text.encoders(found)]
    return "\n".join([*parts, filled(" ".join(filter(None, notes)))])


def ablation(folder: Path) -> str:
    records = read_records(folder, ABLATION)
    if not records:
        return ""
    data = ablation_table.as_table(records, read_records(folder, PLANS[SEEDS]))
    return f"## {ablation_table.TITLE}\n\n{filled(ablation_table.conditions(records))}\n{framed(data)}\n"


def recipes(folder: Path) -> str:
    """The older recipes in a table, then notes on it."""
    records = read_records(folder, RECIPES)
    rows = [{name: text for name, text in row.items() if name not in _ONLY_ON_THE_PAGE} for row in recipe_table.rows(records)]
    if not rows:
        return filled(recipe_text.NONE_YET)
    notes = recipe_text.sentences(records, read_study(folder, FLICKR8K))
    return table([list(rows[0]), *(list(row.values()) for row in rows)]) + "\n" + filled(*notes)


def presets(_folder: Path) -> str:
    """The older recipes in words."""
    rows = ((f"`{name}`", one.entry, one.others) for name, one in recipe_table.RECIPES.items())
    return table([("preset", "how the photograph enters", "what else it is"), *rows])


def question(folder: Path) -> str:
    records = read_records(folder, RECIPES)
    found = dimensions_question.runs(records)
    text = f"### {dimensions_question.title(found)}\n\n{filled(*dimensions_question.sentences(records))}"
    return f"{text}\n{framed(dimensions_question.as_table(found))}" if len(found) else text


def tried(folder: Path) -> str:
    """The runs that were kept on the way to the shipped setting."""
    records = read_kept(folder)
    titles, seeds = ({str(getattr(one, name)) for one in records} for name in ("title", "seed"))
    told = f"Tried with {listed(sorted(titles))}, seed {listed(sorted(seeds))}, which the choice may favour a little."
    return table([_TRIED, *map(_tried, records)]) + "\n" + filled(told) if records else ""


def _tried(record: Record) -> list[str]:
    scores, least = record.scores["dev"], min(dev for _, dev in record.losses)
    cells = [record.name, _setting(record.trial), record.title, record.stage, str(record.epochs), f"{least:.3f}"]
    cells += [f"beam {scores.beam}, {scores.length_preference:g}", *(f"{scores.metrics[name]:.4f}" for name in MEASURED)]
    return [*cells, f"{record.seconds / 60:.0f}", str(record.cores or "")]


def _setting(trial: Trial) -> str:
    """The preset and what was changed about it."""
    changes = []
    for name, value in trial.overrides:
        part, _, setting = name.rpartition(".")
        part = {"reward": "reward ", "embedding": "vectors' "}.get(part, "")
        changes.append(f"{part}{setting} {f'{value:g}' if isinstance(value, float) else value}")
    return f"{trial.preset}, but {', '.join(changes)}" if changes else trial.preset
