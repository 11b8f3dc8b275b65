"""Checks of the whole installation, each with its result and advice. Nothing is changed or written.

A check imports the modules that it needs only when it runs: a package may be missing.
"""

import importlib.metadata
import os
import platform
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.config import ADAPTED, VARIANTS
from captioner.errors import TriptychError
from captioner.runtime import cores

if TYPE_CHECKING:
    import numpy as np
    from packaging.requirements import Requirement

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements.txt"
OLDEST_PYTHON = (3, 11)
INSTALL = "pip install -r requirements.txt"
CAPTIONS = "Captions"  # the section of requirements.txt for everything but training and testing
_KNOWN = {"Cat": "cat", "Coffee": "coffee"}  # sample photographs, and the noun that the CNN must recognise in each
_NOUNS = 4  # strongest nouns of a photograph that are considered
_NEEDED_MB = 700  # A page with one visitor needs about two thirds of it.


@dataclass(frozen=True)
class Finding:
    """The result of one check; `advice` says what to do if it is not `fine`."""

    what: str
    fine: bool
    says: str
    advice: str = ""
    foreign: bool = False  # `says` is the name and message of an unexpected error, not a sentence of ours.


@dataclass(frozen=True)
class Decoders:
    """The folder of decoders to check, and the weights of their CNN if it does not ship with its own."""

    folder: Path
    weights: Path | None


Check = Callable[[Decoders], str]  # Returns a sentence, or raises.


def examine(folder: Path, weights: Path | None = None) -> Iterator[Finding]:
    """Run every check in turn, on the decoders of this folder; a failure does not stop the next check."""
    for what, check, advice in CHECKS:
        yield _run(what, check, advice, Decoders(folder, weights))


def _run(what: str, check: Check, advice: str, decoders: Decoders) -> Finding:
    try:
        return Finding(what, True, check(decoders))
    except _Failure as failure:
        return Finding(what, False, str(failure), advice)
    except TriptychError as error:
        return Finding(what, False, str(error))  # Its message contains the advice.
    except ImportError as error:
        return Finding(what, False, f"Cannot import {error.name or 'a package'} ({error}).", f"Run {INSTALL}.")
    except Exception as error:  # Whatever is wrong, the other checks still run.
        return Finding(what, False, f"{type(error).__name__}: {error}", advice, foreign=True)


class _Failure(Exception):
    """A failed check; the message is a sentence."""


def _python(_decoders: Decoders) -> str:
    version = platform.python_version()
    if tuple(map(int, platform.python_version_tuple()[:2])) < OLDEST_PYTHON:
        raise _Failure(f"This is Python {version}.")
    return f"Python {version} on {platform.system()} ({platform.machine()})."


def _packages(_decoders: Decoders) -> str:
    """Compare the installed version of every package with requirements.txt; only those for captions must be there."""
    wanted, absent, wrong = requirements(), {}, []
    for section, needed in wanted.items():
        versions = {requirement: _installed(requirement.name) for requirement in needed}
        absent[section] = [requirement.name for requirement, version in versions.items() if not version]
        wrong += [
            f"{requirement.name} is {version}, not {requirement.specifier}"
            for requirement, version in versions.items()
            if version and not requirement.specifier.contains(version, prereleases=True)
        ]
    if wrong := [f"{name} is missing" for name in absent.pop(CAPTIONS)] + wrong:
        raise _Failure(f"{'; '.join(wrong)}.")
    main = ", ".join(f"{name} {_installed(name)}" for name in ("streamlit", "numpy", "ai-edge-litert"))
    count = sum(map(len, wanted.values())) - sum(map(len, absent.values()))
    more = "".join(f" {section} also needs {', '.join(names)}." for section, names in absent.items() if names)
    return f"{count} packages match requirements.txt ({main}).{' Captions need no more.' * bool(more)}{more}"


def requirements() -> dict[str, list["Requirement"]]:
    """What each section of requirements.txt requires on this Python and system; a heading is `# Name: ...`."""
    from packaging.requirements import Requirement

    _, *parts = re.split(r"^# (\w+):.*\n", REQUIREMENTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    sections = {}
    for name, part in zip(parts[::2], parts[1::2], strict=True):
        lines = (line.partition("#")[0].strip() for line in part.splitlines())
        found = [Requirement(line) for line in lines if line]
        sections[name] = [one for one in found if one.marker is None or one.marker.evaluate()]
    return sections


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _machine(_decoders: Decoders) -> str:
    return f"{cores()} of {os.cpu_count()} cores are available."


def _memory(_decoders: Decoders) -> str:
    free = free_memory()
    if free is None:
        return "This system does not report its free memory."
    if free < _NEEDED_MB:
        raise _Failure(f"Only {free:,} MB of memory are free; the page needs about {_NEEDED_MB:,} MB.")
    return f"{free:,} MB of memory are free."


def free_memory() -> int | None:
    """The MB of memory still available, on the system or within the container's limit."""
    amounts = [_available(), _left_in_container()]
    known = [amount for amount in amounts if amount is not None]
    return min(known) >> 20 if known else None


def _available() -> int | None:
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) << 10
    except (OSError, KeyError, ValueError):
        return None


def _left_in_container() -> int | None:
    group = Path("/sys/fs/cgroup")
    try:
        most, taken = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
        files = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())["inactive_file"]
        return None if most == "max" else int(most) - int(taken) + int(files)  # The file cache is freed when needed.
    except (OSError, ValueError, KeyError):
        return None


def _known() -> dict[str, "np.ndarray"]:
    from captioner.data.images import read
    from captioner.data.samples import SAMPLES

    return {sample.title: read(sample.read(), sample.file) for sample in SAMPLES if sample.title in _KNOWN}


def _encoder(decoders: Decoders) -> str:
    """Check the encoder's files, and its nouns for known photographs."""
    from captioner.data.images import resize
    from captioner.model.stage_folders import peek_settings
    from captioner.model.word_slots import strongest_nouns
    from captioner.vision.encoders import load_encoder
    from captioner.vision.nouns import nouns

    name = peek_settings(decoders.folder, lambda config: config["encoder"]["name"], ADAPTED)
    encoder, says = load_encoder(name, decoders.weights, decoders.folder), []
    for title, picture in _known().items():
        seen = encoder.see(resize(picture, encoder.size)[None])
        if seen.classes is None:
            return f"The files of {encoder.name} are intact."
        (numbers,), (values,) = strongest_nouns(seen, _NOUNS, floor=0)
        found = [nouns().words[number] for number in numbers]
        says.append(f"in {title} the CNN sees {', '.join(map('{} ({:.0%})'.format, found, values[:, 0]))}")
        if _KNOWN[title] not in found:
            raise _Failure(f"Of the samples, {says[-1]}.")
    return f"The files of {encoder.name} are intact. Of the samples, {' and '.join(says)}."


def _decoders(decoders: Decoders) -> str:
    """Check that all three decoders of every stage are present and intact."""
    from captioner.model.checkpoints import load_all
    from captioner.model.stage_folders import stages_in

    places = [decoders.folder / stage for stage in stages_in(decoders.folder)] or [decoders.folder]
    intact = []
    for place in places:
        try:
            found = load_all(place)
        except TriptychError as error:
            raise _Failure(f"In {place.name}: {error}") from error
        missing = [VARIANTS[name].title for name in VARIANTS if name not in found]
        if missing:
            raise _Failure(f"In {place.name} the decoder {' and '.join(missing)} is missing.")
        first = next(iter(found.values()))
        intact.append(f"{place.name} ({len(found)} decoders, {len(first.vocabulary):,} words, on {first.encoder.name})")
    return f"Intact: {'; '.join(intact)}."


def _caption(decoders: Decoders) -> str:
    """Caption known photographs with every decoder of the last stage."""
    from captioner.captioning.captioner import Captioner
    from captioner.captioning.search_settings import load_search_config
    from captioner.model.stage_folders import stage_folder

    captioner = Captioner.load(folder := stage_folder(decoders.folder), weights=decoders.weights)
    pictures, says = _known(), f"Stage {captioner.stage}."
    for title, found in zip(pictures, captioner.caption([*pictures.values()], load_search_config(folder)), strict=True):
        silent = [VARIANTS[name].title for name, captions in found.items() if not captions[0].words]
        if silent:
            raise _Failure(f"{' and '.join(silent)} wrote an empty caption for the sample {title}.")
        texts = (f"{VARIANTS[name].title} “{captions[0].text}”" for name, captions in found.items())
        says += f" {title}: {', '.join(texts)}."
    return says


_GET_AGAIN = "Restore the folder checkpoints/ of this project; in a clone, run `git checkout checkpoints`."
CHECKS: tuple[tuple[str, Check, str], ...] = (
    ("Python", _python, f"Install Python {'.'.join(map(str, OLDEST_PYTHON))} or newer."),
    ("Packages", _packages, f"Run {INSTALL}, best in a new virtual environment."),
    ("Machine", _machine, f"Run {INSTALL}."),
    ("Memory", _memory, "Close other programs, or raise the container's memory limit."),
    ("Encoder", _encoder, _GET_AGAIN),
    ("Decoders", _decoders, _GET_AGAIN),
    ("Captions", _caption, _GET_AGAIN),
)
