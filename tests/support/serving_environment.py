"""A virtual environment with the packages that captions need and no others: links to those that are installed here."""

import importlib.metadata
import sysconfig
import venv
from collections.abc import Iterable
from importlib.metadata import Distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def build(folder: Path, wanted: Iterable[Requirement]) -> Path:
    """The Python of a new environment in this folder."""
    venv.create(folder, symlinks=True)
    places = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", "venv", vars=places))
    for distribution in required(wanted).values():
        for name in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            link = site / name
            if not link.exists():  # Several distributions may share a namespace.
                link.symlink_to(Path(str(distribution.locate_file(name))))
    return Path(sysconfig.get_path("scripts", "venv", vars=places)) / "python"


def required(wanted: Iterable[Requirement]) -> dict[str, Distribution]:
    """What these requirements install, with everything that they require in turn; each must be installed here."""
    found: dict[str, Distribution] = {}
    waiting, seen = [(canonicalize_name(one.name), frozenset(one.extras)) for one in wanted], set()
    while waiting:
        if (one := waiting.pop()) in seen:
            continue
        seen.add(one)
        name, extras = one
        found[name] = importlib.metadata.distribution(name)
        for need in map(Requirement, found[name].requires or ()):
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras or {""}):
                waiting.append((canonicalize_name(need.name), frozenset(need.extras)))
    return found


def installed_bytes(distributions: Iterable[Distribution]) -> int:
    """The size of the files that these distributions installed."""
    return sum(file.size or 0 for distribution in distributions for file in distribution.files or ())
