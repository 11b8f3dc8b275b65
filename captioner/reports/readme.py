"""Writes the README's figures from the files that commands wrote: python -m captioner.reports.readme. Nothing is typed by hand."""

import argparse
import json
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from captioner.benchmarks import coco_table
from captioner.config import FIRST, SHIPPED, STAGES, VARIANTS
from captioner.errors import CheckpointError
from captioner.experiments.ancestor_records import read_records
from captioner.figures import hardening_results
from captioner.figures.glossary import GLOSSARY
from captioner.figures.limits import LIMITS
from captioner.figures.recipes import ancestor_sentences, dimensions_question
from captioner.figures.recipes import recipe_table as recipes
from captioner.figures.scores import study_chart
from captioner.figures.scores.published import in_short
from captioner.figures.scores.study_file import read_study
from captioner.model.checkpoints import HISTORY, SCORES, stages_in
from captioner.reports import tried
from captioner.scoring.comparison import COMPARISON, CONSTANT, PEOPLE
from captioner.scoring.evaluation import SEARCH
from captioner.storage import read_json

README = SHIPPED.parent / "README.md"
PAGES = (README, SHIPPED / "README.md")
YARDSTICKS = {PEOPLE: "people, each against the others", CONSTANT: "one sentence for all"}
BENCHES = ("bench-caption.json", "bench-training.json")
LARGE_BENCH, BULK_BENCH = "bench-large.json", "bench-bulk.json"
WORKERS = "bench-workers.json"
_COLUMNS = (
    "decoder", "test CIDEr", "test BLEU-4", "test ROUGE-L", "dev CIDEr", "dev loss", "epoch kept", "seconds an epoch",
)  # fmt: skip
_MEANS = (
    "seeds", "test CIDEr", "test BLEU-4", "test ROUGE-L", "dev CIDEr", "repeats itself or breaks off", "different captions",
    "minutes", "cores",
)  # fmt: skip
_BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def results(folder: Path) -> str:
    """A block of rows per stage that ships, a row per decoder; then the yardsticks, which no training changes."""
    rows = [f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|"]
    stages = stages_in(folder)
    for stage in stages:
        heading = f"**{STAGES[stage].title}**"
        rows += [_row(heading, [""] * (len(_COLUMNS) - 1))] * (len(stages) > 1)
        rows += [_row(variant.title, _decoder(folder / stage / name, stage)) for name, variant in VARIANTS.items()]
    comparison = read_json(folder / stages[-1] / COMPARISON)
    for name, title in YARDSTICKS.items():
        test, dev = (comparison[split]["yardsticks"][name] for split in ("test", "dev"))
        rows.append(_row(title, [*_scores(test, dev), "", "", ""]))
    told = [*(_told(folder / stage) for stage in stages), _fewer(folder, stages)]
    return "\n".join(rows) + "\n" + "".join(f"\n{_filled(text)}" for text in told)


def _decoder(folder: Path, stage: str) -> list[str]:
    """Test and dev scores with 95% intervals, and what the training took in this stage."""
    scores, history = read_json(folder / SCORES), read_json(folder / HISTORY)
    best = next(epoch for epoch in history["epochs"] if epoch["epoch"] == history["best_epoch"])
    seconds = median(epoch["seconds"] for epoch in history["epochs"] if epoch.get("stage", FIRST) == stage)
    cells = [f"{best['dev_loss']:.3f}", f"{best['epoch']} of {len(history['epochs'])}", f"{seconds:.0f}"]
    return [*_scores(scores["test"], scores["dev"]), *cells]


def _told(folder: Path) -> str:
    """What the stage was, and how its decoders look for a caption."""
    stage, search = STAGES[folder.name], read_json(folder / SEARCH)
    setting = f"Beam {search['beam']}, length preference {search['length_preference']:g}, both chosen on dev."
    return f"{stage.title}: {stage.explanation} {setting}"


def _fewer(folder: Path, stages: Sequence[str]) -> str:
    """Against how many captions people are held, and what the decoders of each stage reach against as few."""
    reached = []
    for stage in stages:
        held = [score["metrics"] for score in read_json(folder / stage / COMPARISON)["test"]["against_fewer"].values()]
        cider, bleu = (sorted(one[name] for one in held) for name in ("cider", "bleu4"))
        after = f" after the stage of {stage}" if stage != FIRST else ""
        figures = f"a test CIDEr of {cider[0]:.3f} to {cider[-1]:.3f} and a BLEU-4 of {bleu[0]:.3f} to {bleu[-1]:.3f}"
        reached.append(f"{figures}{after}")
    return (
        "People are held against one caption of each photograph fewer than the decoders, since their own is taken out; against "
        f"as few, the decoders reach {', and '.join(reached)}."
    )


def published(_folder: Path) -> str:
    """What others reached, in the sentences of the page."""
    return _filled(in_short())


def _filled(text: str) -> str:
    return textwrap.fill(text, 120, break_on_hyphens=False) + "\n"  # A name such as show-and-tell stays whole.


def _row(title: str, cells: Sequence[str]) -> str:
    return f"| {title} | {' | '.join(cells)} |"


def _scores(test: dict[str, Any], dev: dict[str, Any]) -> list[str]:
    return [*(_metric(test, key) for key in ("cider", "bleu4", "rouge_l")), _metric(dev, "cider")]


def benches(folder: Path) -> str:
    """What the benchmark commands printed, as one table."""
    caption, training = (read_json(folder / name) for name in BENCHES)
    caption, memory, training = caption["caption"], caption["memory"], training["training"]
    rows = [
        ("photograph bytes to three beam-3 captions, against one encoder pass alone", f"{caption['ratio_to_encoder']:.2f} times"),
        ("the same against `model.predict` per word on a padded prefix", f"{caption['ratio_to_recipe']:.0f} times faster"),
        ("peak memory after 200 photographs, against after 20", f"{memory['growth_mb']:.1f} MB more"),
        ("an epoch against one row per prefix with one-hot targets", f"{training['ratio_to_recipe']:.1f} times faster"),
        ("share of the machine's matrix-product speed that an epoch reaches", f"{training['share_of_gemm']:.0%}"),
    ]
    return _table("| measured side by side on 2 cores | |", rows + _bulk(folder) + _large(folder))


def _bulk(folder: Path) -> list[tuple[str, str]]:
    """What `bench --bulk` printed, once it was kept."""
    if not (folder / BULK_BENCH).is_file():
        return []
    found = read_json(folder / BULK_BENCH)["bulk"]
    share = f"{found['share_of_encoder']:.0%} of its speed ({found['bulk_a_second']:.0f} photographs a second)"
    return [
        (f"{found['photographs']:,} files to three beam-3 captions, against the encoder alone", share),
        ("peak memory at their end, against after the first eighth", f"{found['bulk_growth_mb']:.1f} MB more"),
    ]


def _large(folder: Path) -> list[tuple[str, str]]:
    """What `bench --large` printed, once it was kept."""
    if not (folder / LARGE_BENCH).is_file():
        return []
    found = read_json(folder / LARGE_BENCH)
    large, coco = found["large"], found["coco"]
    cache = f"a made-up cache of {large['cache_gb']:,.0f} GB, in sparse files"
    return [
        (f"peak memory of training on {cache}", f"{large['training_peak_gb']:.2f} GB"),
        ("a step of it, against one on a small cache (no disk's speed is in it)", f"{large['step_ratio']:.2f} times"),
        (f"reading {coco['captions']:,.0f} captions in COCO's form", f"{coco['read_s']:.1f} s, {coco['read_peak_gb']:.2f} GB"),
    ]


def means(folder: Path) -> str:
    """The study in short: means over the seeds of each of the three, stage by stage, on both encoders; then what they say."""
    found = read_study(folder)
    if found is None:
        return "No run of the comparison with repeated seeds has been finished yet.\n"
    rows, told = [], []
    for stage in dict.fromkeys(group.stage for group in found.groups):
        table = study_chart.as_table(found, stage)
        titles = [group.title for group in found.stage(stage) if group.variant.name in VARIANTS]
        rows += [_row(f"**{STAGES[stage].title}**", [""] * len(_MEANS))]
        rows += [_row(title, [table[column].get(title, "") if column in table else "" for column in _MEANS]) for title in titles]
        said = [study_chart.verdict(found, stage), study_chart.untuned(found, stage)]
        told.append(f"{STAGES[stage].title}: {' '.join(filter(None, said))}")
    head = [_row("vectors", _MEANS), "|---" * (len(_MEANS) + 1) + "|"]
    last = [study_chart.controls(found), study_chart.encoders(found), found.rule, study_chart.ROUGH]
    ends = _filled(" ".join(filter(None, last)))
    return "\n".join([*head, *rows, "", *map(_filled, filter(lambda text: not text.endswith(": "), told)), ends])


def study(folder: Path) -> str:
    """The comparison with repeated seeds: a table per stage, then what it says by its rule; nothing before the first run."""
    found = read_study(folder)
    if found is None:
        return "No run of the study has been finished yet.\n"
    parts = [_filled(f"{found.finished} of {found.planned} trainings; standard deviations over seeds in brackets.")]
    for stage in dict.fromkeys(group.stage for group in found.groups):
        table = study_chart.as_table(found, stage)
        head, line = ["vectors", *table.columns], ["---"] * (len(table.columns) + 1)
        rows = [head, line, *([name, *cells.fillna("")] for name, cells in table.iterrows())]
        parts += [f"**{STAGES[stage].title}**\n", "".join(f"| {' | '.join(row)} |\n" for row in rows)]
        said = (tell(found, stage) for tell in (study_chart.verdict, study_chart.untuned, study_chart.own_words))
        parts.append(_filled(" ".join(filter(None, said))))
    last = filter(None, [found.rule, study_chart.ROUGH, study_chart.controls(found), study_chart.encoders(found)])
    return "\n".join([*parts, _filled(" ".join(last))])


_NOT_HERE = ("dev BLEU-4", "dev ROUGE-L", "of them trained", "published")  # The page of scores has these, too.


def ancestors(folder: Path) -> str:
    """The older recipes beside each other, then what the table says; a sentence before the first of them was trained."""
    records = read_records(folder)
    told = ancestor_sentences.sentences(records, read_study(folder))
    rows = [{name: text for name, text in row.items() if name not in _NOT_HERE} for row in recipes.rows(records)]
    if not rows:
        return _filled(ancestor_sentences.NONE_YET)
    cells = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    table = "".join(f"| {' | '.join(row)} |\n" for row in cells)
    return table + "".join(f"\n{_filled(text)}" for text in told)


def presets(_folder: Path) -> str:
    """The older recipes in words."""
    rows = [f"| `{name}` | {how} | {what} |\n" for name, (how, what) in recipes.RECIPES.items()]
    return "| preset | how the photograph enters | what else it is |\n|---|---|---|\n" + "".join(rows)


def question(folder: Path) -> str:
    """The open question and its answer, as far as the records tell it."""
    records = read_records(folder)
    return f"### {dimensions_question.title(records)}\n\n" + "\n".join(map(_filled, dimensions_question.sentences(records)))


def survives(folder: Path) -> str:
    """What the commands in tests/hardening printed."""
    found = hardening_results.rows(folder)
    return _table("| what came | what became of it |", found) if found else "Nothing of this has been measured yet.\n"


def workers(folder: Path) -> str:
    """What COCO would cost by how many workers, computed from what `bench --workers` measured."""
    if not (folder / WORKERS).is_file():
        return "This has not been measured yet.\n"
    told, table = coco_table.for_readme(read_json(folder / WORKERS))
    return f"{table}\n{_filled(told)}"


def limits(_folder: Path) -> str:
    """The same sentences as on the page, as a list wrapped like the rest of the README."""
    return "".join(textwrap.fill(limit, 120, initial_indent="- ", subsequent_indent="  ") + "\n" for limit in LIMITS)


def glossary(_folder: Path) -> str:
    """The words and figures that need one line each, as the pages show them."""
    return _table("| word | meaning |", [(term.name, term.meaning) for term in GLOSSARY])


def _table(head: str, rows: Sequence[tuple[str, str]]) -> str:
    return "\n".join([head, "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]) + "\n"


FIGURES = {
    "results": results,
    "published": published,
    "means": means,
    "study": study,
    "tried": tried.table,
    "bench": benches,
    "survives": survives,
    "workers": workers,
    "presets": presets,
    "ancestors": ancestors,
    "question": question,
    "limits": limits,
    "glossary": glossary,
}


def render(text: str, folder: Path) -> str:
    """The text with every marked block made anew from the files."""

    def block(match: re.Match[str]) -> str:
        if match[2] not in FIGURES:
            raise CheckpointError(f"The README asks for figures called '{match[2]}'; there are {', '.join(FIGURES)}.")
        return match[1] + FIGURES[match[2]](folder) + match[3]

    return _BLOCK.sub(block, text)


def _metric(scores: dict[str, Any], name: str) -> str:
    low, high = scores["intervals"][name]
    return f"{scores['metrics'][name]:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    argparse.ArgumentParser(description="Write the figures of the README and of checkpoints/README.md anew.").parse_args()
    for page in PAGES:
        page.write_text(render(page.read_text(encoding="utf-8"), SHIPPED), encoding="utf-8")
    print(json.dumps({"written": [str(page.relative_to(README.parent)) for page in PAGES]}))
