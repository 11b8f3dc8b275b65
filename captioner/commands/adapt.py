"""`adapt`: fine-tune the CNN end to end with the three decoders of a finished run; afterwards it stays frozen."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.commands import arguments, choices
from captioner.commands.report import note, print_json, print_table
from captioner.config import ADAPTED, FIRST, LITE2, VARIANTS, AdaptationConfig
from captioner.config_io import to_json, with_settings
from captioner.errors import ConfigError, DatasetError, ImageError, TrainingError
from captioner.storage import exists, load_folder, parse_as, parse_json, remove_folder, save_folder
from captioner.training.history import FINISHED, Epoch, TrainingState
from captioner.training.worker_group import refuse_several

if TYPE_CHECKING:
    import numpy as np

    from captioner.data.datasets import Record
    from captioner.model.checkpoints import Checkpoint
    from captioner.model.decoder import Decoder
    from captioner.vision.encoder import Encoder
    from captioner.vision.keras_networks import Network

HOW, STATE = "how.json", "state.json"
SUMMARY = "fine-tune the CNN together with trained decoders, as the start of other runs"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request):
    interrupted = arguments.RESUMABLE.format("with --resume")
    data: list[str] = arguments.datasets()
    labels: Path | None = arguments.path("folder of labelled photographs, which take part in the distillation alone")
    start: Path = arguments.path(
        "finished run of all three decoders, on the original CNN or a fine-tuned one; the run stays as it is",
        flag="--from",
        required=True,
    )
    seed: int = arguments.seed()
    settings: list[tuple[str, str]] = arguments.settings("distillation=1")
    out: Path = arguments.path("output folder", required=True)
    resume: bool = arguments.switch("continue an interrupted fine-tuning")


@dataclass(frozen=True)
class Start:
    """The decoders of a run and their encoder, with its fine-tuned weights if it is not the original."""

    folder: Path
    checkpoints: "Mapping[str, Checkpoint]"
    network: "Network"
    weights: "Mapping[str, np.ndarray]"


@dataclass
class Photographs:
    """The readable photographs to learn from, and by name those on which the result is compared with the original."""

    train: "list[Record]"
    dev: "list[Record]"
    compared: "dict[str, list[Record]]" = field(default_factory=dict)


def run(request: Request) -> int:
    refuse_several("Fine-tuning the encoder")
    out, config = request.out, with_settings(AdaptationConfig(), dict(request.settings))
    waiting = out.parent / ".resume" / out.name
    _check(request, config, waiting)
    state, how = _adapt(request, config, waiting)
    remove_folder(waiting)
    agreement = how["agreement"]
    if request.json:
        print_json({"out": str(out), "agreement": agreement} | state.history("encoder", request.seed, FINISHED))
    else:
        print(f"The fine-tuned encoder is in {out}. To use it, train with --preset triptych and an --out in {out.parent}.")
        print("Agreement with the original CNN:")
        print_table({name: {key: f"{value:g}" for key, value in found.items()} for name, found in agreement.items()})
    return 0


def _check(request: Request, config: AdaptationConfig, waiting: Path) -> None:
    out = request.out
    if request.labels and not config.distillation:
        raise ConfigError("Labelled photographs need distillation. Add --set distillation=1, or leave out --labels.")
    if exists(out) and not exists(waiting):
        raise TrainingError(f"{out} already holds a fine-tuned encoder. Use another --out.")
    if exists(waiting) and not request.resume:
        raise TrainingError(f"{out} already holds an interrupted fine-tuning. Continue with --resume, or use another --out.")


def _adapt(request: Request, config: AdaptationConfig, waiting: Path) -> tuple[TrainingState, dict[str, Any]]:
    """Fine-tune and save the encoder; return how."""
    from captioner.runtime import start_tensorflow

    start_tensorflow(repeatable=True)
    from captioner.training.batches import Examples
    from captioner.training.encoder_finetuning import adapt
    from captioner.vision.encoders import load_encoder

    start = _start(request.start)
    how: dict[str, Any] = {"seed": request.seed, "settings": to_json(config)} | _origin(start)
    photographs = _photographs(request, how)
    original = load_encoder(LITE2)
    vocabulary = next(iter(start.checkpoints.values())).vocabulary
    train, dev = (Examples.of(records, vocabulary, None) for records in (photographs.train, photographs.dev))
    decoders = {name: _decoder(checkpoint, config) for name, checkpoint in start.checkpoints.items()}
    begun = _begun(waiting, how) if request.resume and exists(waiting) else None

    def keep(state: TrainingState) -> None:
        _keep(waiting, state, how)

    state = adapt(start.network, original, decoders, train, dev, config, request.seed, state=begun, after_epoch=keep)
    return state, _save(request.out, state, how, start, original, photographs.compared)


def _start(run: Path) -> Start:
    from captioner.model.checkpoints import load_all
    from captioner.model.stage_folders import stage_folder
    from captioner.vision.encoders import find_folder
    from captioner.vision.keras_networks import build, read_adapted

    folder = stage_folder(run, FIRST)
    checkpoints = load_all(folder)
    if set(checkpoints) != set(VARIANTS):
        raise TrainingError(f"Fine-tuning needs the decoders {', '.join(VARIANTS)}, but {folder} lacks some. Train them first.")
    if any(checkpoint.preset.decoder.word_slots for checkpoint in checkpoints.values()):
        raise TrainingError(f"Fine-tuning takes decoders without word slots, but those in {folder} have some; set word_slots=0.")
    mark = next(iter(checkpoints.values())).encoder
    if mark.name not in (LITE2, ADAPTED):
        raise TrainingError(
            f"Only {LITE2} can be fine-tuned, but the decoders in {folder} were trained with {mark.name}. Give a run on "
            f"{LITE2}, for example of the preset triptych-frozen."
        )
    place = find_folder(ADAPTED, folder) if mark.name == ADAPTED else None
    network = build(mark.name, adapted=place)
    if network.fingerprint != mark.fingerprint:
        raise TrainingError(
            f"The decoders in {folder} were trained with another {mark.name} ({mark.fingerprint}, found {network.fingerprint}). "
            "Put their encoder folder beside them."
        )
    return Start(folder, checkpoints, network, read_adapted(place) if place else {})


def _origin(start: Start) -> dict[str, Any]:
    """The decoders and the encoder from which a fine-tuning starts, as plain data."""
    from captioner.scoring.comparison import fingerprint

    encoder = {"name": start.network.name, "fingerprint": start.network.fingerprint}
    return {"encoder": encoder, "decoders": {name: fingerprint(start.folder / name) for name in start.checkpoints}}


def _photographs(request: Request, how: dict[str, Any]) -> Photographs:
    """The photographs of the data sets and of the labelled set; `how` gets their names and numbers."""
    data = choices.dataset(request.data)
    found = Photographs(*(_readable(data.split(split), f"the split '{split}' of {data.name}") for split in ("train", "dev")))
    how |= {"data": data.name, "photographs": [len(found.train), len(found.dev)]}
    for record in found.dev:
        found.compared.setdefault(f"{record.origin} dev", []).append(record)
    if request.labels:
        _add_labelled(request.labels, found, how)
    return found


def _add_labelled(folder: Path, found: Photographs, how: dict[str, Any]) -> None:
    from captioner.data.labels import load_labels, mark

    labelled = load_labels(folder)
    if labelled.missing:
        note(f"{labelled.name}: labels without a photograph: {len(labelled.missing)}")
    train = _readable(labelled.train, f"the labelled photographs of {labelled.name}")
    found.train += train
    how["labels"] = {"name": labelled.name, "photographs": len(train), "mark": mark([*labelled.train, *labelled.held_out])}
    if labelled.held_out:
        found.compared["labelled, held out"] = _readable(labelled.held_out, f"those held out of {labelled.name}")


def _readable(records: "Sequence[Record]", what: str) -> "list[Record]":
    """The readable photographs; prints a note about each unreadable one."""
    from captioner.data.images import read

    found = []
    for record in records:
        try:
            read(record.read(), record.name)
            found.append(record)
        except ImageError as error:
            note(f"Left out: {error}")
    if not found:
        raise DatasetError(f"Of {what}, no photograph can be read. Check the image files.")
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


def _save(
    out: Path,
    state: TrainingState,
    how: dict[str, Any],
    start: Start,
    original: "Encoder",
    compared: "Mapping[str, Sequence[Record]]",
) -> dict[str, Any]:
    """Export the encoder, compare it with the original and save it; return how it was made."""
    import numpy as np
    from safetensors.numpy import save

    from captioner.vision.class_agreement import class_agreement
    from captioner.vision.encoder_export import export
    from captioner.vision.encoders import samples
    from captioner.vision.keras_networks import ADAPTED_WEIGHTS, fine_tuned

    weights = {**start.weights, **{name: values.astype(np.float16) for name, values in state.best.items()}}
    network = fine_tuned(weights)
    encoder = export(network, samples(network.size))
    how = how | {"agreement": {name: class_agreement(encoder, original, records) for name, records in compared.items()}}
    history = state.history("encoder", how["seed"], FINISHED)
    files = {ADAPTED_WEIGHTS: save(weights), HOW: (json.dumps(how, indent=1) + "\n").encode()} | encoder.files()
    save_folder(out, files, {"history.json": (json.dumps(history, indent=1) + "\n").encode()})
    return how
