"""Many visitors at once, each with photographs of their own: `python tests/hardening/load.py` prints how the page bears it.

One, eight and thirty-two visitors upload one different photograph after another to the real app, on this machine alone, for a
bounded time. Every answer is held against what the library says of that photograph alone.
"""

import argparse
import json
import random
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "browser")]

from browsing import App, started  # noqa: E402
from PIL import Image  # noqa: E402
from visitor import Lost, Visitor  # noqa: E402

from captioner.data.samples import SAMPLES  # noqa: E402

VISITORS, SECONDS = (1, 8, 32), 300
_SIZE = (640, 480)
_SETTLE = 170  # seconds; so long after a visit broke off nothing of it is left
_BATCH = 50  # photographs that one visitor sends together, while another one waits for a single one


@dataclass
class Answers:
    """What the visitors of one round read, and how long they waited for it."""

    said: dict[int, list[str]] = field(default_factory=dict)  # by photograph
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, number: int, sentences: list[str], took: float, problems: Sequence[str]) -> None:
        with self.lock:
            self.seconds.append(took)
            self.said[number] = sentences
            self.errors += problems


class Photographs:
    """As many different photographs as are asked for, the same for the same number."""

    def __init__(self) -> None:
        self._pictures = [Image.open(BytesIO(sample.read())).convert("RGB") for sample in SAMPLES]

    def __getitem__(self, number: int) -> bytes:
        moved = random.Random(number)
        picture = self._pictures[number % len(self._pictures)]
        width, height = (round(side * moved.uniform(0.5, 0.95)) for side in picture.size)
        left, top = moved.randint(0, picture.width - width), moved.randint(0, picture.height - height)
        file = BytesIO()
        picture.crop((left, top, left + width, top + height)).resize(_SIZE).save(file, "JPEG", quality=90)
        return file.getvalue()


def visit(visitor: Visitor, photographs: Photographs, numbers: "Numbers", answers: Answers, end: float) -> None:
    try:
        while time.monotonic() < end:
            number = numbers.next()
            data, start = photographs[number], time.monotonic()
            visitor.upload((f"{number}.jpg", data))
            answers.take(number, visitor.sentences, time.monotonic() - start, visitor.refusals + visitor.exceptions)
            visitor.exceptions.clear()
    except Exception as error:  # Whatever it is, it is a visitor who got no answer.
        with answers.lock:
            answers.errors.append(f"{type(error).__name__}: {error}")


class Numbers:
    def __init__(self) -> None:
        self._last, self._lock = -1, threading.Lock()

    def next(self) -> int:
        with self._lock:
            self._last += 1
            return self._last


def round_of(app: App, visitors: int, seconds: float, photographs: Photographs, numbers: Numbers) -> tuple[Answers, float]:
    with ExitStack() as visits:
        # All have the page before them when the clock starts: what is timed are captions, not arrivals.
        here = [visits.enter_context(Visitor(app.address)) for _ in range(visitors)]
        answers, begun = Answers(), time.monotonic()
        more = (photographs, numbers, answers, begun + seconds)
        threads = [threading.Thread(target=visit, args=(visitor, *more)) for visitor in here]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers, time.monotonic() - begun


def beside_a_batch(app: App, photographs: Photographs, numbers: Numbers) -> dict[str, float]:
    """How long single photographs take while another visitor has sent fifty."""
    batch = [(f"{number}.jpg", photographs[number]) for number in (numbers.next() for _ in range(_BATCH))]
    seconds, alone = [], []
    with Visitor(app.address) as busy, Visitor(app.address) as other:
        sent = ThreadPoolExecutor(1)
        for times, going in ((alone, None), (seconds, sent)):
            upload = going.submit(busy.upload, *batch) if going else None
            while len(times) < 5 or (upload and not upload.done()):
                number, start = numbers.next(), time.monotonic()
                other.upload((f"{number}.jpg", photographs[number]))
                times.append(time.monotonic() - start)
            if upload:
                upload.result()  # What went wrong with it is raised here.
    return {"alone_median_ms": _ms(statistics.median(alone)), "beside_median_ms": _ms(statistics.median(seconds)),
            "beside_longest_ms": _ms(max(seconds))}  # fmt: skip


def wrong(said: dict[int, list[str]], photographs: Photographs) -> list[str]:
    """The answers that differ from those of the library for the photograph alone."""
    from captioner.runtime import start_tensorflow

    start_tensorflow()
    from captioner.captioning.captioner import Captioner
    from captioner.config import SHIPPED
    from captioner.data.images import read
    from captioner.model.checkpoints import stage_folder
    from captioner.scoring.evaluation import load_search_config

    folder = stage_folder(SHIPPED)
    captioner, config = Captioner.load(folder), load_search_config(folder)
    found = []
    for number, sentences in said.items():
        alone = [captions[0].text for captions in captioner.caption([read(photographs[number])], config)[0].values()]
        if sentences != alone:
            found.append(f"photograph {number}: {sentences} instead of {alone}")
    return found


def memory(process: int) -> float:
    """The resident memory of the app, in MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def measure(seconds: float, rounds: Sequence[int]) -> dict:
    photographs, numbers, found, said = Photographs(), Numbers(), {}, {}
    with started() as app:
        with Visitor(app.address) as first:  # The decoders are loaded, and whatever is made once is made.
            for _ in range(20):
                first.upload(("first.jpg", photographs[numbers.next()]))
        before = memory(app.process)
        for visitors in rounds:
            answers, took = round_of(app, visitors, seconds, photographs, numbers)
            said |= answers.said
            time.sleep(_SETTLE)
            found[str(visitors)] = {
                "answers": len(answers.seconds),
                "a_second": round(len(answers.seconds) / took, 2),
                "median_ms": _ms(statistics.median(answers.seconds)),
                "p95_ms": _ms(statistics.quantiles(answers.seconds, n=20)[-1]),
                "errors": len(answers.errors),
                "memory_mb_more": round(memory(app.process) - before),
            }
            print(visitors, found[str(visitors)], *answers.errors[:3], file=sys.stderr)
        batch = beside_a_batch(app, photographs, numbers)
    different = wrong(said, photographs)
    print(*different[:5], sep="\n", file=sys.stderr)
    return {"visitors": found, "beside_a_batch_of_50": batch, "answers_held_against_the_library": len(said),
            "wrong_answers": len(different), "seconds_each": seconds}  # fmt: skip


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"how long each round takes ({SECONDS})")
    arguments = parser.parse_args()
    try:
        found = measure(arguments.seconds, VISITORS)
    except Lost as error:
        parser.error(str(error))
    print(json.dumps(found | {"broken_promises": broken(found)}, indent=1))
    return int(bool(broken(found)))


def broken(found: dict) -> list[str]:
    """What was promised and did not hold."""
    few, some, many = (found["visitors"][str(visitors)] for visitors in VISITORS)
    promises = {
        "an answer is wrong": found["wrong_answers"],
        "a visitor got no answer": any(one["errors"] for one in (few, some, many)),
        f"throughput falls between {VISITORS[1]} and {VISITORS[2]}": many["a_second"] < 0.95 * some["a_second"],
        "the slow ones wait longer than in proportion": many["p95_ms"] > few["p95_ms"] * VISITORS[2] / VISITORS[0],
        "memory does not return": many["memory_mb_more"] > 100,
    }
    return [promise for promise, is_broken in promises.items() if is_broken]


if __name__ == "__main__":
    sys.exit(main())
