"""A full disk and a folder that disappears: one sentence, and nothing half done."""

import os
import shutil
from contextlib import contextmanager

import pytest

from captioner.__main__ import main
from captioner.config import VARIANTS
from captioner.storage import exists
from captioner.views.launch_options import FOLDER_VARIABLE
from captioner.vision import encoders
from support.app_driver import open_view, refusals, sentences
from support.factories import write_flickr8k
from support.fakes import StubEncoder


@contextmanager
def limited(size):
    """Within it, no file of this process can grow beyond `size` bytes, which looks like a full disk."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(os.name != "posix", reason="Only POSIX systems limit the size of a file.")
@pytest.mark.slow
def test_no_room_for_features_and_then_none_for_the_run(tensorflow, tmp_path, monkeypatch, capsys):
    """And when there is room again the same command goes on."""
    monkeypatch.setattr(encoders, "load_encoder", lambda name, **_: StubEncoder())
    data, out = write_flickr8k(tmp_path / "data", 24, 8, 4), tmp_path / "run"
    cache = ("--cache", str(tmp_path / "cache"))
    train = ("train", "--data", str(data), "--preset", "tiny", "--epochs", "1", "--variant", "learned", "--out", str(out), *cache)

    def last_words(size, *more):
        with limited(size):
            status = main([*train, *more])
        return status, capsys.readouterr().err.rstrip().splitlines()[-1]

    status, said = last_words(1_000)
    assert status == 2 and str(tmp_path / "cache") in said and "make room" in said
    assert not list((tmp_path / "cache").rglob("*.part"))
    status, said = last_words(20_000)  # The features fit, the decoder does not.
    assert status == 2 and "cannot be written (File too large); make room" in said
    assert not exists(out / "learned")
    assert main([*train, "--resume"]) == 0 and exists(out / "learned")
    assert exists(out / "encoder")  # It does not ship.


@pytest.mark.slow
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
