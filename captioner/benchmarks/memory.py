"""Captions photographs in a process of its own and prints how its peak memory grew; `captioner.benchmarks.captioning` starts it.

It is a process of its own so that nothing that was measured before can hide the growth.
"""

import json
import sys
from pathlib import Path

SETTLED = 20  # By this photograph every buffer that is kept has been made.


def peak_megabytes() -> float:
    """The most memory that this process has had so far."""
    status = Path("/proc/self/status")
    if status.is_file():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM:")) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


def own_megabytes() -> float:
    """The memory that this process has for itself alone, without the files that it looks into; where no one tells, its peak."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return peak_megabytes()
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("RssAnon:")) / 1024


def growth(folder: Path, photographs: int, weights: Path | None = None) -> float:
    """Megabytes by which the peak rises after the first photographs, all different, through the Captioner that the app uses."""
    from captioner.runtime import start_tensorflow

    start_tensorflow()
    from captioner.benchmarks.captioning import BEAM, photograph
    from captioner.captioning.captioner import Captioner
    from captioner.data.images import read
    from captioner.progress import Progress

    captioner, settled = Captioner.load(folder, weights=weights), 0.0
    with Progress("memory", photographs, "photographs") as bar:
        for number in range(photographs):
            if number == min(SETTLED, photographs - 1):
                settled = peak_megabytes()
            captioner.caption([read(photograph(number))], BEAM)
            bar.advance()
    return peak_megabytes() - settled


if __name__ == "__main__":
    print(json.dumps({"growth_mb": growth(Path(sys.argv[1]), int(sys.argv[2]), *map(Path, sys.argv[3:]))}))
