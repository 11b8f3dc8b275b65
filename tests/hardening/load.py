"""Many visitors at once, each with photographs of their own: `python tests/hardening/load.py` prints how the page bears it.

One, eight and thirty-two visitors upload one different photograph after another to the real app, on this machine alone, for a
bounded time. Every answer is held against what the library says of that photograph alone.
"""

import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count

from stress import Answers, alone, in_threads, memory_mb, options, with_promises

from browsing import App, started
from captioner.benchmarks.captioning import photograph
from visitor import Lost, Visitor

VISITORS, SECONDS = (1, 8, 32), 300
_SETTLE = 170  # seconds until the server has forgotten a visit that broke off
_BATCH = 50  # photographs that one visitor sends together while another waits for a single one


def visit(visitor: Visitor, numbers: Iterator[int], answers: Answers, end: float) -> None:
    try:
        while time.monotonic() < end:
            number = next(numbers)
            data, start = photograph(number), time.monotonic()
            visitor.upload((f"{number}.jpg", data))
            answers.take(number, visitor.sentences, start)
            answers.lose(*visitor.refusals, *visitor.exceptions)
            visitor.exceptions.clear()
    except Exception as error:  # Whatever it is, a visitor got no answer.
        answers.lose(f"{type(error).__name__}: {error}")


def round_of(app: App, visitors: int, seconds: float, numbers: Iterator[int]) -> Answers:
    with ExitStack() as visits:
        # All have the page before the clock starts: captions are timed, not arrivals.
        here = [visits.enter_context(Visitor(app.address)) for _ in range(visitors)]
        answers, begun = Answers(), time.monotonic()
        in_threads(visitors, lambda place: visit(here[place], numbers, answers, begun + seconds))
        answers.took = time.monotonic() - begun
        return answers


def beside_a_batch(app: App, numbers: Iterator[int]) -> dict[str, float]:
    """How long single photographs take while another visitor has sent fifty."""
    batch = [(f"{number}.jpg", photograph(number)) for number in (next(numbers) for _ in range(_BATCH))]
    seconds, alone = [], []
    with Visitor(app.address) as busy, Visitor(app.address) as other:
        sent = ThreadPoolExecutor(1)
        for times, going in ((alone, None), (seconds, sent)):
            upload = going.submit(busy.upload, *batch) if going else None
            while len(times) < 5 or (upload and not upload.done()):
                number, start = next(numbers), time.monotonic()
                other.upload((f"{number}.jpg", photograph(number)))
                times.append(time.monotonic() - start)
            if upload:
                upload.result()  # Raises what went wrong.
    return {"alone_median_ms": _ms(statistics.median(alone)), "beside_median_ms": _ms(statistics.median(seconds)),
            "beside_longest_ms": _ms(max(seconds))}  # fmt: skip


def wrong(said: dict[int, list[str]]) -> list[str]:
    """The answers that differ from the library's for the photograph alone."""
    expected = alone({number: photograph(number) for number in said})
    texts = {number: [caption.text for caption in captions.values()] for number, captions in expected.items()}
    return [f"photograph {one}: {said[one]} instead of {texts[one]}" for one in said if said[one] != texts[one]]


def measure(seconds: float, rounds: Sequence[int]) -> dict:
    numbers, found, said = count(), {}, {}
    with started() as app:
        with Visitor(app.address) as first:  # Warm-up.
            for _ in range(20):
                first.upload(("first.jpg", photograph(next(numbers))))
        before = memory_mb(app.process)
        for visitors in rounds:
            answers = round_of(app, visitors, seconds, numbers)
            said |= dict(answers.said)
            time.sleep(_SETTLE)
            found[str(visitors)] = {
                "answers": len(answers.seconds),
                "a_second": round(answers.a_second, 2),
                "median_ms": answers.percentile_ms(50),
                "p95_ms": answers.percentile_ms(95),
                "errors": len(answers.errors),
                "memory_mb_more": round(memory_mb(app.process) - before),
            }
            print(visitors, found[str(visitors)], *answers.errors[:3], file=sys.stderr)
        batch = beside_a_batch(app, numbers)
    different = wrong(said)
    print(*different[:5], sep="\n", file=sys.stderr)
    return {"visitors": found, "beside_a_batch_of_50": batch, "answers_held_against_the_library": len(said),
            "wrong_answers": len(different), "seconds_each": seconds}  # fmt: skip


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def promises(found: dict) -> dict[str, object]:
    """What must not happen, and whether it did."""
    few, some, many = (found["visitors"][str(visitors)] for visitors in VISITORS)
    return {
        "an answer is wrong": found["wrong_answers"],
        "a visitor got no answer": any(one["errors"] for one in (few, some, many)),
        f"throughput falls between {VISITORS[1]} and {VISITORS[2]}": many["a_second"] < 0.95 * some["a_second"],
        "the slow ones wait longer than in proportion": many["p95_ms"] > few["p95_ms"] * VISITORS[2] / VISITORS[0],
        "memory does not return": many["memory_mb_more"] > 100,
    }


def main() -> int:
    parser = options(__doc__, seconds=(float(SECONDS), "how long each round takes"))
    try:
        found = measure(parser.parse_args().seconds, VISITORS)
    except Lost as error:
        parser.error(str(error))
    return with_promises(found, promises(found))


if __name__ == "__main__":
    sys.exit(main())
