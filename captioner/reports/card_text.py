"""A model card as people read it, in Markdown: whatever is the same for all decoders of the card is said once.

Nothing but the card is looked at. What stands in it is left to `captioner.reports.model_card`.
"""

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from captioner.config import STAGES, find_variant
from captioner.config_io import preset_from_json
from captioner.data.datasets import is_joined
from captioner.figures.decoder.parameters import Parameters
from captioner.figures.decoder.settings_in_words import Settings, in_words
from captioner.figures.scores.scoreboard import SPLITS, TITLES
from captioner.figures.style import listed
from captioner.model.checkpoints import EncoderMark

_NOT_PUT_DOWN = "not put down when it was trained"
_SHOWN = 12  # digits of a commit

Told = Mapping[str, Any]  # a part of the card


def markdown(card: Told) -> str:
    """The card for people; whatever is the same for all decoders is said once."""
    decoders = card["decoders"]
    titles = listed([find_variant(name).title for name in decoders])
    parts = [
        f"# Model card: {titles}",
        f"Stage of training: {STAGES[card['stage']].title.lower()}. {STAGES[card['stage']].explanation}",
        "\n".join(_introduced(name, decoder) for name, decoder in decoders.items()),
        "`python -m captioner card` makes this text from the files beside it; `card.json` holds the same, and every setting.",
        *_section("Scores", _score_table(decoders)),
        *_section("Data", _table(_data_rows(decoders))),
        *_section("Settings", _table(_setting_rows(card))),
        *_section("Training and seeds", _table(_training_rows(decoders, card["encoder"]))),
        *_section("Code", _table(_code_rows(decoders))),
        *_section("Limits", "\n".join(f"- {_plain(limit)}" for limit in card["limits"])),
        *_section("Licence of the encoder's weights", _licence(card["encoder"])),
    ]
    return "\n\n".join(parts) + "\n"


def _section(title: str, text: str) -> tuple[str, str]:
    return f"## {title}", text


def _introduced(name: str, decoder: Told) -> str:
    variant, count = find_variant(name), decoder["parameters"]
    numbers = f"{count['trainable']:,} trainable parameters and {count['frozen']:,} frozen ones"
    return f"- **{variant.title}**: {variant.explanation}; {numbers}; manifest `{decoder['manifest_sha256']}`"


def _table(rows: Sequence[tuple[str, str]]) -> str:
    return "\n".join(["| what | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _joined(decoders: Mapping[str, Told], tell: Callable[[Told], str]) -> str:
    """What is told of the decoders: once where they agree, else each with its name."""
    told = {find_variant(name).title: tell(decoder) for name, decoder in decoders.items()}
    if len(set(told.values())) == 1:
        return next(iter(told.values()))
    return "; ".join(f"{name}: {text}" for name, text in told.items())


def _plain(text: str) -> str:
    """A text out of a file, such that it can be nothing else on a line or in a cell of a table."""
    return html.escape(" ".join(text.split()), quote=False).translate({ord(sign): f"&#{ord(sign)};" for sign in "|`[]"})


def _score_table(decoders: Mapping[str, Told]) -> str:
    scores = {name: decoder["scores"] for name, decoder in decoders.items()}
    rows = [(split, name, scores[name][split]) for split in SPLITS for name in scores if split in scores[name]]
    if not rows:
        return "They have not been scored yet; `python -m captioner evaluate` does that."
    names = [name for name in TITLES if any(name in score["metrics"] for _, _, score in rows)]
    head = ["photographs", "decoder", "beam, length preference", *(TITLES[name] for name in names)]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(_score_row(*row, names) for row in rows)]
    return "\n".join(lines) + (
        "\n\nIn brackets 95% intervals from drawing the photographs again; what another seed would have changed is not in them. "
        f"{_chosen(decoders)}"
    )


def _chosen(decoders: Mapping[str, Told]) -> str:
    if any(decoder["data"] and is_joined(decoder["data"]["name"]) for decoder in decoders.values()):
        return "Dev was trained on, too, so the search is the recipe's own and test alone is reported."
    return "Settings are chosen on dev; test is only reported."


def _score_row(split: str, variant: str, score: Told, names: Sequence[str]) -> str:
    setting = f"{score['beam']}, {score['length_preference']:g}"
    cells = [f"{score['images']:,} of {_plain(score['data'])}, {split}", find_variant(variant).title, setting]
    return f"| {' | '.join([*cells, *(_score(score, name) for name in names)])} |"


def _score(score: Told, name: str) -> str:
    if name not in score["metrics"]:
        return ""
    ends = score["intervals"].get(name)
    return f"{score['metrics'][name]:.3f}" + (f" ({ends[0]:.3f} to {ends[1]:.3f})" if ends else "")


def _data_rows(decoders: Mapping[str, Told]) -> list[tuple[str, str]]:
    def told(tell: Callable[[Told], str]) -> str:
        return _joined(decoders, lambda decoder: tell(decoder["data"]) if decoder["data"] else _NOT_PUT_DOWN)

    rows = [("Data set", told(lambda data: _plain(data["name"])))]
    if any(decoder["data"] for decoder in decoders.values()):
        rows += [
            ("Photographs", told(lambda data: _counts(data["photographs"]))),
            ("Captions", told(lambda data: _counts(data["captions"]))),
            ("Photographs that could not be read", told(lambda data: f"{data['left_out']:,}")),
            ("sha256 of names and captions", told(lambda data: f"`{_plain(data['captions_sha256'])}`")),
            ("sha256 of names and pictures", told(lambda data: f"`{_plain(data['pictures_sha256'])}`")),
            ("Files that the word vectors are made of", told(lambda data: "; ".join(map(_file, data["files"])) or "none")),
        ]
    return [*rows, ("Mark of settings, data, further text and encoder together", _joined(decoders, _made_with))]


def _counts(by_split: Mapping[str, int]) -> str:
    return ", ".join(f"{_plain(split)} {count:,}" for split, count in by_split.items())


def _file(file: Told) -> str:
    return f"{_plain(file['role'])} {_plain(file['name'])}, {file['bytes']:,} bytes, sha256 `{_plain(file['sha256'])}`"


def _made_with(origin: Told) -> str:
    return f"`{_plain(origin['made_with'])}`" if origin["made_with"] else _NOT_PUT_DOWN


def _setting_rows(card: Told) -> list[tuple[str, str]]:
    return [(name, _plain(value)) for name, value in in_words([_settings(card, name) for name in card["decoders"]])]


def _settings(card: Told, name: str) -> Settings:
    decoder = card["decoders"][name]
    mark = EncoderMark(**{key: card["encoder"][key] for key in EncoderMark.__dataclass_fields__})
    preset, parameters = preset_from_json(decoder["preset"]), Parameters(**decoder["parameters"])
    return Settings(find_variant(name), decoder["seed"], preset, mark, decoder["words"], parameters, card["stage"])


def _training_rows(decoders: Mapping[str, Told], encoder: Told) -> list[tuple[str, str]]:
    def told(tell: Callable[[Told], str]) -> str:
        return _joined(decoders, lambda decoder: tell(decoder["training"]))

    rows = [
        ("Seed", _joined(decoders, lambda decoder: str(decoder["seed"]))),
        ("Word vectors", _joined(decoders, lambda decoder: _plain(decoder["vectors"]))),
        ("Started from", _joined(decoders, lambda decoder: _start(decoder["started_from"], decoder["training"]["earlier"]))),
        ("Epochs", told(_epochs)),
        ("Best epoch", told(_best)),
        ("Minutes, cores", told(lambda training: f"{training['seconds'] / 60:.1f}, {training['cores'] or _NOT_PUT_DOWN}")),
    ]
    adapted = encoder["adapted"]
    how = f", trained on with {_plain(adapted['data'])} and seed {adapted['seed']}" if adapted else ""
    return [*rows, ("Encoder", f"{_plain(encoder['name'])} of fingerprint `{_plain(encoder['fingerprint'])}`{how}")]


def _start(start: Told | None, earlier: int) -> str:
    if start is None:
        return f"another run; which one was {_NOT_PUT_DOWN}" if earlier else "nothing"
    further = f", which started from {_start(start['started_from'], 0)}" if start["started_from"] else ""
    return f"a run with seed {start['seed']}, mark {_made_with(start)}{further}"


def _epochs(training: Told) -> str:
    earlier = f", {training['earlier']} of them of the run that it started from" if training["earlier"] else ""
    return f"{training['epochs']}{earlier}"


def _best(training: Told) -> str:
    cider = "" if training["dev_cider"] is None else f", greedy dev CIDEr {training['dev_cider']:.3f}"
    return f"{training['best_epoch']}, dev loss {training['dev_loss']:.3f}{cider}"


def _code_rows(decoders: Mapping[str, Told]) -> list[tuple[str, str]]:
    rows = [("Trained with", _joined(decoders, lambda decoder: _code(decoder["code"])))]
    if any(decoder["started_from"] for decoder in decoders.values()):
        rows.append(("The run that it started from", _joined(decoders, _code_of_start)))
    return rows


def _code_of_start(decoder: Told) -> str:
    return _code(decoder["started_from"]["code"]) if decoder["started_from"] else _NOT_PUT_DOWN


def _code(parts: Sequence[Told | None]) -> str:
    """The code of every part of a training, in turn."""
    return ", gone on with ".join(_revision(part) if part else _NOT_PUT_DOWN for part in parts)


def _revision(part: Told) -> str:
    source = f"source files of sha256 `{_plain(part['source'])}`"
    if "commit" not in part:
        return f"no commit known; {source}"
    return f"commit `{_plain(part['commit'])[:_SHOWN]}`{' with changes since' * part.get('changed', False)}; {source}"


def _licence(encoder: Told) -> str:
    licence, name = encoder["licence"], _plain(encoder["name"])
    if licence["name"] is None:
        return f"{name}: we know of none. {licence['source']}."
    return f"{name}: {licence['name']}, by {licence['source']}."
