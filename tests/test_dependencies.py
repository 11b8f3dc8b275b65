"""Dependencies: pinned, and without a known vulnerability where the index can be asked."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"
_MINOR = re.compile(r"==\d+\.\d+\.(\*|\d+)")


def pins(requirements: str = REQUIREMENTS.read_text(encoding="utf-8")):
    """Every requirement with the reason in its comment."""
    for line in requirements.splitlines():
        text, _, reason = line.partition("#")
        if text.strip():
            yield Requirement(text), reason.strip()


def test_every_version_is_held_to_its_minor_number_or_says_why_not():
    odd = [str(pin) for pin, reason in pins() if not (_MINOR.fullmatch(str(pin.specifier)) or reason)]
    assert not odd


@pytest.mark.slow
@pytest.mark.process
def test_no_installed_version_has_a_known_hole():
    if importlib.util.find_spec("pip_audit") is None:
        pytest.skip("pip-audit is not installed; with it this test asks the index about every version.")
    command = [sys.executable, "-m", "pip_audit", "--local", "--format", "json", "--timeout", "10"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if not done.stdout.startswith("{"):
        pytest.skip(f"The index could not be asked: {done.stderr.strip().splitlines()[-1:]}")
    asked = [package for package in json.loads(done.stdout)["dependencies"] if "vulns" in package]
    if not asked:
        pytest.skip("The index knows nothing of holes.")
    ours = {re.sub(r"[-_.]+", "-", pin.name).lower() for pin, _ in pins()}
    holes = {package["name"]: [hole["id"] for hole in package["vulns"]] for package in asked if package["vulns"]}
    assert not {name: found for name, found in holes.items() if name in ours}
