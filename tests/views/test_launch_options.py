"""What the app was started with, and that no path of the server reaches a page."""

from pathlib import Path

import pytest

from captioner.config import SHIPPED
from captioner.views import launch_options
from captioner.views.launch_options import FOLDER_VARIABLE, LaunchOptions, hide_server_paths


@pytest.fixture
def launched(monkeypatch):
    def launched(*arguments, folder=""):
        monkeypatch.setenv(FOLDER_VARIABLE, folder)
        monkeypatch.setattr("sys.argv", ["app.py", *arguments])
        return launch_options.launch_options()

    return launched


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {}),
        (["--checkpoints", "mine", "--stage", "first"], {"checkpoints": Path("mine"), "stage": "first"}),
        (["--checkpoints", "--stage"], {}),
        (["--stage", "third", "--unknown", "x"], {}),
        (["--runs", "a", "b", "--stage", "first", "--runs", "c"], {"runs": (Path("a"), Path("b"), Path("c")), "stage": "first"}),
        (["--runs"], {}),
        (["--encoder-weights", "w.h5"], {"encoder_weights": Path("w.h5")}),
    ],
)
def test_the_command_line_is_read_and_nonsense_ignored(launched, arguments, expected):
    assert launched(*arguments) == LaunchOptions(**{"checkpoints": SHIPPED} | expected)


def test_the_environment_names_the_folder_and_a_server_that_holds_the_page_has_the_last_word(launched, monkeypatch):
    assert launched("--checkpoints", "mine", folder="other").checkpoints == Path("other")
    monkeypatch.setattr(launch_options, "_of_the_server", None)
    launch_options.launch_with(LaunchOptions(Path("served"), "first"))
    assert launched("--checkpoints", "mine", folder="other") == LaunchOptions(Path("served"), "first")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("The file /srv/class/a.json of '/srv/b c/x' is gone.", "The file a.json of 'b c/x' is gone."),
        (r"C:\Users\me\a.json cannot be read.", "a.json cannot be read."),
        ("See captioner/ and http://example.org/a, or 3/4 of it and/or more.", None),
        (f"In {Path.home()}/my class/run there is nothing.", "In my class/run there is nothing."),
        (f"{Path.home()}/.cache/triptych is full.", ".cache/triptych is full."),
        (f"{SHIPPED / 'first'} is empty.", "checkpoints/first is empty."),
    ],
)
def test_paths_of_the_server_are_hidden(text, shown):
    assert hide_server_paths(text) == (text if shown is None else shown)
