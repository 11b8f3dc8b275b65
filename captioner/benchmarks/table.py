"""What every figure of a bench is called, which bar it should reach, and a table of them for people."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured number as people read it, and the bar that it should reach, if it has one."""

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


FIGURES: dict[str, Figure] = {
    "encoder_ms": Figure("one pass of the encoder", "{:.1f} ms"),
    "end_to_end_ms": Figure("photograph bytes to three captions, beam 3", "{:.1f} ms"),
    "ratio_to_encoder": Figure("... against one pass of the encoder", "{:.2f} times as long", 3.0, least=False),
    "recipe_ms": Figure("photograph bytes to three captions by model.predict per word, greedy", "{:,.0f} ms"),
    "ratio_to_recipe": Figure("... against ours", "{:.1f} times as long", 100.0),
    "growth_mb": Figure("growth of the peak memory after 20 photographs", "{:.1f} MB", 50.0, least=False),
    "epoch_s": Figure("an epoch of the preset", "{:.1f} s"),
    "merge_epoch_s": Figure("an epoch of the merge decoder of 256 units", "{:.1f} s"),
    "recipe_epoch_s": Figure("the same epoch with a row per prefix and one-hot targets", "{:,.0f} s"),
    "recipe_rows": Figure("... with its best number of rows in a batch", "{:.0f}"),
    "ratio_to_recipe_of_training": Figure("... against ours", "{:.1f} times as long", 15.0),
    "loss_difference": Figure("... and the losses per word, at equal weights, differ by", "{:.1g}"),
    "gemm_gflops": Figure("the machine's matrix products, 2048 x 2048", "{:.0f} GFLOP/s"),
    "epoch_gflop": Figure("matrix products of the preset's epoch on real words", "{:,.0f} GFLOP"),
    "photographs": Figure("files captioned by all decoders, beam 3", "{:,.0f}"),
    "bulk_a_second": Figure("... in a second", "{:.1f}"),
    "encoder_a_second": Figure("ready pictures through the encoder alone in a second", "{:.1f}"),
    "share_of_encoder": Figure("share of the encoder's speed that captioning reaches", "{:.0%}", 0.7),
    "bulk_growth_mb": Figure("growth of the peak memory after the first eighth", "{:.1f} MB", 50.0, least=False),
    "cache_gb": Figure("a made-up feature cache, in sparse files", "{:,.0f} GB"),
    "cache_photographs": Figure("... of so many photographs", "{:,.0f}"),
    "prepare_s": Figure("... before the first step of training on it", "{:.1f} s"),
    "small_step_ms": Figure("a step of training on a small cache", "{:.0f} ms"),
    "large_step_ms": Figure("... on the made-up one", "{:.0f} ms"),
    "step_ratio": Figure("... against the small one", "{:.2f} times as long", 1.1, least=False),
    "epoch_read_gb": Figure("features that an epoch reads of it", "{:,.0f} GB"),
    "training_peak_gb": Figure("peak memory of training on it", "{:.2f} GB", 2.0, least=False),
    "captions": Figure("made-up captions in COCO's form", "{:,.0f}"),
    "file_mb": Figure("... their files", "{:.0f} MB"),
    "read_s": Figure("... reading them", "{:.1f} s", 20.0, least=False),
    "vocabulary_s": Figure("... cutting them into words and counting these", "{:.1f} s"),
    "read_peak_gb": Figure("... peak memory of both", "{:.2f} GB", 1.5, least=False),
    "share_of_gemm": Figure("share of the machine's speed that the preset's epoch reaches", "{:.1%}", 0.4),
}


def table(result: Mapping[str, Mapping[str, float]]) -> str:
    """The figures of a bench for people, one a line, each with its bar and whether that was reached."""
    rows = [_figure(part, name).cells(value) for part, values in result.items() for name, value in values.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _figure(part: str, name: str) -> Figure:
    """A figure by its name; where captioning and training share a name, training has an entry of its own."""
    return FIGURES.get(f"{name}_of_{part}") or FIGURES[name]
