"""Looks the whole installation over, one thing after another, and says of each what was found and what to do about it.

What the parts do is left to their modules, which are imported when their turn comes: a package may be missing. Nothing is
changed or written.
"""

import importlib.metadata
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from captioner.config import VARIANTS
from captioner.errors import TriptychError
from captioner.runtime import cores, start_tensorflow

if TYPE_CHECKING:
    from packaging.requirements import Requirement

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements.txt"
OLDEST_PYTHON = (3, 11)
INSTALL = "pip install -r requirements.txt"
_KNOWN, _SHOWS = "coffee.png", "espresso"  # A sample photograph, and a class that the network must see in it.
_NEEDED_MB = 1500  # A page with one visitor takes about two thirds of it.


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `advice` says what to do where it is not `fine`."""

    what: str
    fine: bool
    says: str
    advice: str = ""
    foreign: bool = False  # Whether what it says is no sentence of ours but an error's name and its own message.


@dataclass(frozen=True)
class Given:
    """The decoders that are looked at, and the file of their encoder's weights where it does not come with its own."""

    folder: Path
    weights: Path | None


Check = Callable[[Given], str]  # Gives what was found, or raises.


def examine(folder: Path, weights: Path | None = None) -> Iterator[Finding]:
    """Every check in turn, with the decoders of this folder; none of them stops those after it."""
    for what, check, advice in CHECKS:
        yield _looked(what, check, advice, Given(folder, weights))


def _looked(what: str, check: Check, advice: str, given: Given) -> Finding:
    try:
        return Finding(what, True, check(given))
    except _Wrong as wrong:
        return Finding(what, False, str(wrong), advice)
    except TriptychError as error:
        return Finding(what, False, str(error), "")  # Its sentence says already what to do.
    except ImportError as error:
        return Finding(what, False, f"{error.name or 'A package'} cannot be imported ({error}).", f"Run {INSTALL}.")
    except Exception as error:  # Whatever is wrong with a machine, the doctor still looks at the rest.
        return Finding(what, False, f"{type(error).__name__}: {error}", advice, foreign=True)


class _Wrong(Exception):
    """What a check found to be wrong, in a sentence."""


def _python(_given: Given) -> str:
    version = platform.python_version()
    if tuple(map(int, platform.python_version_tuple()[:2])) < OLDEST_PYTHON:
        raise _Wrong(f"This is Python {version}.")
    return f"Python {version} on {platform.system()} ({platform.machine()})."


def _packages(_given: Given) -> str:
    """Every package that the requirements name, by the version that is installed."""
    from packaging.requirements import Requirement

    lines = (line.partition("#")[0].strip() for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines())
    wanted = [requirement for requirement in map(Requirement, filter(None, lines)) if _is_meant(requirement)]
    wrong = []
    for requirement in wanted:
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, not {requirement.specifier}")
    if wrong:
        raise _Wrong(f"{'; '.join(wrong)}.")
    told = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "keras", "streamlit", "numpy"))
    return f"All {len(wanted)} of requirements.txt in the versions that it names ({told})."


def _is_meant(requirement: "Requirement") -> bool:
    """Whether it is one for this Python at all."""
    return requirement.marker is None or requirement.marker.evaluate()


def _machine(_given: Given) -> str:
    tf = start_tensorflow()
    threads = tf.config.threading.get_intra_op_parallelism_threads() or cores()
    return f"{cores()} of {os.cpu_count()} cores may be used, by {threads} threads of TensorFlow {tf.__version__}."


def _memory(_given: Given) -> str:
    free = free_memory()
    if free is None:
        return "This system does not say how much memory is free."
    if free < _NEEDED_MB:
        raise _Wrong(f"Only {free:,} MB of memory are free; the page wants about {_NEEDED_MB:,} MB.")
    return f"{free:,} MB of memory are free."


def free_memory() -> int | None:
    """How many MB may still be taken: what the system says is available, or less where a container is held to it."""
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
        return None if most == "max" else int(most) - int(taken) + int(files)  # Files that were read give their room back.
    except (OSError, ValueError, KeyError):
        return None


def _encoder(_given: Given) -> str:
    """The weights of the package, and what the network sees in a photograph that is known."""
    from captioner.data.images import read, resize
    from captioner.data.samples import SAMPLES
    from captioner.vision.encoder import likeliest, load_encoder

    start_tensorflow()
    encoder = load_encoder()
    sample = next(sample for sample in SAMPLES if sample.file == _KNOWN)
    features = encoder.encode(resize(read(sample.read(), sample.file), encoder.size)[None])
    classes = likeliest(encoder.classify(features)[0])
    seen = ", ".join(f"{name} ({probability:.0%})" for name, probability in classes[:3])
    if _SHOWS not in [name for name, _ in classes]:
        raise _Wrong(f"In a cup of {_SHOWS} the network sees {seen}.")
    return f"{encoder.name}, its weights as they should be; in a cup of {_SHOWS} it sees {seen}."


def _decoders(given: Given) -> str:
    """Every decoder of every stage whole, and all three of each there."""
    from captioner.model.checkpoints import load_all, stages_in

    places = [given.folder / stage for stage in stages_in(given.folder)] or [given.folder]
    told = []
    for place in places:
        try:
            found = load_all(place)
        except TriptychError as error:
            raise _Wrong(f"In {place.name}: {error}") from error
        lacking = [VARIANTS[name].title for name in VARIANTS if name not in found]
        if lacking:
            raise _Wrong(f"In {place.name} there is no decoder {' and no '.join(lacking)}.")
        first = next(iter(found.values()))
        told.append(f"{place.name} ({len(found)} decoders of {len(first.vocabulary):,} words, on {first.encoder.name})")
    return f"Whole: {'; '.join(told)}."


def _caption(given: Given) -> str:
    """A caption of a sample by every decoder of the last stage."""
    start_tensorflow()
    from captioner.captioning.captioner import Captioner
    from captioner.data.images import read
    from captioner.data.samples import SAMPLES
    from captioner.model.checkpoints import stage_folder
    from captioner.scoring.evaluation import load_search_config

    captioner = Captioner.load(folder := stage_folder(given.folder), weights=given.weights)
    found = captioner.caption([read(SAMPLES[0].read(), SAMPLES[0].file)], load_search_config(folder))[0]
    silent = [VARIANTS[name].title for name, captions in found.items() if not captions[0].words]
    if silent:
        raise _Wrong(f"{' and '.join(silent)} had nothing to say of the sample {SAMPLES[0].title}.")
    told = " ".join(f"{VARIANTS[name].title}: “{captions[0].text}”." for name, captions in found.items())
    return f"Of the sample {SAMPLES[0].title}, after the stage {captioner.stage}: {told}"


_GET_AGAIN = "Get this project’s files again, checkpoints/ with them; in a clone `git checkout checkpoints` does."
CHECKS: tuple[tuple[str, Check, str], ...] = (
    ("Python", _python, f"Install Python {'.'.join(map(str, OLDEST_PYTHON))} or newer."),
    ("Packages", _packages, f"Run {INSTALL}, best in a virtual environment of its own."),
    ("Machine", _machine, f"Run {INSTALL}."),
    ("Memory", _memory, "Close other programs, or give the container more memory."),
    ("Encoder", _encoder, f"Run {INSTALL} --force-reinstall."),
    ("Decoders", _decoders, _GET_AGAIN),
    ("Captions", _caption, _GET_AGAIN),
)
