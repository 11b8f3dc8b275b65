"""`train`: decoders out of a data set, one after the other, each of which can be interrupted and gone on with."""

import json
from argparse import ArgumentParser
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from captioner.commands import arguments, card, choices
from captioner.commands.report import note, print_json, print_table
from captioner.config import CONTROLS, FIRST, REWARD, SPLITTINGS, STAGES, VARIANTS, Preset
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


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request):
    data: str
    variant: list[str]
    preset: str | None
    splits: str
    encoder: str | None
    encoder_weights: Path | None
    seed: int
    settings: list[tuple[str, str]]
    epochs: int | None
    corpus: list[Path]
    word2vec: Path | None
    fasttext: Path | None
    out: Path | None
    stage: str
    start: Path | None
    resume: bool
    tensorboard: Path | None
    cache: Path | None


def add_arguments(parser: ArgumentParser) -> None:
    parser.set_defaults(interrupted=arguments.GOES_ON.format(" with --resume"))
    arguments.data(parser, "or the word shapes: generated pictures that need no files")
    arguments.variants(parser, f"; besides, to hold them against: {', '.join(CONTROLS)}")
    parser.add_argument("--preset", metavar="NAME", help=f"{', '.join(PRESETS)} (default: triptych; for --data shapes, shapes)")
    ways = f"{', '.join(SPLITTINGS)}: the data set's own splits, or train and dev joined (default: {SPLITTINGS[0]})"
    parser.add_argument("--splits", choices=SPLITTINGS, default=SPLITTINGS[0], help=ways)
    looking = "the CNN, any of keras.applications by its name, as ResNet152 (default: the preset's)"
    parser.add_argument("--encoder", metavar="NAME", help=looking)
    arguments.encoder_weights(parser)
    arguments.seed_and_settings(parser, "the preset's settings, as dropout=0.4")
    most = "at most so many epochs (default: the preset's)"
    parser.add_argument("--epochs", type=arguments.number(int, 1), metavar="N", help=most)
    frozen = parser.add_argument_group("the frozen word vectors")
    more_text = "more text to train them on, plain or .gz, a sentence a line; may be given several times"
    frozen.add_argument("--corpus", type=Path, action="append", default=[], metavar="FILE", help=more_text)
    frozen.add_argument("--word2vec", type=Path, metavar="FILE", help="finished vectors instead: word2vec format, text or binary")
    frozen.add_argument("--fasttext", type=Path, metavar="FILE", help="finished vectors instead: fastText's .bin or .vec")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to (default: checkpoints/runs/PRESET-DATA-seedN)")
    stage = "first: each next word of people's captions; reward: whole captions, rewarded by CIDEr, with --from (default: first)"
    parser.add_argument("--stage", choices=tuple(STAGES), default=FIRST, help=stage)
    started = "start from the trained decoders of a finished run"
    parser.add_argument("--from", type=Path, dest="start", metavar="DIR", help=started)
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run; what is finished stays")
    logs = "write the figures of every epoch for TensorBoard, into DIR/VARIANT-SEED-STAGE; takes the package tensorboard"
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help=logs)
    arguments.cache(parser)


def run(options: Request) -> int:
    if options.tensorboard:
        require_tensorboard()
    names = choices.variants(options.variant) or tuple(VARIANTS)
    if options.stage == REWARD:
        refuse_several("The second stage")
    find_place()  # What is wrong with it is told at once.
    preset = _preset(options, names)
    choices.check_files([*options.corpus, options.word2vec, options.fasttext])
    data = choices.dataset(options.data, options.splits)
    note(f"{data.name}: {len(data.split('train')):,} photographs to train on, {len(data.split('dev')):,} on dev.")
    out = options.out or _default_folder(preset, data.name, options)
    workers = _join()
    left = workers.share(lambda: _left_to_train(out, names, options.resume), lambda left: json.dumps(left).encode(), json.loads)
    logs = workers.share(lambda: _logs(left, options, out), lambda logs: b"", lambda said: {})
    if left:
        inputs = _prepare(options, data, preset, out, workers)
        for name in left:
            _train(inputs, name, options, out, logs.get(name))
            if workers.first:
                card.keep(out)
    if workers.first:
        _report(out, names, options)
    return 0


def _join() -> SingleWorker:
    """The other workers, where `TF_CONFIG` names some, if they run the same program."""
    from captioner.training import provenance

    if not (place := find_place()):
        return SingleWorker()
    note(f"Worker {place.number}: waiting until all {len(place.addresses)} workers are there.")
    workers = join()
    workers.agree(provenance.program(), "code or libraries")
    return workers


def _preset(options: Request, names: tuple[str, ...]) -> Preset:
    """The preset asked for; generated shapes have one of their own, and the second stage has that of the first."""
    if options.stage == REWARD:
        preset = _preset_of_start(options, names)
    else:
        preset = find_preset(options.preset or (options.data if options.data in PRESETS else DEFAULT_PRESET))
    if options.encoder:
        from captioner.vision.encoder import find_encoder

        preset = replace(preset, encoder=find_encoder(options.encoder))
    fewer = {"epochs": str(ON_SHAPES[preset.name])} if options.data == SHAPES and preset.name in ON_SHAPES else {}
    return changed(preset, options.stage, fewer | choices.settings(options.settings, "--epochs", "epochs", options.epochs))


def _preset_of_start(options: Request, names: tuple[str, ...]) -> Preset:
    """The decoders' own preset, with the second stage's settings of the one that was asked for, if one was."""
    from captioner.model.checkpoints import load

    if not options.start:
        raise TrainingError("The stage reward goes on with trained decoders; name the folder of their run with --from.")
    preset = load(_start(options) / names[0]).preset
    return replace(preset, reward=find_preset(options.preset).reward) if options.preset else preset


def _default_folder(preset: Preset, data: str, options: Request) -> Path:
    from captioner.config import SHIPPED

    stage = "" if options.stage == FIRST else f"-{options.stage}"
    looking = f"-{preset.encoder}" if options.encoder else ""
    return SHIPPED / "runs" / f"{preset.name}-{data}{looking}-seed{options.seed}{stage}"


def _left_to_train(out: Path, names: tuple[str, ...], resume: bool) -> list[str]:
    """The variants that are not finished; without `resume` none of them may have been begun."""
    from captioner.storage import exists

    begun = [name for name in names if exists(out / ".resume" / name)]
    finished = [name for name in names if exists(out / name) and name not in begun]
    if (begun or finished) and not resume:
        raise TrainingError(f"{out} already holds {(finished + begun)[0]}; go on with --resume, or train into another --out.")
    for name in finished:
        note(f"{name} is finished already and stays as it is.")
    return [name for name in names if name not in finished]


def _prepare(options: Request, data: Any, preset: Preset, out: Path, workers: SingleWorker) -> "RunInputs":
    from captioner.runtime import start_tensorflow
    from captioner.training.run_inputs import RunInputs, Sources

    start_tensorflow(repeatable=True)
    sources = Sources(tuple(options.corpus), options.word2vec, options.fasttext)
    encoder = choices.encoder(preset.encoder, options.encoder_weights, out)
    workers.agree(json.dumps([encoder.fingerprint, to_json(preset), options.seed]), "encoder or settings")
    inputs = RunInputs(data, encoder, choices.cache(options.cache), preset, sources, options.stage, workers)
    for reason in inputs.failed.values():
        note(f"Left out: {reason}")
    return inputs


def _logs(left: list[str], options: Request, out: Path) -> dict[str, EventLog]:
    """The logs that were asked for, by variant; those of runs that begin now must not exist yet."""
    if not options.tensorboard:
        return {}
    logs = {name: EventLog(options.tensorboard / f"{name}-{options.seed}-{options.stage}") for name in left}
    for name, log in logs.items():
        log.prepare(resumes=(out / ".resume" / name).exists())
    return logs


def _train(inputs: "RunInputs", name: str, options: Request, out: Path, log: EventLog | None) -> None:
    from captioner.training.run import Run, Start

    start = Start.load(_start(options), name, inputs) if options.start else None
    run = Run(inputs, name, options.seed, out, start, log)
    try:
        run.execute(options.resume)
    except KeyboardInterrupt:
        run.stopped()
        raise


def _start(options: Request) -> Path:
    """The folder of the decoders to start from; where stages lie in it, those of the first."""
    from captioner.model.checkpoints import stage_folder

    return stage_folder(options.start, FIRST)


def _report(out: Path, names: tuple[str, ...], options: Request) -> None:
    from captioner.model.checkpoints import HISTORY
    from captioner.storage import read_json
    from captioner.training.provenance import trained_on_dev

    results = {name: _result(read_json(out / name / HISTORY)) for name in names}
    if options.json:
        print_json({"out": str(out), "variants": results})
        return
    print_table({name: {key: f"{value:.5g}" for key, value in result.items()} for name, result in results.items()})
    print(f"The decoders are in {out}. How well they caption:")
    split = "test" if trained_on_dev(out, names) else "dev"
    print(f"  python -m captioner evaluate --data {options.data} --split {split} --checkpoints {out}")


def _result(history: dict[str, Any]) -> dict[str, float]:
    epochs, best = history["epochs"], history["best_epoch"]
    seconds = sum(epoch["seconds"] for epoch in epochs)
    return {"best_epoch": best, "dev_loss": epochs[best - 1]["dev_loss"], "epochs": len(epochs), "seconds": seconds}
