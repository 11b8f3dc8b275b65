"""Write the marked blocks of every README.md from the files that commands wrote: python -m captioner.reports.readme.

A block starts with `<!-- figures: NAME -->` and ends with `<!-- end -->`, in any README.md; NAME is a key of `BLOCKS`.
"""

import argparse
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from captioner.captioning.search_settings import SEARCH
from captioner.config import FIRST, SHIPPED, STAGES, VARIANTS
from captioner.errors import CheckpointError
from captioner.experiments.conclusions import SIGNIFICANCE_RULE, read_study
from captioner.experiments.plans import RECIPES, Trial
from captioner.experiments.records import MEASURED, Record, read_kept, read_records
from captioner.figures import bench_results, hardening_results
from captioner.figures.glossary import GLOSSARY
from captioner.figures.limits import LIMITS
from captioner.figures.recipes import dimensions_question, recipe_table, recipe_text
from captioner.figures.scores import study_chart, study_text
from captioner.figures.scores.published import in_short
from captioner.figures.style import listed
from captioner.model.checkpoints import HISTORY, SCORES
from captioner.model.stage_folders import stages_in
from captioner.scoring.comparison import COMPARISON, CONSTANT, PEOPLE
from captioner.storage import read_json

if TYPE_CHECKING:
    import pandas as pd

ROOT = SHIPPED.parent
README = ROOT / "README.md"
YARDSTICKS = {PEOPLE: "people, each against the others", CONSTANT: "one sentence for all"}
_TRIED = (
    "run", "setting", "decoder", "stage", "epochs", "best dev loss", "search", "dev CIDEr", "dev BLEU-4", "dev ROUGE-L",
    "minutes", "cores",
)  # fmt: skip
_ONLY_ON_THE_PAGE = ("dev BLEU-4", "dev ROUGE-L", "of them trained", "published")
_BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(rows: Iterable[Sequence[str]]) -> str:
    """Rows of text as Markdown; the first holds the heads."""
    head, *others = (f"| {' | '.join(row)} |\n" for row in rows)
    return head + "|---" * (head.count(" | ") + 1) + "|\n" + "".join(others)


def framed(data: "pd.DataFrame") -> str:
    return table([[data.index.name, *data.columns], *([name, *row] for name, row in data.fillna("").iterrows())])


def filled(*texts: str) -> str:
    """Paragraphs, wrapped; a name such as show-and-tell stays whole."""
    return "\n".join(textwrap.fill(text, 120, break_on_hyphens=False) + "\n" for text in texts if text)


# The shipped decoders -----------------------------------------------------------------------------------------------------


def results(folder: Path) -> str:
    """The decoders of each stage, then people and one constant sentence."""
    stages = stages_in(folder)
    rows = [row for stage in stages for row in ([f"**{STAGES[stage].title}**", *[""] * 7], *_decoders(folder / stage))]
    rows = rows if len(stages) > 1 else rows[1:]
    comparison = read_json(folder / stages[-1] / COMPARISON)
    for name, title in YARDSTICKS.items():
        test, dev = (comparison[split]["yardsticks"][name] for split in ("test", "dev"))
        rows.append([title, *_scores(test, dev), "", "", ""])
    head = "decoder", "test CIDEr", "test BLEU-4", "test ROUGE-L", "dev CIDEr", "dev loss", "epoch kept", "seconds an epoch"
    return table([head, *rows]) + "\n" + filled(*(_stage(folder / stage) for stage in stages), _fewer(folder, stages))


def _decoders(folder: Path) -> Iterator[list[str]]:
    """Test and dev scores with 95% intervals, then the epoch that was kept and the time of an epoch of this stage."""
    for name, variant in VARIANTS.items():
        scores, history = read_json(folder / name / SCORES), read_json(folder / name / HISTORY)
        best = next(epoch for epoch in history["epochs"] if epoch["epoch"] == history["best_epoch"])
        seconds = median(epoch["seconds"] for epoch in history["epochs"] if epoch.get("stage", FIRST) == folder.name)
        cells = [f"{best['dev_loss']:.3f}", f"{best['epoch']} of {len(history['epochs'])}", f"{seconds:.0f}"]
        yield [variant.title, *_scores(scores["test"], scores["dev"]), *cells]


def _scores(test: dict[str, Any], dev: dict[str, Any]) -> list[str]:
    return [*(_metric(test, name) for name in ("cider", "bleu4", "rouge_l")), _metric(dev, "cider")]


def _metric(scores: dict[str, Any], name: str) -> str:
    low, high = scores["intervals"][name]
    return f"{scores['metrics'][name]:.3f} ({low:.3f} to {high:.3f})"


def _stage(folder: Path) -> str:
    stage, search = STAGES[folder.name], read_json(folder / SEARCH)
    setting = f"Search, chosen on dev: beam size {search['beam']}, length preference {search['length_preference']:g}."
    return f"{stage.title}: {stage.explanation} {setting}"


def _fewer(folder: Path, stages: Sequence[str]) -> str:
    """The decoders' scores against as few captions as people are scored against."""
    reached = []
    for stage in stages:
        held = [score["metrics"] for score in read_json(folder / stage / COMPARISON)["test"]["against_fewer"].values()]
        cider, bleu = (sorted(one[name] for one in held) for name in ("cider", "bleu4"))
        figures = f"test CIDEr {cider[0]:.3f} to {cider[-1]:.3f} and BLEU-4 {bleu[0]:.3f} to {bleu[-1]:.3f}"
        reached.append(f"{figures} ({STAGES[stage].title.lower()})")
    return (
        "A person's caption is scored against one caption fewer than a decoder's, since it is left out itself. Against as few, "
        f"the decoders reach {', and '.join(reached)}."
    )


def summary(folder: Path) -> str:
    """The repeated runs in short, the shipped run of each, and what they compare with."""
    found, stages = read_study(folder), stages_in(folder)
    columns, rows = ("seeds", "test CIDEr", "test BLEU-4"), []
    for stage in stages if found else ():
        cells = study_chart.as_table(found, stage).reindex(columns=columns, fill_value="")
        shipped = {name: read_json(folder / stage / name / SCORES)["test"] for name in VARIANTS}
        for name, variant in VARIANTS.items():
            cider = _metric(shipped[name], "cider")
            rows.append([STAGES[stage].title.lower(), variant.title, *cells.loc[variant.title], cider])
    yardsticks = read_json(folder / stages[-1] / COMPARISON)["test"]["yardsticks"]
    rows += [["", title, "", "", "", _metric(yardsticks[name], "cider")] for name, title in YARDSTICKS.items()]
    head = "stage", "embedding", "runs", "test CIDEr", "test BLEU-4", "test CIDEr of the shipped run (95% interval)"
    verdicts = (f"{STAGES[stage].title}: {study_text.verdict(found, stage)}" for stage in stages if found)
    return table([head, *rows]) + "\n" + filled(*verdicts)


# Experiments --------------------------------------------------------------------------------------------------------------


def study(folder: Path) -> str:
    """All that was measured of every variant, a table per stage."""
    found = read_study(folder)
    if found is None:
        return "The comparison with repeated seeds has no finished run yet.\n"
    parts = [filled(f"{found.finished} of {found.planned} runs; standard deviations over seeds in brackets.")]
    for stage in dict.fromkeys(group.stage for group in found.groups):
        said = (tell(found, stage) for tell in (study_text.verdict, study_text.untuned, study_text.own_words))
        parts += [f"**{STAGES[stage].title}**\n", framed(study_chart.as_table(found, stage))]
        parts.append(filled(" ".join(filter(None, said))))
    notes = [SIGNIFICANCE_RULE, study_text.CAVEAT, study_text.controls(found), study_text.encoders(found)]
    return "\n".join([*parts, filled(" ".join(filter(None, notes)))])


def recipes(folder: Path) -> str:
    """The older recipes in a table, then notes on it."""
    records = read_records(folder, RECIPES)
    rows = [{name: text for name, text in row.items() if name not in _ONLY_ON_THE_PAGE} for row in recipe_table.rows(records)]
    if not rows:
        return filled(recipe_text.NONE_YET)
    notes = recipe_text.sentences(records, read_study(folder))
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


# Measurements and fixed texts ---------------------------------------------------------------------------------------------


def bench(folder: Path) -> str:
    return table([("measured side by side on 2 cores", ""), *bench_results.rows(folder)]) + "\n" + time_by_stage(folder)


def time_by_stage(folder: Path) -> str:
    return table(bench_results.by_stage(folder))


def limits(_folder: Path) -> str:
    return "".join(textwrap.fill(limit, 120, initial_indent="- ", subsequent_indent="  ") + "\n" for limit in LIMITS)


BLOCKS: dict[str, Callable[[Path], str]] = {
    "summary": summary,
    "results": results,
    "published": lambda _folder: filled(in_short()),
    "study": study,
    "tried": tried,
    "encoder": lambda folder: table(bench_results.rows(folder, bench_results.EXPORT)),
    "bench": bench,
    "stages": time_by_stage,
    "survives": lambda folder: table([("stress test", "result"), *hardening_results.rows(folder)]),
    "workers": lambda folder: table(bench_results.by_processes(folder)),
    "presets": presets,
    "ancestors": recipes,
    "question": question,
    "limits": limits,
    "glossary": lambda _folder: table([("word", "meaning"), *GLOSSARY.items()]),
}


def render(text: str, folder: Path) -> str:
    """The text with every marked block written from the files in a folder."""

    def block(match: re.Match[str]) -> str:
        if match[2] not in BLOCKS:
            raise CheckpointError(f"A README asks for the block '{match[2]}', which is none of {', '.join(BLOCKS)}.")
        return match[1] + BLOCKS[match[2]](folder) + match[3]

    return _BLOCK.sub(block, text)


def pages(root: Path = ROOT) -> list[Path]:
    """Every README.md with a marked block."""
    found = [root / "README.md", *(path for name in _PLACES for path in sorted((root / name).rglob("README.md")))]
    return [path for path in found if path.is_file() and _BLOCK.search(path.read_text(encoding="utf-8"))]


_PLACES = ("captioner", "checkpoints", "embeddings", "tests")

if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    for page in pages():
        page.write_text(render(page.read_text(encoding="utf-8"), SHIPPED), encoding="utf-8")
    print(json.dumps({"written": [str(page.relative_to(ROOT)) for page in pages()]}))
