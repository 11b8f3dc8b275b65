"""`train`: train decoders on a data set, one by one; each can be interrupted and resumed."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.commands import arguments, card, choices
from captioner.commands.report import note, print_json, print_table
from captioner.config import ADAPTED, CONTROLS, FIRST, LITE2, REWARD, SPLITTINGS, STAGES, VARIANTS, Preset
from captioner.config_io import changed, to_json
from captioner.data.dataset_formats import SHAPES
from captioner.errors import TrainingError
from captioner.presets import ON_SHAPES, PRESETS, find_preset
from captioner.training.tensorboard import EventLog, require_tensorboard
from captioner.training.worker_group import SingleWorker, find_place, join, refuse_several

if TYPE_CHECKING:
    from captioner.training.run_inputs import RunInputs

DEFAULT_PRESET = "triptych"
SUMMARY = "train decoders on a data set"
_EMBEDDINGS = "frozen embeddings"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request):
    interrupted = arguments.RESUMABLE.format("with --resume")
    data: list[str] = arguments.datasets()
    variant: list[str] = arguments.variants(f"; controls: {', '.join(CONTROLS)}")
    preset: str | None = arguments.option(f"{', '.join(PRESETS)} (default: triptych; for --data shapes, shapes)", "NAME")
    splits: str = arguments.option(
        f"the data set's own splits, or train and dev joined (default: {SPLITTINGS[0]})",
        choices=SPLITTINGS,
        default=SPLITTINGS[0],
    )
    photographs: int | None = arguments.option(
        "train on the first N photographs (default: all)", "N", type=arguments.number(int, 1)
    )
    encoder: str | None = arguments.option(
        "the CNN, such as ResNet152: any of keras.applications (default: the preset's)", "NAME"
    )
    encoder_weights: Path | None = arguments.encoder_weights()
    seed: int = arguments.seed()
    settings: list[tuple[str, str]] = arguments.settings("dropout=0.4")
    epochs: int | None = arguments.option("maximum epochs (default: the preset's)", "N", type=arguments.number(int, 1))
    out: Path | None = arguments.path("output folder (default: checkpoints/runs/PRESET-DATA-seedN)")
    stage: str = arguments.option(
        "first: predict each next word of people's captions; reward: optimise CIDEr, with --from (default: first)",
        choices=tuple(STAGES),
        default=FIRST,
    )
    start: Path | None = arguments.path("start from the trained decoders of a run", flag="--from")
    resume: bool = arguments.switch("continue an interrupted run; finished decoders stay")
    tensorboard: Path | None = arguments.path(
        "log every epoch for TensorBoard in DIR/VARIANT-SEED-STAGE; needs the package tensorboard"
    )
    cache: Path | None = arguments.cache()
    corpus: list[Path] = arguments.repeatable(
        "extra training text, plain or .gz, one sentence per line; repeatable", "FILE", type=Path, group=_EMBEDDINGS
    )
    word2vec: Path | None = arguments.path("trained vectors instead, word2vec text or binary", "FILE", group=_EMBEDDINGS)
    fasttext: Path | None = arguments.path("trained vectors instead, fastText's .bin or .vec", "FILE", group=_EMBEDDINGS)


def run(request: Request) -> int:
    if request.tensorboard:
        require_tensorboard()
    names = choices.variants(request.variant) or tuple(VARIANTS)
    if request.stage == REWARD:
        refuse_several("The reward stage")
    find_place()  # An invalid TF_CONFIG fails now.
    preset = _preset(request, names)
    choices.check_files([*request.corpus, request.word2vec, request.fasttext])
    data = choices.dataset(request.data, request.splits)
    if request.photographs:
        data = data.shortened(request.photographs)
    note(f"{data.name}: {len(data.split('train')):,} training photographs, {len(data.split('dev')):,} dev photographs.")
    if request.stage == FIRST and preset.training.sentences and not request.corpus:
        note("Without --corpus there are no sentences to teach the use of word slots.")
    out = request.out or _default_folder(preset, data.name, request)
    workers = _join()
    left = workers.share(lambda: _left_to_train(out, names, request.resume), lambda left: json.dumps(left).encode(), json.loads)
    logs = workers.share(lambda: _logs(left, request, out), lambda logs: b"", lambda said: {})
    if left:
        inputs = _prepare(request, data, preset, out, workers)
        for name in left:
            _train(inputs, name, request, out, logs.get(name))
            if workers.first:
                card.keep(out)
    if workers.first:
        _report(out, names, request)
    return 0


def _join() -> SingleWorker:
    """Join the workers that `TF_CONFIG` names, if any; all must run the same program."""
    from captioner.training import provenance

    if not (place := find_place()):
        return SingleWorker()
    note(f"Worker {place.number}: waiting for all {len(place.addresses)} workers.")
    workers = join()
    workers.agree(provenance.program(), "code or libraries")
    return workers


def _preset(request: Request, names: tuple[str, ...]) -> Preset:
    """The requested preset; generated shapes have their own, and the reward stage uses that of the first stage."""
    if request.stage == REWARD:
        preset = _preset_of_start(request, names)
    else:
        preset = find_preset(request.preset or (SHAPES if request.data == [SHAPES] else DEFAULT_PRESET))
    if request.encoder:
        from captioner.vision.keras_networks import find_encoder

        preset = replace(preset, encoder=find_encoder(request.encoder))
    fewer = {"epochs": str(ON_SHAPES[preset.name])} if request.data == [SHAPES] and preset.name in ON_SHAPES else {}
    if request.stage == FIRST and preset.encoder not in (LITE2, ADAPTED):
        fewer |= {"word_slots": "0", "sentences": "0"}  # The encoder has no classifier whose nouns could fill them.
    return changed(preset, request.stage, fewer | choices.settings(request.settings, "--epochs", "epochs", request.epochs))


def _preset_of_start(request: Request, names: tuple[str, ...]) -> Preset:
    """The decoders' own preset, with the reward stage's settings of the requested preset, if any."""
    from captioner.model.checkpoints import load

    if not request.start:
        raise TrainingError("The reward stage starts from trained decoders. Add --from with the folder of their run.")
    preset = load(_start(request) / names[0]).preset
    return replace(preset, reward=find_preset(request.preset).reward) if request.preset else preset


def _default_folder(preset: Preset, data: str, request: Request) -> Path:
    from captioner.config import SHIPPED

    stage = "" if request.stage == FIRST else f"-{request.stage}"
    encoder = f"-{preset.encoder}" if request.encoder else ""
    return SHIPPED / "runs" / f"{preset.name}-{data}{encoder}-seed{request.seed}{stage}"


def _left_to_train(out: Path, names: tuple[str, ...], resume: bool) -> list[str]:
    """The unfinished variants; without `resume`, a started one is an error."""
    from captioner.storage import exists

    begun = [name for name in names if exists(out / ".resume" / name)]
    finished = [name for name in names if exists(out / name) and name not in begun]
    if (begun or finished) and not resume:
        raise TrainingError(f"{out} already holds {(finished + begun)[0]}. Continue with --resume, or use another --out.")
    for name in finished:
        note(f"{name} is finished already.")
    return [name for name in names if name not in finished]


def _prepare(request: Request, data: Any, preset: Preset, out: Path, workers: SingleWorker) -> "RunInputs":
    from captioner.runtime import start_tensorflow
    from captioner.training.run_inputs import RunInputs, Sources

    start_tensorflow(repeatable=True)
    from captioner.vision.encoders import keep_beside, load_encoder

    sources = Sources(tuple(request.corpus), request.word2vec, request.fasttext)
    encoder = load_encoder(preset.encoder, weights=request.encoder_weights, near=out)
    workers.agree(json.dumps([encoder.fingerprint, to_json(preset), request.seed]), "encoder or settings")
    inputs = RunInputs(data, encoder, choices.cache(request.cache), preset, sources, request.stage, workers)
    for reason in inputs.failed.values():
        note(f"Left out: {reason}")
    if workers.first:
        keep_beside(encoder, out)
    return inputs


def _logs(left: list[str], request: Request, out: Path) -> dict[str, EventLog]:
    """The requested logs by variant; the log of a new run must not exist yet."""
    if not request.tensorboard:
        return {}
    logs = {name: EventLog(request.tensorboard / f"{name}-{request.seed}-{request.stage}") for name in left}
    for name, log in logs.items():
        log.prepare(resumes=(out / ".resume" / name).exists())
    return logs


def _train(inputs: "RunInputs", name: str, request: Request, out: Path, log: EventLog | None) -> None:
    from captioner.training.run import Run, Start

    start = Start.load(_start(request), name, inputs) if request.start else None
    Run(inputs, name, request.seed, out, start, log).execute(request.resume)


def _start(request: Request) -> Path:
    """The folder of the decoders to start from: of the first stage, if it holds several."""
    from captioner.model.stage_folders import stage_folder

    return stage_folder(request.start, FIRST)


def _report(out: Path, names: tuple[str, ...], request: Request) -> None:
    from captioner.model.checkpoints import HISTORY
    from captioner.storage import read_json
    from captioner.training.provenance import trained_on_dev

    results = {name: _result(read_json(out / name / HISTORY)) for name in names}
    if request.json:
        print_json({"out": str(out), "variants": results})
        return
    print_table({name: {key: f"{value:.5g}" for key, value in result.items()} for name, result in results.items()})
    print(f"The decoders are in {out}. To score them:")
    split, data = "test" if trained_on_dev(out, names) else "dev", " ".join(f"--data {folder}" for folder in request.data)
    print(f"  python -m captioner evaluate {data} --split {split} --checkpoints {out}")


def _result(history: dict[str, Any]) -> dict[str, float]:
    epochs, best = history["epochs"], history["best_epoch"]
    seconds = sum(epoch["seconds"] for epoch in epochs)
    return {"best_epoch": best, "dev_loss": epochs[best - 1]["dev_loss"], "epochs": len(epochs), "seconds": seconds}
