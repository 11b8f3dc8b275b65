"""The peak memory of this process, and programs that measure themselves in a process of their own."""

import json
import subprocess
import sys
from pathlib import Path

from captioner.errors import CheckpointError

_HOME = Path(__file__).resolve().parents[2]


def peak_megabytes() -> float:
    """The largest memory of this process so far."""
    status = Path("/proc/self/status")
    if status.is_file():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM:")) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


def run_apart(*arguments: str) -> dict[str, float]:
    """The JSON that a Python program prints; in a fresh process, where no earlier work can hide its memory."""
    child = subprocess.run([sys.executable, *arguments], cwd=_HOME, stdout=subprocess.PIPE, text=True, check=False)
    if child.returncode:
        raise CheckpointError(f"The process that was measured ended with status {child.returncode}; its message is above.")
    return json.loads(child.stdout)
