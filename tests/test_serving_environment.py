"""Captions need only the first section of requirements.txt, and import nothing of training where it is installed, too."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from captioner.config import SHIPPED, VARIANTS
from captioner.model.stage_folders import stage_folder
from captioner.reports.doctor import CAPTIONS, requirements
from support.factories import write_flickr8k
from support.serving_environment import build, installed_bytes, required

ROOT = Path(__file__).resolve().parent.parent
pytestmark = [
    pytest.mark.slow,
    pytest.mark.process,
    pytest.mark.skipif(os.name == "nt", reason="Links to folders need a privilege on Windows."),
]


@pytest.fixture(scope="module")
def without_training(tmp_path_factory):
    """The Python of an environment with the packages for captions alone."""
    return build(tmp_path_factory.mktemp("serving"), requirements()[CAPTIONS])


def run(python, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return subprocess.run([python, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("packages", ["for captions", "all"])
def test_everything_but_training(without_training, tmp_path, packages):
    data = write_flickr8k(tmp_path / "data", 4, 4, 4)
    names = (data / "Flickr8k_text" / "Flickr_8k.testImages.txt").read_text()
    (tmp_path / "images.txt").write_text(names)
    (tmp_path / "captions.txt").write_text("a red square\n" * len(names.splitlines()))
    shutil.copytree(SHIPPED, tmp_path / "checkpoints", ignore=shutil.ignore_patterns("seeds", "trials"))
    python = sys.executable if packages == "all" else without_training
    done = run(python, "tests/support/without_training.py", tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert {name: errors for name, (status, _, errors) in found["commands"].items() if status} == {}
    assert all(variant.title in found["commands"]["caption"][1] for variant in VARIANTS.values())
    assert ("Training also needs tensorflow, " in found["commands"]["doctor"][1]) == (packages != "all")
    assert not any(found["pages"].values()) and len(found["pages"]) == 5
    (entry,), documentation = found["service"]
    assert list(entry["captions"]) == list(VARIANTS) and documentation == 200
    assert found["imported"] == []


@pytest.mark.parametrize(
    ("command", "package"),
    [("captioner train --data shapes", "keras"), ("embeddings maps --checkpoints {}", "sklearn")],
)
def test_commands_of_training_say_what_they_need(without_training, tmp_path, command, package):
    shutil.copytree(stage_folder(SHIPPED), tmp_path, dirs_exist_ok=True)
    done = run(without_training, "-m", *command.format(tmp_path).split())
    assert done.returncode and "Traceback" not in done.stderr
    assert f"This command needs {package}, which is not installed; run pip install -r" in done.stderr


def test_packages_for_captions_are_small():
    sections = requirements()
    captions, training = sections[CAPTIONS], sections["Training"]
    least, all_of_them = (installed_bytes(required(wanted).values()) for wanted in (captions, captions + training))
    assert least <= 0.4 * all_of_them
