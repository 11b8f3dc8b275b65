"""Write the marked blocks of every README.md from the files that commands wrote: python -m captioner.reports.readme.

A block starts with `<!-- figures: NAME -->` and ends with `<!-- end -->`, in any README.md; NAME is a key of `BLOCKS`.
"""

import argparse
import json
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from captioner.captioning.search_settings import SEARCH
from captioner.config import FIRST, SHIPPED, STAGES, VARIANTS
from captioner.errors import CheckpointError
from captioner.experiments.conclusions import read_studies
from captioner.figures import bench_results, hardening_results
from captioner.figures.glossary import GLOSSARY
from captioner.figures.limits import LIMITS
from captioner.figures.scores import study_chart, study_text
from captioner.figures.scores.published import in_short
from captioner.model.checkpoints import HISTORY, SCORES
from captioner.model.stage_folders import stages_in
from captioner.reports import experiment_blocks
from captioner.reports.markdown import filled, table
from captioner.scoring.comparison import COMPARISON, CONSTANT, PEOPLE
from captioner.storage import read_json

ROOT = SHIPPED.parent
README = ROOT / "README.md"
YARDSTICKS = {PEOPLE: "people, each against the others", CONSTANT: "one sentence for all"}
_BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


# The shipped decoders -----------------------------------------------------------------------------------------------------


def results(folder: Path) -> str:
    """The decoders of each stage, then people and one constant sentence."""
    stages = stages_in(folder)
    further = _further(folder, stages)
    blank = [""] * (7 + len(further))
    rows = [row for stage in stages for row in ([f"**{STAGES[stage].title}**", *blank], *_decoders(folder / stage, further))]
    rows = rows if len(stages) > 1 else rows[1:]
    comparison = read_json(folder / stages[-1] / COMPARISON)
    for name, title in YARDSTICKS.items():
        test, dev = (comparison[split]["yardsticks"][name] for split in ("test", "dev"))
        rows.append([title, *_scores(test, dev, [""] * len(further)), "", "", ""])
    scored = ["test CIDEr", *(f"{split} CIDEr" for split in further), "test BLEU-4", "test ROUGE-L", "dev CIDEr"]
    head = ["decoder", *scored, "dev loss", "epoch kept", "seconds an epoch"]
    return table([head, *rows]) + "\n" + filled(*(_stage(folder / stage) for stage in stages), _fewer(folder, stages))


def _further(folder: Path, stages: Sequence[str]) -> list[str]:
    """The test splits of further data sets on which all decoders were scored."""
    first, *others = (read_json(folder / stage / name / SCORES) for stage in stages for name in VARIANTS)
    return [split for split in first if split.endswith(" test") and all(split in scores for scores in others)]


def _decoders(folder: Path, further: Sequence[str]) -> Iterator[list[str]]:
    """Test and dev scores with 95% intervals, then the epoch that was kept and the time of an epoch of this stage."""
    for name, variant in VARIANTS.items():
        scores, history = read_json(folder / name / SCORES), read_json(folder / name / HISTORY)
        best = next(epoch for epoch in history["epochs"] if epoch["epoch"] == history["best_epoch"])
        seconds = median(epoch["seconds"] for epoch in history["epochs"] if epoch.get("stage", FIRST) == folder.name)
        cells = [f"{best['dev_loss']:.3f}", f"{best['epoch']} of {len(history['epochs'])}", f"{seconds:.0f}"]
        more = [_metric(scores[split], "cider") for split in further]
        yield [variant.title, *_scores(scores["test"], scores["dev"], more), *cells]


def _scores(test: dict[str, Any], dev: dict[str, Any], further: Sequence[str]) -> list[str]:
    return [_metric(test, "cider"), *further, _metric(test, "bleu4"), _metric(test, "rouge_l"), _metric(dev, "cider")]


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
    found, stages = next(iter(read_studies(folder)), None), stages_in(folder)
    further = found.further_tests if found else {}
    columns, rows = ("seeds", "test CIDEr", *(f"{split} CIDEr" for split in further), "test BLEU-4"), []
    for stage in stages if found else ():
        cells = study_chart.as_table(found, stage).reindex(columns=columns, fill_value="")
        shipped = {name: read_json(folder / stage / name / SCORES)["test"] for name in VARIANTS}
        for name, variant in VARIANTS.items():
            cider = _metric(shipped[name], "cider")
            rows.append([STAGES[stage].title.lower(), variant.title, *cells.loc[variant.title], cider])
    yardsticks = read_json(folder / stages[-1] / COMPARISON)["test"]["yardsticks"]
    rows += [["", title, *[""] * len(columns), _metric(yardsticks[name], "cider")] for name, title in YARDSTICKS.items()]
    heads = ("test CIDEr", *(f"{split} CIDEr, {count:,} photographs" for split, count in further.items()), "test BLEU-4")
    head = "stage", "embedding", "runs", *heads, "test CIDEr of the shipped run (95% interval)"
    verdicts = (f"{STAGES[stage].title}: {study_text.verdict(found, stage)}" for stage in stages if found)
    return table([head, *rows]) + "\n" + filled(*verdicts)


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
    "study": experiment_blocks.study,
    "former": experiment_blocks.former,
    "ablation": experiment_blocks.ablation,
    "tried": experiment_blocks.tried,
    "encoder": lambda folder: table(bench_results.rows(folder, bench_results.EXPORT)),
    "bench": bench,
    "stages": time_by_stage,
    "survives": lambda folder: table([("stress test", "result"), *hardening_results.rows(folder)]),
    "workers": lambda folder: table(bench_results.by_processes(folder)),
    "presets": experiment_blocks.presets,
    "ancestors": experiment_blocks.recipes,
    "question": experiment_blocks.question,
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
