"""The names, formats and bars of measured numbers, and a table of them for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from captioner.config import VARIANTS


@dataclass(frozen=True)
class Figure:
    """One measured number as people read it, and the bar that it should reach, if any."""

    title: str
    pattern: str
    bar: float | None = None
    least: bool = True

    def cells(self, value: float) -> tuple[str, str, str, str]:
        if self.bar is None:
            return self.title, self.pattern.format(value), "", ""
        bound = f"at {'least' if self.least else 'most'} {self.pattern.format(self.bar)}"
        return self.title, self.pattern.format(value), bound, "reached" if self.reached(value) else "not reached"

    def reached(self, value: float) -> bool:
        return self.bar is None or (value >= self.bar if self.least else value <= self.bar)


Figures = Mapping[str, Mapping[str, Figure]]
"""Figures by part of the result and by name."""

FIGURES: Figures = {
    "caption": {
        "encoder_ms": Figure("one pass of the encoder's network in TensorFlow", "{:.1f} ms"),
        "end_to_end_ms": Figure("photograph bytes to three captions, beam 3", "{:.1f} ms"),
        "ratio_to_encoder": Figure("... against that pass", "{:.2f} times as long", 2.0, least=False),
        "recipe_ms": Figure("photograph bytes to three captions by model.predict per word, greedy", "{:,.0f} ms"),
        "ratio_to_recipe": Figure("... against ours", "{:.1f} times as long", 100.0),
    },
    "memory": {"growth_mb": Figure("growth of the peak memory after 20 photographs", "{:.1f} MB", 50.0, least=False)},
    "training": {
        "epoch_s": Figure("an epoch of the preset", "{:.1f} s"),
        "merge_epoch_s": Figure("an epoch of the merge decoder of 256 units", "{:.1f} s"),
        "recipe_epoch_s": Figure("the same epoch with a row per prefix and one-hot targets", "{:,.0f} s"),
        "recipe_rows": Figure("... with its best number of rows in a batch", "{:.0f}"),
        "ratio_to_recipe": Figure("... against ours", "{:.1f} times as long", 15.0),
        "loss_difference": Figure("... difference of the losses per word, at equal weights", "{:.1g}"),
        "gemm_gflops": Figure("the machine's matrix products, 2048 x 2048", "{:.0f} GFLOP/s"),
        "epoch_gflop": Figure("matrix products of the preset's epoch on real words", "{:,.0f} GFLOP"),
        "share_of_gemm": Figure("share of the machine's speed that the preset's epoch reaches", "{:.1%}", 0.4),
    },
}


STAGES = {
    "decode": "decode",
    "resize": "resize",
    "encode": "CNN",
    **{variant.name: f"{variant.title} decoder" for variant in VARIANTS.values()},
    "search": "search",
    "together": "together",
}
AMOUNTS = {"one": "one photograph", "many": "many, on all cores"}


def table(result: Mapping[str, Mapping[str, float]], figures: Figures = FIGURES) -> str:
    """The numbers of a benchmark for people, one a line, each with its bar and whether it was reached; without the stages."""
    parts = ((figures[part], values) for part, values in result.items() if part not in AMOUNTS)
    return aligned([titles[name].cells(value) for titles, values in parts for name, value in values.items()])


def stage_rows(result: Mapping[str, Mapping[str, float]]) -> list[tuple[str, ...]]:
    """The stages of captioning as shares of the encoder's time in TensorFlow, by the number of photographs; heads first."""
    stages = [name for name in STAGES if name in result["one"]]
    rows = [(title, *(f"{result[amount][name]:.2f}" for name in stages)) for amount, title in AMOUNTS.items()]
    return [("times as long as TensorFlow's encoder", *(STAGES[name] for name in stages)), *rows]


def aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
