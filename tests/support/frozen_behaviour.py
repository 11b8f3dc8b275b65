"""Record the program's behaviour, and compare two records: a refactoring must change nothing.

    python tests/support/frozen_behaviour.py record FILE.json
    python tests/support/frozen_behaviour.py compare OLD.json NEW.json

It uses the command line, which does not depend on where modules lie; `imported` has the exceptions. Timings, versions and
absolute paths are left out; times in committed records are kept, since they are read and not measured.
"""

import argparse
import contextlib
import hashlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product, zip_longest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
STAGES = ("first", "reward")
SAMPLES = ("camera.png", "motorcycle_left.png", "chelsea.png", "astronaut.png", "rocket.jpg", "coffee.png")
SHAPES, SIDE = 200, 96
# Commands that report committed records, under names that stay when a command is renamed.
RECORDS = {"study": ("study", "--plan", "flickr8k"), "ancestors": ("study", "--plan", "recipes")}
SCORED = ("evaluate", "--data", "shapes", "--split", "test")  # 100 pictures, with the decoders' own search.
LOG_PROBABILITY, OTHER = 1e-4, 1e-6  # Tolerances.
ABSENT = object()


def imported() -> tuple[Callable, Callable]:
    """The only imports from the program: drawing a shape, and making the service."""
    from captioner.data.shapes import scene
    from captioner.service.app import create_app

    return scene, create_app


def command(*arguments: str) -> tuple[int, str]:
    """Run a command in a process of its own; return its exit status and standard output."""
    whole = [sys.executable, "-m", "captioner", *arguments]
    done = subprocess.run(whole, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(arguments[:6])} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.returncode, done.stdout


def command_here(*arguments: str) -> tuple[int, str, str]:
    """Run a command within this process; return standard error, too."""
    from captioner.__main__ import main

    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as told:
        status = main(arguments)
    return status, out.getvalue(), told.getvalue()


def parsed(text: str) -> Any:
    """JSON, or else JSON Lines, which become a list."""
    try:
        return json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def drawn(folder: Path) -> dict[str, Any]:
    """Generated shapes, written into the folder; what is true of each, and the hash of its file."""
    scene, _ = imported()
    told = {}
    for number in range(SHAPES):
        name, picture = f"shapes-{number:03d}.png", scene(f"frozen {number}", SIDE)
        data = picture.read()
        (folder / name).write_bytes(data)
        told[name] = {"sha256": hashlib.sha256(data).hexdigest(), "captions": list(picture.captions)}
    return told


def captions(stage: str, shapes: Path) -> dict[str, Any]:
    """The best captions of the samples and of the shapes by every decoder of a stage, by the names of the files."""
    skimage = Path(importlib.util.find_spec("skimage").origin).parent / "data"
    places = [*(str(skimage / name) for name in SAMPLES), str(shapes)]
    status, out = command("caption", "--json", "--stage", stage, "--top", "3", *places)
    found = parsed(out)
    entries = found if isinstance(found, list) else [found]
    pictures = {Path(entry.pop("image")).name: entry for entry in entries}
    return {"status": status, "order": list(pictures), "pictures": pictures}


def descriptions() -> dict[str, Any]:
    """The layers of every preset with every variant, or why there are none."""
    names = {}
    for option in ("--preset", "--variant"):  # What there is, `describe` says when it is given something that does not exist.
        _, found, listed = command_here("describe", option, "?", "--vocabulary", "1")[2].strip().rpartition("choose one of ")
        if not found:
            raise SystemExit(f"describe does not say any more what there is for {option}: {listed}")
        names[option] = listed.removesuffix(".").split(", ")
    told: dict[str, Any] = {preset: {} for preset in names["--preset"]}
    for preset, variant in product(*names.values()):
        size = ("--vocabulary", "7577", "--features", "2048", "--json")
        status, out, why = command_here("describe", "--preset", preset, "--variant", variant, *size)
        told[preset][variant] = why if status else parsed(out)
    return told


def openapi() -> dict[str, Any]:
    """What the service says of itself, open to all and with a key; nothing is loaded for it."""
    _, create_app = imported()
    return {name: create_app(lambda *_: None, keys).openapi() for name, keys in {"open": (), "key": ("k" * 20,)}.items()}


def health() -> dict[str, Any]:
    """The names of the doctor's checks, and which of them are fine."""
    status, out = command("doctor", "--json")
    found = parsed(out)
    return {"status": status, "fine": found["fine"], "checks": {one["what"]: one["fine"] for one in found["findings"]}}


def record(goal: Path) -> None:
    """Everything, into one file; how long each part took is told, not kept."""
    sys.path.insert(0, str(ROOT))
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        os.environ["TRIPTYCH_CACHE"] = str(Path(name) / "cache")  # Nobody's own cache is read or filled.
        shapes = Path(name) / "shapes"
        shapes.mkdir()
        parts: dict[str, Callable[[], Any]] = {
            "shapes": lambda: drawn(shapes),
            "captions": lambda: {stage: captions(stage, shapes) for stage in STAGES},
            "scores": lambda: {stage: parsed(command(*SCORED, "--stage", stage, "--json")[1]) for stage in STAGES},
            "records": lambda: {part: parsed(command(*words, "--json")[1]) for part, words in RECORDS.items()},
            "doctor": health,
            "openapi": openapi,
            "descriptions": descriptions,
        }
        for part, find in parts.items():
            begun = time.monotonic()
            told[part] = find()
            print(f"{part}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        text = json.dumps(told, indent=1).replace(name, "TEMPORARY").replace(str(ROOT), "ROOT")
    goal.write_text(text + "\n", encoding="utf-8")


def differences(old: Any, new: Any, way: tuple[str, ...] = ()) -> Iterator[str]:
    """Every place where two records differ, with what stands there in both."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            yield from differences(old.get(key, ABSENT), new.get(key, ABSENT), (*way, key))
    elif isinstance(old, list) and isinstance(new, list):
        for number, (first, second) in enumerate(zip_longest(old, new, fillvalue=ABSENT)):
            yield from differences(first, second, (*way, str(number)))
    elif not alike(old, new, any("log_probabilit" in key for key in way)):
        yield f"{' > '.join(way)}: {shown(old)} -> {shown(new)}"


def alike(old: Any, new: Any, log_probability: bool) -> bool:
    """Whether two plain values are the same, numbers but for what is allowed; true and false are no numbers."""
    if isinstance(old, bool) or isinstance(new, bool) or not (isinstance(old, int | float) and isinstance(new, int | float)):
        return type(old) is type(new) and old == new
    return old == new or old != old and new != new or abs(old - new) <= (LOG_PROBABILITY if log_probability else OTHER)


def shown(value: Any) -> str:
    text = "(absent)" if value is ABSENT else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:300]}..."


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Record what the program does, or compare two records of it.")
    parser.add_argument("task", choices=("record", "compare"))
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE.json", help="one to record into, or the old and the new")
    options = parser.parse_args(arguments)
    if len(options.files) != (1 if options.task == "record" else 2):
        parser.error("record takes one file, compare takes two")
    if options.task == "record":
        record(options.files[0])
        return 0
    found = list(differences(*(json.loads(file.read_text(encoding="utf-8")) for file in options.files)))
    print("\n".join(found) or "No differences.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
