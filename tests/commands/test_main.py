"""The command line as a whole: help, usage errors, interruptions, and where output goes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from captioner.commands import serve
from captioner.commands.parser import COMMANDS
from captioner.errors import EncoderError
from captioner.reports.doctor import CHECKS

ROOT = Path(__file__).resolve().parents[2]
NAMES = [module.__name__.rpartition(".")[2].replace("_", "-") for module in COMMANDS]
HEAVY = ("numpy", "tensorflow", "keras", "gensim", "fasttext", "streamlit")
HELP = f"""
import sys
from captioner.__main__ import main
for command in [[], *([name] for name in {NAMES})]:
    try:
        main([*command, "--help"])
    except SystemExit as stopped:
        assert stopped.code == 0
print([name for name in {HEAVY} if name in sys.modules])
"""


def test_help_loads_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", HELP], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.count("usage: ") == len(NAMES) + 1 and done.stderr == ""
    assert done.stdout.count("  --json ") == len(NAMES) and done.stdout.endswith("\n[]\n")


@pytest.mark.parametrize("arguments", [[], ["fly"], ["caption"], ["evaluate", "--data", "x", "--split", "train"], ["score"]])
def test_a_usage_error_is_one_line(cli, arguments):
    status, output, errors = cli(*arguments)
    assert status == 2 and output == "" and errors.startswith("triptych: ") and errors.count("\n") == 1


def test_an_interruption_has_a_message_and_a_status(cli, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("captioner.commands.score.choices.dataset", stop)
    monkeypatch.setattr("captioner.commands.score._lines", lambda path: ["a"])
    assert cli("score", "--data", "x", "--images", "x", "--captions", "x") == (130, "", "triptych: Interrupted.\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_reported_and_a_closed_pipe_is_not():
    script = "import sys\nfrom captioner.__main__ import finish\nprint('a caption')\nsys.exit(finish(0))"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = {"args": [sys.executable, "-c", script], "cwd": ROOT, "env": environment, "stderr": subprocess.PIPE, "text": True}
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as pipe, open("/dev/full", "wb") as full:
        closed, refused = (subprocess.run(**command, stdout=stream) for stream in (pipe, full))
    assert (closed.returncode, closed.stderr) == (1, "")
    assert refused.returncode == 2 and "standard output" in refused.stderr and refused.stderr.count("\n") == 1


@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize("command", ["caption", "card"])
def test_a_closed_pipe_ends_any_command_quietly(run, pictures, copied, monkeypatch, command, form):
    def broken(_text):
        raise BrokenPipeError

    monkeypatch.setattr(sys.stdout, "write", broken)
    files = [pictures / "b.png"] * (command == "caption")
    assert run(command, *files, "--checkpoints", copied, *form) == (1, "", "")


LOADING = {
    "evaluate": ["--split", "dev", "--data"],
    "familiar": ["--data"],
    "caption": [],
    "serve": ["--port", "0"],
    "bench": [],
    "doctor": [],
}


@pytest.mark.parametrize("command", LOADING)
def test_every_command_that_captions_takes_encoder_weights(run, data, pictures, copied, tmp_path, monkeypatch, command):
    asked = []

    def load(folder, *_given, weights=None, **_named):
        asked.append((folder, weights))
        raise EncoderError("Stopped here.")

    monkeypatch.setattr("captioner.captioning.captioner.Captioner.load", load)
    growth = "captioner.benchmarks.captioning.memory_growth"
    monkeypatch.setattr(growth, lambda folder, _count, weights: asked.append((folder, weights)) or 0.0)
    monkeypatch.setattr("captioner.reports.doctor.CHECKS", [check for check in CHECKS if check[0] == "Captions"])
    monkeypatch.setattr("captioner.commands.serve.few_heaps", lambda: None)
    monkeypatch.setattr("captioner.commands.serve._serve", lambda *given: serve._application(*given[:3], None, None))
    monkeypatch.setattr("captioner.service.app.create_app", lambda load, *_: load())
    more = [data] * ("--data" in LOADING[command]) + [pictures / "b.png"] * (command == "caption")
    arguments = [command, *LOADING[command], *more, "--checkpoints", copied, "--encoder-weights", tmp_path / "vgg16.h5"]
    status, output, errors = run(*arguments)
    assert "Stopped here." in output + errors and status != 0
    assert asked and set(asked) == {(copied, tmp_path / "vgg16.h5")} and len(asked) == 1 + (command == "bench")


def test_a_command_that_does_not_caption_refuses_encoder_weights(cli):
    status, _, errors = cli("card", "--encoder-weights", "vgg16.h5")
    assert status == 2 and "--encoder-weights" in errors
