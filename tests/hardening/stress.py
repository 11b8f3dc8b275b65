"""What the stress tests share: options, the decoders that ship, visitors in threads and their answers, memory, the report."""

import argparse
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "browser")]  # For scripts; pytest has them already.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

if TYPE_CHECKING:
    from captioner.captioning.caption import Caption
    from captioner.captioning.captioner import Captioner
    from captioner.config import SearchConfig



def options(about: str, /, **numbers: tuple[int | float, str]) -> argparse.ArgumentParser:
    """A parser with one option for each number: its default and its meaning."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    for name, (default, meaning) in numbers.items():
        parser.add_argument(f"--{name}", type=type(default), default=default, metavar="N", help=f"{meaning} ({default})")
    return parser


def report(found: Mapping[str, Any], failed: object) -> int:
    """Print the result as JSON; the exit status."""
    print(json.dumps(found, indent=1))
    return int(bool(failed))


def with_promises(found: dict, promises: Mapping[str, object]) -> int:
    """Report the result and the promises that are broken."""
    broken = [promise for promise, is_broken in promises.items() if is_broken]
    return report(found | {"broken_promises": broken}, broken)


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Do the work `count` times at once, and wait until all are done."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def shipped() -> "tuple[Captioner, SearchConfig]":
    """The decoders that ship, with their search."""
    from captioner.captioning.captioner import Captioner
    from captioner.captioning.search_settings import load_search_config
    from captioner.config import SHIPPED
    from captioner.model.stage_folders import stage_folder

    folder = stage_folder(SHIPPED)
    return Captioner.load(folder), load_search_config(folder)


@dataclass
class Answers:
    """What the visitors of one round were answered, and how long they waited for it."""

    said: list[tuple[int, Any]] = field(default_factory=list)  # by photograph
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    took: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, number: int, said: Any, begun: float) -> None:
        with self.lock:
            self.said.append((number, said))
            self.seconds.append(time.monotonic() - begun)

    def lose(self, *errors: str) -> None:
        with self.lock:
            self.errors += errors

    @property
    def a_second(self) -> float:
        return len(self.said) / self.took

    def percentile_ms(self, percent: int) -> int:
        return round(1000 * statistics.quantiles(self.seconds, n=100)[percent - 1])


def alone(photographs: Mapping[int, bytes]) -> "dict[int, dict[str, Caption]]":
    """The library's best captions of each photograph by itself, by decoder."""
    captioner, config = shipped()
    from captioner.data.images import read

    found = {number: captioner.caption([read(data)], config)[0] for number, data in photographs.items()}
    return {number: {name: best[0] for name, best in captions.items()} for number, captions in found.items()}


def memory_mb(process: int | str, what: str = "VmRSS") -> float:
    """The resident memory of a process, or with VmHWM its peak; Linux only."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1024


def forget_peak(process: int | str) -> float:
    """Measure the peak from here on; returns the memory resident now."""
    Path(f"/proc/{process}/clear_refs").write_text("5")
    return memory_mb(process)
