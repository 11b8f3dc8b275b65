"""Writes the README's figures from the files that commands wrote: python -m captioner.readme. Nothing is typed by hand."""

import json
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from captioner.checkpoints import HISTORY, SCORES, SHIPPED
from captioner.comparison import COMPARISON, CONSTANT, PEOPLE
from captioner.config import VARIANTS
from captioner.errors import CheckpointError
from captioner.figures.glossary import GLOSSARY
from captioner.figures.limits import LIMITS
from captioner.folders import read_json

README = SHIPPED.parent / "README.md"
YARDSTICKS = {PEOPLE: "people, each against the others", CONSTANT: "one sentence for all"}
BENCHES = ("bench-caption.json", "bench-training.json")
_BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def results(folder: Path) -> str:
    """One row per decoder: test and dev scores with 95% intervals, and what its training took; then the yardsticks."""
    rows = [
        "| decoder | test CIDEr | test BLEU-4 | test ROUGE-L | dev CIDEr | dev loss | best epoch | seconds an epoch |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, variant in VARIANTS.items():
        scores, history = read_json(folder / name / SCORES), read_json(folder / name / HISTORY)
        best = next(epoch for epoch in history["epochs"] if epoch["epoch"] == history["best_epoch"])
        seconds = median(epoch["seconds"] for epoch in history["epochs"])
        cells = [_metric(scores["test"], key) for key in ("cider", "bleu4", "rouge_l")] + [_metric(scores["dev"], "cider")]
        cells += [f"{best['dev_loss']:.3f}", f"{best['epoch']} of {len(history['epochs'])}", f"{seconds:.0f}"]
        rows.append(f"| {variant.title} | {' | '.join(cells)} |")
    comparison = read_json(folder / COMPARISON)
    for name, title in YARDSTICKS.items():
        test, dev = (comparison[split]["yardsticks"][name] for split in ("test", "dev"))
        cells = [_metric(test, key) for key in ("cider", "bleu4", "rouge_l")] + [_metric(dev, "cider"), "", "", ""]
        rows.append(f"| {title} | {' | '.join(cells)} |")
    search = read_json(folder / "search.json")
    setting = f"Beam {search['beam']}, length preference {search['length_preference']:g}, both chosen on dev."
    return "\n".join(rows) + f"\n\n{setting}\n"


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
    return _table("| measured side by side on 2 cores | |", rows)


def limits(_folder: Path) -> str:
    """The same sentences as on the page, as a list wrapped like the rest of the README."""
    return "".join(textwrap.fill(limit, 120, initial_indent="- ", subsequent_indent="  ") + "\n" for limit in LIMITS)


def glossary(_folder: Path) -> str:
    """The words and figures that need one line each, as the pages show them."""
    return _table("| word | meaning |", [(term.name, term.meaning) for term in GLOSSARY])


def _table(head: str, rows: Sequence[tuple[str, str]]) -> str:
    return "\n".join([head, "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]) + "\n"


FIGURES = {"results": results, "bench": benches, "limits": limits, "glossary": glossary}


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
    README.write_text(render(README.read_text(encoding="utf-8"), SHIPPED), encoding="utf-8")
    print(json.dumps({"written": README.name}))
