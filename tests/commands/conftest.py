"""Fixtures of the command line's tests: the commands in this process, small generated data, and trained decoders."""

import shutil

import pytest
from PIL import Image

from captioner.__main__ import main
from captioner.training import run as runs
from support.factories import write_by_split, write_flickr8k
from support.fakes import trained_on, write_stages

BROKEN, MISSING = "test-00001.png", "test-00002.png"


@pytest.fixture
def cli(capsys):
    """The command line in this process; returns the exit status, standard output and standard error."""

    def run(*arguments):
        capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            status = stopped.code
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def run(cli, encoder, monkeypatch):
    """The command line with the encoder of the session."""
    for module in ("captioner.captioning.captioner", "captioner.vision.encoders"):
        monkeypatch.setattr(f"{module}.load_encoder", lambda name, **_: encoder)
    return cli


@pytest.fixture
def interrupt(monkeypatch):
    """Raise Ctrl-C right after the first epoch of a variant was saved."""
    keep = runs.Run._keep

    def interrupt(variant, patch=monkeypatch):
        def keep_and_stop(self, state, *rest):
            keep(self, state, *rest)
            if self.variant == variant and len(state.epochs) == 1:
                raise KeyboardInterrupt

        patch.setattr(runs.Run, "_keep", keep_and_stop)

    return interrupt


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Generated pictures as a folder of Flickr8k; one test picture is damaged and one is missing."""
    root = write_flickr8k(tmp_path_factory.mktemp("data") / "flickr8k", 48, 16, 16)
    photographs = root / "Flicker8k_Dataset"
    (photographs / BROKEN).write_bytes(b"not a picture")
    (photographs / MISSING).unlink()
    return root


@pytest.fixture(scope="session")
def other_data(tmp_path_factory):
    """Other generated pictures with captions by split, in a folder called own."""
    return write_by_split(tmp_path_factory.mktemp("other") / "own", 12, 6, 6)


@pytest.fixture(scope="module")
def copied(tiny_run, tmp_path_factory):
    """A trained run that the tests of a module may write into."""
    return trained_on(shutil.copytree(tiny_run, tmp_path_factory.mktemp("copied") / "run"), "flickr8k")


@pytest.fixture(scope="module")
def staged(tiny_run, tmp_path_factory):
    """Decoders of two stages side by side."""
    return trained_on(write_stages(tiny_run, tmp_path_factory.mktemp("staged")), "flickr8k")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of two pictures, a damaged one, and files that are no pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, colour in (("b.png", "red"), ("a.JPG", "blue")):
        Image.new("RGB", (60, 40), colour).save(folder / name)
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("nothing")
    (folder / "inside").mkdir()
    Image.new("RGB", (60, 40)).save(folder / "inside" / "deep.png")
    return folder
