"""Disks that are full, folders that may not be written, and folders that go away: a sentence, and nothing half done."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from captioner.config import VARIANTS
from captioner.storage import exists
from captioner.views.launch_options import FOLDER_VARIABLE
from support.pages import open_view, refusals, sentences
from support.written_data import write_flickr8k

ROOT = Path(__file__).resolve().parent.parent
# A program of its own that may write no file larger than so many bytes, which the system tells it as it tells of a full disk.
LIMITED = """
import resource, sys
limit = int(sys.argv[1])
from captioner.__main__ import main
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.exit(main(sys.argv[2:]))
"""
needs_limits = pytest.mark.skipif(os.name != "posix", reason="Only there can a program be held to a file's size.")


# Whoever may write everywhere gives up that power first.
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def limited(limit, *arguments, before=()):
    command = [*before, sys.executable, "-c", LIMITED, str(limit), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_flickr8k(tmp_path_factory.mktemp("data") / "flickr8k", 24, 8, 4)


@needs_limits
def test_no_room_for_features_and_then_none_for_the_run(data, tmp_path):
    """And when there is room again the same command goes on."""
    cache, out = tmp_path / "cache", tmp_path / "run"
    train = ("train", "--data", data, "--preset", "tiny", "--epochs", 1, "--variant", "learned", "--out", out, "--cache", cache)
    done = limited(100_000, *train)
    last = done.stderr.rstrip().splitlines()[-1]
    assert done.returncode == 2 and last.endswith("cannot be written (the disk did not take all of it); make room.")
    assert "Traceback" not in done.stderr and not list(cache.rglob("*.part"))
    done = limited(10_000_000, *train)  # The features fit.
    assert done.returncode == 0, done.stderr
    shutil.rmtree(out)
    done = limited(100_000, *train)
    last = done.stderr.rstrip().splitlines()[-1]
    assert done.returncode == 2 and "cannot be written (File too large); make room or choose another folder." in last
    assert "Traceback" not in done.stderr and not exists(out / "learned")
    done = limited(10_000_000, *train, "--resume")
    assert done.returncode == 0 and exists(out / "learned"), done.stderr


@needs_limits
def test_a_folder_that_may_not_be_written(tiny_run, tmp_path):
    almighty = os.geteuid() == 0
    if almighty and not shutil.which(POWERLESS[0]):
        pytest.skip("An administrator may write everywhere, and there is no setpriv to take that away.")
    folder = shutil.copytree(tiny_run, tmp_path / "run")
    for place in (folder, *folder.iterdir()):
        place.chmod(0o555)
    try:
        done = limited(10**9, "evaluate", "--data", "shapes", "--split", "dev", "--checkpoints", folder,
                       before=POWERLESS if almighty else ())  # fmt: skip
    finally:
        for place in (folder, *folder.iterdir()):
            place.chmod(0o755)
    assert done.returncode == 2 and "cannot be written (Permission denied)" in done.stderr and "Traceback" not in done.stderr


def test_decoders_that_go_away_while_the_app_runs(tiny_run, tmp_path, monkeypatch):
    """A page says so; and says captions again when they are back."""
    folder = shutil.copytree(tiny_run, tmp_path / "checkpoints")
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    app = open_view("caption").run()
    said = sentences(app)
    assert len(said) == len(VARIANTS)
    folder.rename(tmp_path / "elsewhere")
    app.run()
    assert not app.exception and any("There is no trained decoder in" in text for text in refusals(app))
    (tmp_path / "elsewhere").rename(folder)
    app.run()
    assert sentences(app) == said
