"""Sends the files of strangers through every door: the library, the command line, the page. `python tests/hardening/files.py`

Of each door it prints how many files ended in captions, how many in a sentence of ours, how many in anything else, and the
longest time and the most memory that one of them took beyond the idle process.
"""

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from stress import ROOT, forget_peak, memory_mb, options, report, shipped

from captioner.config import VARIANTS
from strangers import FLIPS, GIF_FRAMES, Stranger, encoded, photograph, strangers

_SECONDS, _MEGABYTES = 2.0, 300.0  # What one file may take.
_EXTREME = ("large-", "bomb", "strip", "noise", "gif-")


@dataclass
class Door:
    """What came of the files at one door."""

    captioned: int = 0
    refused: int = 0
    longest_s: float = 0.0
    slowest: str = ""
    most_mb: float = 0.0
    largest: str = ""
    problems: list[str] = field(default_factory=list)

    def take(self, stranger: Stranger, captioned: bool, says: str, seconds: float = 0.0, megabytes: float = 0.0) -> None:
        self.captioned += captioned
        self.refused += not captioned
        if seconds > self.longest_s:
            self.longest_s, self.slowest = seconds, stranger.name[:60]
        if megabytes > self.most_mb:
            self.most_mb, self.largest = megabytes, stranger.name[:60]
        if stranger.good is not None and captioned != stranger.good:
            self.problems.append(f"{stranger.name[:60]!r} was {'captioned' if captioned else 'refused'}: {says[:200]}")
        if not captioned and not _is_sentence(says):
            self.problems.append(f"{stranger.name[:60]!r} was refused by no sentence of ours: {says[:200]}")
        if seconds > _SECONDS or megabytes > _MEGABYTES:
            self.problems.append(f"{stranger.name[:60]!r} took {seconds:.2f} s and {megabytes:.0f} MB")

    def report(self) -> dict:
        return asdict(self) | {"longest_s": round(self.longest_s, 2), "most_mb": round(self.most_mb)}


def _is_sentence(text: str) -> bool:
    """One of ours begins with the file's name in quotation marks, ends with a full stop, and knows of no code."""
    return text.startswith(("'", "The picture")) and text.endswith(".") and "Error" not in text and "Traceback" not in text


def library(files: Iterator[Stranger]) -> Door:
    files = _made_elsewhere(files)  # Before there are threads that a fork would cut off.
    from captioner.data.images import read
    from captioner.errors import ImageError
    from captioner.runtime import release_memory

    (captioner, _), door = shipped(), Door()
    captioner.caption([read(_good(), "good.jpg")])
    release_memory()
    idle = forget_peak("self")
    for stranger in files:
        forget_peak("self")
        start, says, captioned = time.perf_counter(), "", False
        try:
            found = captioner.caption([read(stranger.data, stranger.name)])[0]
            captioned = len(found) == len(VARIANTS)
        except ImageError as error:
            says = str(error)
        except BaseException as error:  # What must not be, and is told.
            says = f"{type(error).__name__}: {error}"
        door.take(stranger, captioned, says, time.perf_counter() - start, memory_mb("self", "VmHWM") - idle)
    return door


def _made_elsewhere(files: Iterator[Stranger]) -> Iterator[Stranger]:
    """The same files, made in another process: what making one takes is not what reading it takes."""
    here, there = multiprocessing.Pipe(duplex=False)
    multiprocessing.get_context("fork").Process(target=_make, args=(files, there), daemon=True).start()
    there.close()
    return _received(here)


def _received(here: Connection) -> Iterator[Stranger]:
    with suppress(EOFError):
        while True:
            yield here.recv()


def _make(files: Iterator[Stranger], there: Connection) -> None:
    for stranger in files:
        there.send(stranger)
    there.close()


def command_line(files: Iterator[Stranger]) -> Door:
    """By their names where the disk can have them: the extreme ones each in a call of its own, the others together.

    Time and memory are what a call takes more than one with a good file.
    """
    door, given = Door(), {}
    with tempfile.TemporaryDirectory() as folder:
        good = Path(folder, "good.jpg")
        good.write_bytes(_good())
        _call([good])  # So that the disk is warm.
        idle_s, idle_mb, _, _ = _call([good])
        for number, stranger in enumerate(files):
            path = Path(folder, f"{number}-{_possible(stranger.name)}")
            path.write_bytes(stranger.data)
            given[str(path)] = stranger
        alone = [path for path, stranger in given.items() if stranger.name.startswith(_EXTREME)]
        for paths in ([path for path in given if path not in alone], *([path] for path in alone)):
            seconds, megabytes, entries, problem = _call([Path(path) for path in paths])
            door.problems += [problem] if problem else []
            each_s, each_mb = ((seconds - idle_s), (megabytes - idle_mb)) if len(paths) == 1 else (0.0, 0.0)
            for entry in entries:
                door.take(given.pop(entry["image"]), "captions" in entry, entry.get("error", ""), each_s, each_mb)
    door.problems += [f"{path} got no answer" for path in given]
    return door


_TELLING_ITS_MEMORY = """
import sys
from captioner.__main__ import main
status = main(sys.argv[1:])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
sys.exit(status)
"""


def _call(paths: list[Path]) -> tuple[float, float, list[dict], str]:
    start = time.perf_counter()
    command = [sys.executable, "-c", _TELLING_ITS_MEMORY, "caption", "--json", *map(str, paths)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said, told = process.communicate()
    seconds, lines = time.perf_counter() - start, told.decode(errors="replace").strip().splitlines()
    problem = lines[-1] if process.returncode not in (0, 1) or b"Traceback" in told else ""
    return seconds, 0.0 if problem else int(lines[-1]) / 1024, json.loads(said) if said else [], problem


def page(files: Iterator[Stranger]) -> Door:
    """Uploaded one after another in one visit; what the page then says in the captions' place, or the captions."""
    from browsing import started
    from visitor import TooLarge, Visitor

    door = Door()
    with started() as app, Visitor(app.address) as visitor:
        visitor.upload(("good.jpg", _good()))
        idle, peak = forget_peak(app.process), lambda: memory_mb(app.process, "VmHWM")
        for stranger in files:
            forget_peak(app.process)
            start = time.perf_counter()
            try:
                visitor.upload((stranger.name, stranger.data))
            except TooLarge:  # Before it came to a picture; a browser says so itself.
                door.take(stranger, False, f"'{stranger.name}' is too large.", time.perf_counter() - start, peak() - idle)
                continue
            seconds = time.perf_counter() - start
            refusals = visitor.refusals
            captioned = len(visitor.sentences) == len(VARIANTS) and not refusals
            says = visitor.exceptions.pop() if visitor.exceptions else " ".join(refusals)
            door.take(stranger, captioned, says, seconds, peak() - idle)
    return door


def _good() -> bytes:
    return encoded(photograph(), "JPEG")


def _possible(name: str) -> str:
    kept = name.replace("/", "_").replace("\0", "_")
    return kept[-80:] if len(os.fsencode(kept)) > 200 else kept


DOORS: dict[str, Callable[[Iterator[Stranger]], Door]] = {"library": library, "command": command_line, "page": page}


def main() -> int:
    parser = options(__doc__, flips=(FLIPS, "wrong bytes in each format"))
    parser.add_argument("--door", choices=tuple(DOORS), action="append", help="only this one; may be given several times")
    arguments = parser.parse_args()
    found = {}
    for name in arguments.door or DOORS:
        begun = time.perf_counter()
        if arguments.door:
            found[name] = DOORS[name](strangers(arguments.flips, GIF_FRAMES)).report()
        else:  # Each in a process of its own, so that what one door took is not counted at the next.
            own = [sys.executable, __file__, "--flips", str(arguments.flips), "--door", name]
            found |= json.loads(subprocess.run(own, stdout=subprocess.PIPE, check=False).stdout)
        print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    return report(found, any(door["problems"] for door in found.values()))


if __name__ == "__main__":
    sys.exit(main())
