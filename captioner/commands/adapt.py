"""`adapt`: fine-tune the CNN end to end with the three decoders of a finished run; afterwards it stays frozen."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.commands import arguments, choices
from captioner.commands.report import note, print_json
from captioner.config import FIRST, VARIANTS, AdaptationConfig
from captioner.config_io import to_json, with_settings
from captioner.errors import DatasetError, ImageError, TrainingError
from captioner.storage import exists, load_folder, parse_as, parse_json, remove_folder, save_folder
from captioner.training.history import FINISHED, Epoch, TrainingState
from captioner.training.worker_group import refuse_several

if TYPE_CHECKING:
    from captioner.data.datasets import Dataset, Record
    from captioner.model.checkpoints import Checkpoint
    from captioner.model.decoder import Decoder

HOW, STATE = "how.json", "state.json"
SUMMARY = "fine-tune the CNN together with trained decoders, as the start of other runs"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request):
    interrupted = arguments.RESUMABLE.format("with --resume")
    data: list[str] = arguments.datasets()
    start: Path = arguments.path(
        "finished run of all three decoders on the original CNN; the run stays as it is", flag="--from", required=True
    )
    seed: int = arguments.seed()
    settings: list[tuple[str, str]] = arguments.settings("epochs=4")
    out: Path = arguments.path("output folder", required=True)
    resume: bool = arguments.switch("continue an interrupted fine-tuning")


def run(request: Request) -> int:
    refuse_several("Fine-tuning the encoder")
    out, config = request.out, with_settings(AdaptationConfig(), dict(request.settings))
    waiting = out.parent / ".resume" / out.name
    if exists(out) and not exists(waiting):
        raise TrainingError(f"{out} already holds a fine-tuned encoder. Use another --out.")
    if exists(waiting) and not request.resume:
        raise TrainingError(f"{out} already holds an interrupted fine-tuning. Continue with --resume, or use another --out.")
    state, how = _adapt(request, config, waiting)
    _save(out, state, how)
    remove_folder(waiting)
    if request.json:
        print_json({"out": str(out)} | state.history("encoder", request.seed, FINISHED))
    else:
        print(f"The fine-tuned encoder is in {out}. To use it, train with --preset triptych and an --out in {out.parent}.")
    return 0


def _adapt(request: Request, config: AdaptationConfig, waiting: Path) -> tuple[TrainingState, dict[str, Any]]:
    from captioner.runtime import start_tensorflow

    start_tensorflow(repeatable=True)
    from captioner.model.checkpoints import load_all
    from captioner.model.stage_folders import stage_folder
    from captioner.scoring.comparison import fingerprint
    from captioner.training.batches import Examples
    from captioner.training.encoder_finetuning import adapt

    folder = stage_folder(request.start, FIRST)
    checkpoints = load_all(folder)
    _check_decoders(folder, checkpoints)
    data = choices.dataset(request.data)
    vocabulary = next(iter(checkpoints.values())).vocabulary
    train, dev = (Examples.of(_readable(data, split), vocabulary, None) for split in ("train", "dev"))
    how = {"data": data.name, "photographs": [len(part.records) for part in (train, dev)], "seed": request.seed}
    how |= {"settings": to_json(config), "decoders": {name: fingerprint(folder / name) for name in checkpoints}}
    decoders = {name: _decoder(checkpoint, config) for name, checkpoint in checkpoints.items()}

    def keep(state: TrainingState) -> None:
        _keep(waiting, state, how)

    begun = _begun(waiting, how) if request.resume and exists(waiting) else None
    return adapt(decoders, train, dev, config, request.seed, state=begun, after_epoch=keep), how


def _check_decoders(folder: Path, checkpoints: Mapping[str, "Checkpoint"]) -> None:
    from captioner.config import LITE2

    first = next(iter(checkpoints.values()))
    if set(checkpoints) != set(VARIANTS):
        raise TrainingError(f"Fine-tuning needs the decoders {', '.join(VARIANTS)}, but {folder} lacks some. Train them first.")
    if first.encoder.name != LITE2:
        raise TrainingError(
            f"Fine-tuning starts from {LITE2}, but the decoders in {folder} were trained with {first.encoder.name}. Give a run "
            f"on {LITE2}, for example of the preset triptych-frozen."
        )


def _readable(data: "Dataset", split: str) -> list["Record"]:
    """The readable photographs of a split; prints a note about each unreadable one."""
    from captioner.data.images import read

    found = []
    for record in data.split(split):
        try:
            read(record.read(), record.name)
            found.append(record)
        except ImageError as error:
            note(f"Left out: {error}")
    if not found:
        raise DatasetError(f"No photograph of the split '{split}' of {data.name} can be read. Check the image files.")
    return found


def _decoder(checkpoint: "Checkpoint", config: AdaptationConfig) -> "Decoder":
    """The trained decoder, with the dropout of the fine-tuning."""
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
            raise TrainingError(f"The fine-tuning in {waiting} has other settings, decoders or data. Resume it with its own.")
        epochs = parse_as(stored["epochs"], list[Epoch], STATE)
        return TrainingState(epochs, load(files["variables.safetensors"]), load(files["best.safetensors"]))
    except (KeyError, TypeError) as error:
        raise TrainingError(
            f"The fine-tuning in {waiting} was started by another version of the program. Use another --out."
        ) from error


def _save(out: Path, state: TrainingState, how: dict[str, Any]) -> None:
    import numpy as np
    from safetensors.numpy import save

    from captioner.vision.encoder_export import export
    from captioner.vision.encoders import samples
    from captioner.vision.keras_networks import ADAPTED_WEIGHTS, fine_tuned

    halves = {name: values.astype(np.float16) for name, values in state.best.items()}
    history = state.history("encoder", how["seed"], FINISHED)
    files = {ADAPTED_WEIGHTS: save(halves), HOW: (json.dumps(how, indent=1) + "\n").encode()}
    network = fine_tuned(halves)
    files |= export(network, samples(network.size)).files()
    save_folder(out, files, {"history.json": (json.dumps(history, indent=1) + "\n").encode()})
