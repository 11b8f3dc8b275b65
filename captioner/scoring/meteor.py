"""METEOR 1.5 by its own Java program, where that is installed; no other METEOR is ever put in its place.

The environment variable TRIPTYCH_METEOR_JAR names meteor-1.5.jar, with its folder `data` beside it.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from captioner.errors import DatasetError

JAR = "TRIPTYCH_METEOR_JAR"
SECONDS = 600


def available() -> bool:
    """Whether both the program and Java are there."""
    return bool(os.environ.get(JAR)) and Path(os.environ[JAR]).is_file() and shutil.which("java") is not None


def score(captions: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]) -> float:
    """The system score of one caption per image, all cut into words."""
    most = max(len(image) for image in references)
    # The program wants equally many references per image; repeating one changes nothing, because only the best counts.
    padded = [reference for image in references for reference in [*image, *[image[-1]] * (most - len(image))]]
    with tempfile.TemporaryDirectory() as folder:
        files = [_write(Path(folder) / "captions", captions), _write(Path(folder) / "references", padded)]
        command = ["java", "-Xmx2G", "-jar", os.environ[JAR], *files, "-l", "en", "-norm", "-r", str(most)]
        return _final_score(_run(command))


def _write(path: Path, texts: Sequence[Sequence[str]]) -> str:
    path.write_text("".join(" ".join(words) + "\n" for words in texts), encoding="utf-8")
    return str(path)


def _run(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, check=True, timeout=SECONDS, encoding="utf-8").stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise DatasetError(f"METEOR could not be run ({error}); mend it or unset {JAR} to score without it.") from error


def _final_score(output: str) -> float:
    lines = [line for line in output.splitlines() if line.startswith("Final score:")]
    if not lines:
        raise DatasetError(f"METEOR ended without a final score; mend it or unset {JAR} to score without it.")
    return float(lines[-1].split(":")[1])
