"""`adapt`: the encoder trained on, once, end to end with the three decoders of a finished run, then frozen for good."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.commands import arguments, choices
from captioner.commands.report import note, print_json
from captioner.config import FIRST, VARIANTS, AdaptationConfig
from captioner.config_io import with_settings
from captioner.errors import DatasetError, ImageError, TrainingError
from captioner.storage import exists, load_folder, parse_as, parse_json, remove_folder, save_folder
from captioner.training.history import Epoch, TrainingState
from captioner.training.worker_group import refuse_several

if TYPE_CHECKING:
    from captioner.data.datasets import Dataset, Record
    from captioner.model.checkpoints import Checkpoint
    from captioner.model.decoder import Decoder

HOW, STATE = "how.json", "state.json"
SUMMARY = "train the CNN on together with trained decoders, for others to start from"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request):
    data: str
    start: Path
    seed: int
    settings: list[tuple[str, str]]
    out: Path | None
    resume: bool


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(interrupted=arguments.GOES_ON.format(" with --resume"))
    arguments.data(parser, "or the word shapes")
    started = "a finished run of all three, with the CNN as it comes; they are not changed"
    parser.add_argument("--from", type=Path, dest="start", required=True, metavar="DIR", help=started)
    arguments.seed_and_settings(parser, "the adaptation's settings, as epochs=4")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to (default: checkpoints/encoder)")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted adaptation")


def run(options: Request) -> int:
    from captioner.vision.encoder import SHIPPED_ADAPTED

    refuse_several("Adapting the encoder")
    out, config = options.out or SHIPPED_ADAPTED, with_settings(AdaptationConfig(), dict(options.settings))
    waiting = out.parent / ".resume" / out.name
    if exists(out) and not exists(waiting):
        raise TrainingError(f"{out} already holds an adapted encoder; adapt into another --out.")
    if exists(waiting) and not options.resume:
        raise TrainingError(f"An adaptation into {out} was begun; go on with --resume, or adapt into another --out.")
    state, how = _adapt(options, config, waiting)
    _save(out, state, how)
    remove_folder(waiting)
    if options.json:
        print_json({"out": str(out)} | state.history("encoder", options.seed, "finished"))
    else:
        print(f"The adapted encoder is in {out}; presets that name it use it for decoders in or beside {out.parent}.")
    return 0


def _adapt(options: Request, config: AdaptationConfig, waiting: Path) -> tuple[TrainingState, dict[str, Any]]:
    from captioner.runtime import start_tensorflow

    start_tensorflow(repeatable=True)
    from captioner.model.checkpoints import load_all, stage_folder
    from captioner.scoring.comparison import fingerprint
    from captioner.training.batches import Examples
    from captioner.training.encoder_finetuning import adapt

    folder = stage_folder(options.start, FIRST)
    checkpoints = load_all(folder)
    _check_decoders(folder, checkpoints)
    data = choices.dataset(options.data)
    vocabulary = next(iter(checkpoints.values())).vocabulary
    train, dev = (Examples.of(_readable(data, split), vocabulary, None) for split in ("train", "dev"))
    how = {"data": data.name, "photographs": [len(part.records) for part in (train, dev)], "seed": options.seed}
    how |= {"settings": asdict(config), "decoders": {name: fingerprint(folder / name) for name in checkpoints}}
    decoders = {name: _decoder(checkpoint, config) for name, checkpoint in checkpoints.items()}

    def keep(state: TrainingState) -> None:
        _keep(waiting, state, how)

    begun = _begun(waiting, how) if options.resume and exists(waiting) else None
    return adapt(decoders, train, dev, config, options.seed, state=begun, after_epoch=keep), how


def _check_decoders(folder: Path, checkpoints: Mapping[str, "Checkpoint"]) -> None:
    from captioner.vision.encoder import LITE2

    first = next(iter(checkpoints.values()))
    if set(checkpoints) != set(VARIANTS):
        raise TrainingError(f"The encoder is adapted with all of {', '.join(VARIANTS)}, but {folder} lacks some; train them.")
    if first.encoder.name != LITE2:
        raise TrainingError(
            f"The decoders in {folder} were trained with the encoder {first.encoder.name}, but it is {LITE2}, as it comes, that "
            "is adapted; name a run on that one, such as one of the preset triptych-frozen."
        )


def _readable(data: "Dataset", split: str) -> list["Record"]:
    """The photographs of a split, without those that cannot be read, which are told."""
    from captioner.data.images import read

    found = []
    for record in data.split(split):
        try:
            read(record.read(), record.name)
            found.append(record)
        except ImageError as error:
            note(f"Left out: {error}")
    if not found:
        raise DatasetError(f"No photograph of the split '{split}' of {data.name} can be read; check the picture files.")
    return found


def _decoder(checkpoint: "Checkpoint", config: AdaptationConfig) -> "Decoder":
    """The trained decoder, with the dropout of the adaptation."""
    own = replace(checkpoint.preset.decoder, dropout=config.dropout, feature_dropout=config.feature_dropout)
    return replace(checkpoint, preset=replace(checkpoint.preset, decoder=own)).build()


def _keep(waiting: Path, state: TrainingState, how: dict[str, Any]) -> None:
    from safetensors.numpy import save

    stored = {"how": how, "epochs": [epoch.to_json() for epoch in state.epochs]}
    files = {"variables.safetensors": save(state.variables), "best.safetensors": save(state.best)}
    save_folder(waiting, files | {STATE: json.dumps(stored).encode()})
    note(f"Epoch {len(state.epochs)}: dev loss {state.epochs[-1].dev_loss:.4f}.")


def _begun(waiting: Path, how: dict[str, Any]) -> TrainingState:
    from safetensors.numpy import load

    files = load_folder(waiting)
    try:
        stored = parse_json(files[STATE], STATE)
        if stored["how"] != how:
            raise TrainingError(f"The adaptation begun in {waiting} had other settings, decoders or data; go on with its own.")
        epochs = parse_as(stored["epochs"], list[Epoch], STATE)
        return TrainingState(epochs, load(files["variables.safetensors"]), load(files["best.safetensors"]))
    except (KeyError, TypeError) as error:
        raise TrainingError(
            f"The adaptation in {waiting} was begun by another version of the program; adapt into another --out."
        ) from error


def _save(out: Path, state: TrainingState, how: dict[str, Any]) -> None:
    import numpy as np
    from safetensors.numpy import save

    from captioner.vision.encoder import ADAPTED_WEIGHTS

    halves = {name: values.astype(np.float16) for name, values in state.best.items()}
    history = state.history("encoder", how["seed"], "finished")
    files = {ADAPTED_WEIGHTS: save(halves), HOW: (json.dumps(how, indent=1) + "\n").encode()}
    save_folder(out, files, {"history.json": (json.dumps(history, indent=1) + "\n").encode()})
