"""Looks for a file that breaks `captioner/data/images.py`, guided by what code it reaches: `python tests/hardening/fuzz.py`

Ten minutes by default, with atheris (`pip install atheris`, Linux only). Anything but a picture or a sentence of ours ends it,
and so does a file that takes more than ten seconds. Prints how many files were tried and how much code they reached.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from stress import options, report

SECONDS, _HANGS_AFTER, _LARGEST = 600, 10, 60_000


def fuzz(arguments: list[str]) -> None:
    """In a process of its own, since libFuzzer ends the process when it is done."""
    import atheris

    with atheris.instrument_imports(include=["PIL", "captioner"]):
        from captioner.data import images
    from captioner.errors import ImageError

    # So that it tries many files and not a few large ones, and large pictures, as they are then, all the same.
    images.MAXIMUM_PIXELS, images._MOST_KEPT, images._STRIP = 1_000_000, 20_000, 8
    images.MAXIMUM_PIXELS_OF = dict.fromkeys(images.MAXIMUM_PIXELS_OF, 500_000)

    def try_one(data: bytes) -> None:
        try:
            picture = images.read(data, "file")
        except ImageError as error:
            assert str(error).startswith("'file' ") and str(error).endswith(".")
        else:
            assert picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype == "uint8"

    atheris.Setup([sys.argv[0], *arguments], try_one)
    atheris.Fuzz()


def seeds(folder: Path) -> None:
    """It starts from good files, small ones."""
    from strangers import extreme, no_pictures, whole

    for makers in (whole(), no_pictures(), extreme(20)):
        for stranger in makers:
            if len(stranger.data) <= _LARGEST:
                (folder / stranger.name).write_bytes(stranger.data)


def measure(seconds: int) -> dict:
    with tempfile.TemporaryDirectory() as place:
        corpus, found = Path(place, "corpus"), Path(place, "found")
        corpus.mkdir()
        found.mkdir()
        seeds(corpus)
        count = len(list(corpus.iterdir()))
        options = [f"-max_total_time={seconds}", f"-timeout={_HANGS_AFTER}", "-rss_limit_mb=2048", f"-max_len={_LARGEST}"]
        options += ["-print_final_stats=1", f"-artifact_prefix={found}/", "-verbosity=1", str(corpus)]
        inside = [sys.executable, __file__, "--inside", *options]
        said = subprocess.run(inside, capture_output=True, text=True, errors="replace").stderr
        tried = re.search(r"number_of_executed_units:\s*(\d+)", said)
        covered = re.findall(r"cov: (\d+)", said)
        broken = sorted(path.name for path in found.iterdir())
    if not tried and not broken:
        raise SystemExit(f"The fuzzer did not run: {said.strip().splitlines()[-1] if said.strip() else 'it said nothing'}")
    return {
        "files_tried": int(tried[1]) if tried else 0,
        "seconds": seconds,
        "places_reached": int(covered[-1]) if covered else 0,
        "begun_with": count,
        "broken_by": broken,
        "said": said.strip().splitlines()[-8:] if broken else [],
    }


def main() -> int:
    if sys.argv[1:2] == ["--inside"]:
        fuzz(sys.argv[2:])
        return 0
    found = measure(options(__doc__, seconds=(SECONDS, "how long")).parse_args().seconds)
    return report(found, found["broken_by"])


if __name__ == "__main__":
    sys.exit(main())
