"""Kills training at random moments, as `kill -9` does, and sees what is left: `python tests/hardening/crashes.py` prints it.

A small training of two decoders with vectors of their own is killed while it caches features, trains word vectors, trains a
decoder and saves; after every kill all that lies there must be readable, and gone on with it must end at the same bytes.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from written_data import write_flickr8k  # noqa: E402

from captioner.errors import TriptychError  # noqa: E402
from captioner.folders import exists, load_folder, read_json  # noqa: E402

VARIANTS = ("word2vec", "fasttext")
KILLS, PER_RUN = 50, 5
CACHING, VECTORS, TRAINING, SAVING = "caching features", "training word vectors", "training a decoder", "saving"
_PATIENCE = 300
_LOOK = 0.002  # seconds between two looks at the disk


@dataclass
class Work:
    """One training from nothing to its end, over as many starts as it takes."""

    data: Path
    folder: Path
    kills: Counter = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def out(self) -> Path:
        return self.folder / "run"

    def start(self) -> subprocess.Popen:
        command = [sys.executable, "-m", "captioner", "train", "--data", str(self.data), "--corpus", str(self.data / "more.txt")]
        command += [part for name in VARIANTS for part in ("--variant", name)]
        command += ["--preset", "tiny", "--out", str(self.out), "--cache", str(self.folder / "cache"), "--resume"]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def finish(self) -> None:
        process = self.start()
        _, said = process.communicate(timeout=_PATIENCE)
        if process.returncode:
            self.problems.append(f"it could not be gone on with: {said.strip().splitlines()[-1:]}")

    def kill(self, phase: str, random_moment: random.Random) -> None:
        """Start it, wait until it does this, and a random while longer; then kill it and look at what is left."""
        process, end = self.start(), time.monotonic() + _PATIENCE
        while process.poll() is None and time.monotonic() < end and phase not in self.phases():
            time.sleep(_LOOK)
        if phase != SAVING:
            time.sleep(random_moment.uniform(0, 1.5))
        doing = self.phases() or ["starting"]
        process.send_signal(signal.SIGKILL)
        _, said = process.communicate()
        self.kills[doing[0] if process.returncode == -signal.SIGKILL else "already finished"] += 1
        if "Traceback" in said:
            self.problems.append(f"{phase}: {said.strip().splitlines()[-1]}")
        self.check(phase)

    def phases(self) -> list[str]:
        """What it is doing, as far as the disk tells; what is most particular comes first."""
        places = [place / name for place in (self.out, self.out / ".resume") for name in VARIANTS]
        found = []
        if any(place.with_name(f".{place.name}.{kind}").exists() for place in places for kind in ("new", "old")):
            found.append(SAVING)
        if any(exists(place) for place in places):
            found.append(TRAINING)
        cached = list((self.folder / "cache").glob("*/*"))
        if cached and not found:
            shards = [path for path in cached if path.suffix == ".json"]
            found.append(VECTORS if len(shards) == 2 else CACHING)  # One of dev, one of train.
        return found

    def check(self, phase: str) -> None:
        """Everything that passes for whole must be whole, and a history must be readable at any moment."""
        for place in (place / name for place in (self.out, self.out / ".resume") for name in VARIANTS):
            try:
                if exists(place):
                    load_folder(place)
                if (place / "history.json").is_file():
                    read_json(place / "history.json")
            except TriptychError as error:
                self.problems.append(f"killed while {phase}: {error}")

    def result(self) -> dict[str, dict[str, bytes]]:
        return {name: load_folder(self.out / name) for name in VARIANTS}

    def left_over(self) -> list[str]:
        """Files that only an unfinished write has."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return [str(path.relative_to(self.folder)) for path in files if path.suffix in (".part", ".new") or ".new/" in str(path)]


def measure(kills: int, per_run: int, seed: int) -> dict:
    moments, begun = random.Random(seed), time.monotonic()
    with TemporaryDirectory() as place:
        data = write_flickr8k(Path(place) / "data", 96, 24, 8)
        words = [line.partition("\t")[2] for line in (data / "Flickr8k_text" / "Flickr8k.token.txt").read_text().splitlines()]
        (data / "more.txt").write_text("\n".join(words * 200))  # So much that training vectors takes a moment.
        reference = Work(data, Path(place) / "reference")
        reference.finish()
        expected, done = reference.result(), Counter()
        unlike, left, problems, runs = 0, [], list(reference.problems), 0
        phases = [CACHING, VECTORS, TRAINING, SAVING]
        while done.total() < kills:
            work = Work(data, Path(place) / f"run{runs}")
            # In the order in which a training does them: what is done once cannot be killed any more.
            for phase in sorted((phases[number % 4] for number in range(runs, runs + min(per_run, kills - done.total()))),
                                key=phases.index):  # fmt: skip
                work.kill(phase, moments)
            work.finish()
            unlike += not work.problems and work.result() != expected
            left += work.left_over()
            problems += work.problems
            done += work.kills
            runs += 1
            print(f"{done.total()} of {kills} kills, {len(problems)} problems", file=sys.stderr)
    return {
        "kills": done.total(),
        "killed_while": dict(done),
        "trainings": runs,
        "unreadable_or_not_gone_on_with": len(problems),
        "ended_with_other_weights": unlike,
        "temporary_files_left": len(left),
        "minutes": round((time.monotonic() - begun) / 60, 1),
        "problems": problems + left,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS, metavar="N", help=f"how many ({KILLS})")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the moments (0)")
    arguments = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    found = measure(arguments.kills, PER_RUN, arguments.seed)
    print(json.dumps(found, indent=1))
    return int(bool(found["problems"] or found["ended_with_other_weights"]))


if __name__ == "__main__":
    sys.exit(main())
