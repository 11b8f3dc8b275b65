"""Reads our Dockerfile and .dockerignore, and does what they say into folders: for tests on machines without Docker.

It knows the instructions that we use and refuses all others, so that none goes by unseen. A package that reads every
Dockerfile would be one more to keep, and none of them does what is read.
"""

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from string import Template

BASE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # of the images that we start from
_KNOWN = {"FROM", "RUN", "COPY", "WORKDIR", "ENV", "LABEL", "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
_SHELL = ["/bin/sh", "-c"]
_WILD = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True)
class Step:
    """One instruction: its options, and its words, which are those of a list where it is written as one."""

    name: str
    flags: dict[str, str]
    words: list[str]


@dataclass
class Stage:
    """What a FROM begins, with what its steps say of the image as a whole."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def of(self, name: str) -> list[Step]:
        return [step for step in self.steps if step.name == name]

    def last(self, name: str) -> list[str]:
        return self.of(name)[-1].words

    @property
    def environment(self) -> dict[str, str]:
        known = {"PATH": BASE_PATH}
        for step in self.of("ENV"):
            known |= {name: Template(value).substitute(known) for name, value in _pairs(step)}
        return known

    @property
    def labels(self) -> dict[str, str]:
        return dict(pair for step in self.of("LABEL") for pair in _pairs(step))


def read(path: Path) -> list[Stage]:
    """The stages of a Dockerfile in order; the last one is the image."""
    stages: list[Stage] = []
    for line in _lines(path.read_text(encoding="utf-8")):
        step = _step(line)
        if step.name == "FROM":
            base, *named = step.words
            stages.append(Stage(base, named[1] if named else str(len(stages))))
        else:
            stages[-1].steps.append(step)
    return stages


def _lines(text: str) -> Iterator[str]:
    """Without comments and empty lines, each with those that go on from it."""
    kept = ""
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        kept += line.rstrip().removesuffix("\\")
        if not line.rstrip().endswith("\\"):
            yield kept.strip()
            kept = ""
    if kept:
        raise ValueError(f"The file ends within an instruction: {kept}")


def _step(line: str) -> Step:
    name, _, rest = line.partition(" ")
    flags = {}
    while (rest := rest.strip()).startswith("--"):
        flag, _, rest = rest.partition(" ")
        key, _, flags_value = flag[2:].partition("=")
        flags[key] = flags_value
    if name not in _KNOWN:
        raise ValueError(f"This reader should first be taught what {name} does: {line}")
    if name == "HEALTHCHECK":
        rest = rest.removeprefix("CMD").strip()
    if rest.startswith("["):
        return Step(name, flags, json.loads(rest))
    runs = name in ("RUN", "HEALTHCHECK", "ENTRYPOINT", "CMD")
    return Step(name, flags, [*_SHELL, rest] if runs else shlex.split(rest))


def _pairs(step: Step) -> list[tuple[str, str]]:
    return [tuple(word.split("=", 1)) for word in step.words]


def context(root: Path) -> list[PurePosixPath]:
    """Every file below the folder that its .dockerignore lets Docker see."""
    patterns = [line.strip() for line in (root / ".dockerignore").read_text().splitlines()]
    patterns = [pattern for pattern in patterns if pattern and not pattern.startswith("#")]
    found = []
    for folder, below, files in os.walk(root):
        place = PurePosixPath(Path(folder).relative_to(root))
        below[:] = [name for name in below if _worth(patterns, place / name)]
        found += [place / name for name in files if not is_ignored(patterns, place / name)]
    return sorted(found)


def _worth(patterns: Sequence[str], folder: PurePosixPath) -> bool:
    """Whether anything in the folder may be let in; without this a whole virtual environment would be looked through."""
    return not is_ignored(patterns, folder) or any(pattern.startswith(f"!{folder}/") for pattern in patterns)


def is_ignored(patterns: Sequence[str], path: PurePosixPath) -> bool:
    """Docker's rule: the last pattern that fits the path, or a folder above it, decides."""
    ignored, places = False, [str(place) for place in (path, *path.parents)][:-1]
    for pattern in patterns:
        expression = _expression(pattern.removeprefix("!"))
        if any(expression.fullmatch(place) for place in places):
            ignored = not pattern.startswith("!")
    return ignored


def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.strip("/"))
    return re.compile("".join(_WILD.get(part) or re.escape(part) for part in parts))


Run = Callable[[Path, Step, str], None]


def build(stages: Sequence[Stage], root: Path, folder: Path, run: Run) -> Path:
    """Do what the stages say about files, each stage in a folder of its own, and give the last one's.

    `run` is called for every RUN with that folder, the step, and where in it the step starts.
    """
    built: dict[str, Path] = {}
    seen = context(root)
    for stage in stages:
        built[stage.name] = own = folder / f"stage-{stage.name}"
        own.mkdir()
        place = "/"
        for step in stage.steps:
            if step.name == "WORKDIR":
                place = str(PurePosixPath(place) / step.words[0])
                _within(own, place, "").mkdir(parents=True, exist_ok=True)
            elif step.name == "COPY" and "from" in step.flags:
                _copy_stage(step, built[step.flags["from"]], own, place)
            elif step.name == "COPY":
                _copy_context(step, root, seen, own, place)
            elif step.name == "RUN":
                run(own, step, place)
    return own


def _within(folder: Path, place: str, path: str) -> Path:
    return folder / str(PurePosixPath(place) / path).lstrip("/")


def _copy_context(step: Step, root: Path, seen: Sequence[PurePosixPath], own: Path, place: str) -> None:
    """Files go by their names into a folder that is written with a slash at its end; of a folder its content is copied."""
    *sources, target = step.words
    for source in map(PurePosixPath, sources):
        files = [path for path in seen if path == source or source in path.parents]
        if not files:
            raise FileNotFoundError(f"COPY {source}: there is no such file, or it is ignored")
        for path in files:
            inside = path.name if path == source and target.endswith("/") else path.relative_to(source)
            goal = _within(own, place, target) / inside
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, goal)


def _copy_stage(step: Step, other: Path, own: Path, place: str) -> None:
    source, target = step.words
    goal = _within(own, place, target)
    shutil.copytree(_within(other, "/", source), goal, symlinks=True, copy_function=os.link, dirs_exist_ok=True)
