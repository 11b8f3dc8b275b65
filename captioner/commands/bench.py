"""`bench`: measure the speed of captioning, or of training."""

from dataclasses import dataclass
from pathlib import Path

from captioner.commands import arguments, choices
from captioner.commands.report import print_json
from captioner.errors import ConfigError
from captioner.presets import PRESETS, find_preset

SUMMARY = "measure the speed of captioning or training, against the popular recipe"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Decoders):
    training: bool = arguments.switch("measure an epoch of training instead of captioning")
    data: str | None = arguments.data("; for --training", required=False)
    preset: str = arguments.option(f"for --training: {', '.join(PRESETS)} (default: triptych)", "NAME", default="triptych")
    cache: Path | None = arguments.cache()


def run(request: Request) -> int:
    preset = find_preset(request.preset).name
    if request.training and not request.data:
        raise ConfigError("bench --training needs photographs to train on. Add --data with a folder of Flickr8k or COCO.")
    if request.training and request.encoder_weights:
        raise ConfigError("--encoder-weights is for measuring captioning. Leave it out with --training.")
    from captioner.benchmarks.table import AMOUNTS, aligned, stage_rows, table

    result = _measure(request, preset)
    if request.json:
        print_json(result)
    else:
        print(table(result))
        if AMOUNTS.keys() <= result.keys():
            print("", aligned(stage_rows(result)), sep="\n")
    return 0


def _measure(request: Request, preset: str) -> dict[str, dict[str, float]]:
    if request.training:
        from captioner.benchmarks.training import training_bench

        return training_bench(request.data, choices.cache(request.cache), preset)
    from captioner.benchmarks.captioning import caption_bench

    return caption_bench(choices.decoders(request), weights=request.encoder_weights)
