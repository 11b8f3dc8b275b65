"""Kills training at random moments, as `kill -9` does, and sees what is left: `python tests/hardening/crashes.py` prints it.

A small training of two decoders with vectors of their own is killed while it caches features, trains word vectors, trains a
decoder and saves; after every kill all that lies there must be readable, and gone on with it must end at the same bytes.
"""

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

from stress import ROOT, options, report

from captioner.errors import TriptychError
from captioner.storage import exists, load_folder, read_json
from support.factories import write_flickr8k

VARIANTS = ("word2vec", "fasttext")
KILLS, PER_RUN = 50, 5
CACHING, VECTORS, TRAINING, SAVING = "caching features", "training word vectors", "training a decoder", "saving"
# How long after the beginning of each it is killed, at most, in seconds: about as long as each takes here.
_MOMENTS = {CACHING: 1.0, VECTORS: 1.0, TRAINING: 1.0, SAVING: 0.006}
_PATIENCE = 300
# The command itself, but that it says on a pipe what it begins to do, for whoever wants to kill it just then.
_TELLING = """
import functools, os, sys
from captioner.model import checkpoints
from captioner.training import run as runs, run_inputs, trainer
from captioner.vision import feature_cache
from captioner.__main__ import main
pipe = int(sys.argv[1])
def telling(owner, name, phase):
    work = getattr(owner, name)
    @functools.wraps(work)
    def told(*given, **more):
        os.write(pipe, (phase + "\\n").encode())
        return work(*given, **more)
    setattr(owner, name, told)
telling(feature_cache.FeatureCache, "_add", "caching features")
telling(run_inputs.RunInputs, "table", "training word vectors")
telling(trainer.Trainer, "epoch", "training a decoder")
for module in (runs, checkpoints):
    telling(module, "save_folder", "saving")
sys.exit(main(sys.argv[2:]))
"""


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

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    def start(self) -> tuple[subprocess.Popen, int]:
        """The running command, and where it says what it does."""
        self.temporary.mkdir(parents=True, exist_ok=True)
        says, told = os.pipe()
        train = ["train", "--data", str(self.data), "--corpus", str(self.data / "more.txt"), "--preset", "tiny", "--resume"]
        train += [part for name in VARIANTS for part in ("--variant", name)]
        train += ["--out", str(self.out), "--cache", str(self.folder / "cache")]
        process = subprocess.Popen(
            [sys.executable, "-c", _TELLING, str(told), *train], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, pass_fds=[told], env=os.environ | {"TMPDIR": str(self.temporary)},
        )  # fmt: skip
        os.close(told)
        return process, says

    def finish(self) -> None:
        process, says = self.start()
        try:
            _, said = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            _, said = process.communicate()
            said += f"it had not ended after {_PATIENCE} s"
        os.close(says)
        if process.returncode:
            self.problems.append(f"it could not be gone on with: {said.strip().splitlines()[-1:]}")

    def kill(self, phase: str, moments: random.Random) -> None:
        """Start it, wait until it begins this, and a random while longer; then kill it and look at what is left.

        Only what was killed at its work counts: not what had ended by itself.
        """
        process, says = self.start()
        with os.fdopen(says) as lines:
            begun = next((line for line in lines if line.strip() == phase), None)
            time.sleep(moments.uniform(0, _MOMENTS[phase]) if begun else 0)
            process.send_signal(signal.SIGKILL)
            _, said = process.communicate()
            doing = [phase, *map(str.strip, lines)][-1]  # It may have begun something else meanwhile.
        if begun and process.returncode == -signal.SIGKILL:
            self.kills[doing] += 1
        if "Traceback" in said:
            self.problems.append(f"{phase}: {said.strip().splitlines()[-1]}")
        self.check(phase)

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
        unfinished = [path for path in self.folder.rglob("*") if path.suffix in (".part", ".new", ".old")]
        return [str(path.relative_to(self.folder)) for path in (*unfinished, *self.temporary.rglob("*"))]


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
    given = options(__doc__, kills=(KILLS, "number of kills"), seed=(0, "seed of the moments")).parse_args()
    found = measure(given.kills, PER_RUN, given.seed)
    return report(found, found["problems"] or found["ended_with_other_weights"])


if __name__ == "__main__":
    sys.exit(main())
