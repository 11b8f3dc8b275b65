"""Many programs at once at the service: `python tests/hardening/service.py` prints how it bears them.

One client, then sixty-four, then one again send one photograph after another to a real `python -m captioner serve` on this
machine. Every answer is held against what the library says of that photograph alone, and the service's own counts against ours.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import IO, TYPE_CHECKING

from stress import ROOT, Answers, alone, in_threads, memory_mb, options, with_promises

from captioner.benchmarks.captioning import photograph

if TYPE_CHECKING:
    from captioner.captioning.caption import Caption

PROGRAM = ("-m", "captioner")
CLIENTS, SECONDS = 64, 60
LEAST_GAIN = 2.5  # so many times the throughput of one client
_DIFFERENT = 512  # photographs
_WARM_UP = 5  # seconds
_PATIENCE = 180
_SAME = 1e-3  # What rounding in larger batches may change of a caption's log-probability.
_HOST, _BORDER = "127.0.0.1", "photograph"
HEADERS = {"Content-Type": f"multipart/form-data; boundary={_BORDER}"}

Said = dict[str, tuple[str, float]]  # of every decoder the caption and its log-probability


def told(found: Answers) -> dict[str, float]:
    waits = {f"p{percent}_ms": found.percentile_ms(percent) for percent in (50, 95, 99)}
    return {"answers": len(found.said), "a_second": round(found.a_second, 2), "lost": len(found.errors), **waits}


class Photographs:
    """Different photographs, each as the body of a request; all are made before anything is measured."""

    def __init__(self, different: int):
        self.data = [photograph(number) for number in range(different)]
        disposition = 'Content-Disposition: form-data; name="files"; filename="photograph.jpg"\r\n'
        head, tail = f"--{_BORDER}\r\n{disposition}Content-Type: image/jpeg\r\n\r\n".encode(), f"\r\n--{_BORDER}--\r\n".encode()
        self.bodies = [head + data + tail for data in self.data]
        self._next = count()  # One step of it is not torn apart by threads.

    def take(self) -> tuple[int, bytes]:
        number = next(self._next) % len(self.data)
        return number, self.bodies[number]


@contextmanager
def started(log: IO[bytes], *options: str, program: Sequence[str] = PROGRAM) -> Iterator[tuple[int, subprocess.Popen]]:
    """A service with the decoders that ship, once it is ready: its port and its process."""
    with socket.create_server((_HOST, 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, *program, "serve", "--host", _HOST, "--port", str(port), *options]
    process = subprocess.Popen(command, cwd=ROOT, stderr=log)
    try:
        _wait_until_ready(process, port)
        yield port, process
    finally:
        process.kill()
        process.wait()


@contextmanager
def serving(log: IO[bytes], *options: str, program: Sequence[str] = PROGRAM) -> Iterator[tuple[int, int]]:
    """The same; it is told to end, and must end well."""
    with started(log, *options, program=program) as (port, process):
        yield port, process.pid
        process.send_signal(signal.SIGINT)
        if process.wait(_PATIENCE) != 0:
            raise RuntimeError(f"The service ended with status {process.returncode}.")


def _wait_until_ready(process: subprocess.Popen, port: int) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            if ask(http.client.HTTPConnection(_HOST, port, timeout=_PATIENCE), "/ready")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError("The service did not become ready.")


def ask(connection: http.client.HTTPConnection, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection.request("POST" if body else "GET", path, body, HEADERS if body else {})
    answer = connection.getresponse()
    return answer.status, answer.read()


def send(port: int, photographs: Photographs, found: Answers, end: float) -> None:
    """One client: a photograph, its answer, the next photograph."""
    connection = http.client.HTTPConnection(_HOST, port, timeout=_PATIENCE)
    while time.monotonic() < end:
        (number, body), start = photographs.take(), time.monotonic()
        try:
            status, answer = ask(connection, "/v1/captions", body)
            said = _read(answer) if status == 200 else None
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            status, answer, said = 0, repr(error).encode(), None
            connection.close()
        if said is None:
            found.lose(f"{status}: {answer[:200]!r}")
        else:
            found.take(number, said, start)


def _read(answer: bytes) -> Said:
    (entry,) = json.loads(answer)
    return {name: (best[0]["text"], best[0]["log_probability"]) for name, best in entry["captions"].items()}


def round_of(port: int, photographs: Photographs, clients: int, seconds: float) -> Answers:
    found, begun = Answers(), time.monotonic()
    in_threads(clients, lambda _: send(port, photographs, found, begun + seconds))
    found.took = time.monotonic() - begun
    print(f"{clients} at once:", told(found), *found.errors[:3], file=sys.stderr)
    return found


def differs(said: Said, expected: "dict[str, Caption]") -> bool:
    return said.keys() != expected.keys() or any(
        said[name][0] != caption.text or abs(said[name][1] - caption.log_probability) > _SAME
        for name, caption in expected.items()
    )


def counted(port: int) -> int:
    """How many photographs the service says that it has captioned."""
    _, page = ask(http.client.HTTPConnection(_HOST, port, timeout=_PATIENCE), "/metrics")
    lines = page.decode().splitlines()
    return int(float(next(line for line in lines if line.startswith("triptych_photographs_total{")).split()[-1]))


def measure(seconds: float, clients: int, different: int) -> dict:
    photographs = Photographs(different)
    with tempfile.TemporaryFile() as log, serving(log) as (port, process):
        round_of(port, photographs, clients, _WARM_UP)  # Whatever is made once is made.
        before, captioned = memory_mb(process), counted(port)
        rounds = [round_of(port, photographs, *round) for round in ((1, seconds / 2), (clients, seconds), (1, seconds / 2))]
        after, captioned = memory_mb(process), counted(port) - captioned
    answers = [answer for one in rounds for answer in one.said]
    expected = alone({number: photographs.data[number] for number, _ in answers})
    wrong = [(number, said, expected[number]) for number, said in answers if differs(said, expected[number])]
    print(*wrong[:5], sep="\n", file=sys.stderr)
    first, many, last = rounds
    one = (len(first.said) + len(last.said)) / (first.took + last.took)
    return {
        "seconds": seconds,
        "clients": clients,
        "one_at_a_time": [told(first), told(last)],
        "together": told(many),
        "gain": round(many.a_second / one, 2),
        "answers_held_against_the_library": len(answers),
        "different_photographs": len(expected),
        "wrong_answers": len(wrong),
        "lost_answers": sum(len(one.errors) for one in rounds),
        "counted_by_the_service": captioned,
        "memory_mb_more": round(after - before),
    }


def promises(found: dict) -> dict[str, object]:
    """What must not happen, and whether it did."""
    return {
        "an answer is wrong": found["wrong_answers"],
        "an answer was lost": found["lost_answers"],
        "the service has counted otherwise": found["counted_by_the_service"] != found["answers_held_against_the_library"],
        f"many at once gain less than {LEAST_GAIN} times": found["gain"] < LEAST_GAIN,
    }


def main() -> int:
    parser = options(
        __doc__,
        seconds=(float(SECONDS), "how long all clients send"),
        clients=(CLIENTS, "number of clients"),
        different=(_DIFFERENT, "different photographs"),
    )
    given = parser.parse_args()
    found = measure(given.seconds, given.clients, given.different)
    return with_promises(found | {"cores": len(os.sched_getaffinity(0))}, promises(found))


if __name__ == "__main__":
    sys.exit(main())
