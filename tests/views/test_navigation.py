"""The app where something that it needs is missing or broken: plain words instead of pages, and nothing about the server."""

import shutil
import subprocess
import sys

import pytest

from captioner.config import SHIPPED
from captioner.model.stage_folders import stages_in
from captioner.views.launch_options import FOLDER_VARIABLE
from support.app_driver import APP, open_view, refusals


@pytest.fixture
def forgotten():
    """What the pages cache for some seconds is dropped before and after."""
    from captioner.views import startup_problems

    startup_problems._examined.clear()
    yield
    startup_problems._examined.clear()


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("missing", ["safetensors", "ai_edge_litert", "skimage gensim", "altair"])
def test_app_and_doctor_speak_whatever_is_missing(missing):
    """In a process of its own, in which the packages cannot be imported from the beginning."""
    opened = f"AppTest.from_file({str(APP)!r}, default_timeout=120)"
    if missing == "altair":  # The first page draws without it; AppTest cannot follow a link to another.
        charts = "from captioner.views.navigation import show_curves; show_curves()"
        opened = f"AppTest.from_string({charts!r}, default_timeout=120)"
    script = f"""
import sys
sys.modules |= dict.fromkeys({missing.split()})
from captioner.reports import doctor
doctor.CHECKS = [check for check in doctor.CHECKS if check[0] in ("Python", "Decoders", "Captions")]
from captioner.__main__ import main
status = main(["doctor"])
from streamlit.testing.v1 import AppTest
app = {opened}.run()
said = [element.proto.body for element in app.get("html") if "refusal" in element.proto.body]
print("EXCEPTIONS", len(app.exception), "SAID", len(said), *said)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=APP.parent, capture_output=True, text=True, timeout=300)
    assert "Traceback" not in done.stdout + done.stderr and "EXCEPTIONS 0" in done.stdout, done.stderr[-2000:]
    if missing == "altair":
        assert "altair cannot be imported; run pip install" in done.stdout
    elif missing in ("safetensors", "ai_edge_litert"):
        assert "FAIL" in done.stdout and f"Cannot import {missing}" in done.stdout


@pytest.mark.slow
def test_broken_decoders_are_told_without_the_servers_folders(tmp_path, monkeypatch, forgotten):
    folder = tmp_path / "of a class" / "checkpoints"
    shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns("seeds", "trials"))
    broken = folder / stages_in(folder)[-1] / "learned" / "decoder.safetensors"
    broken.write_bytes(broken.read_bytes()[:1000])
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    said = refusals(open_view("caption").run())
    assert "decoder.safetensors of learned has changed" in said[0]
    assert len(said) > 1 and said[1].startswith("Decoders: ")
    assert str(tmp_path) not in " ".join(said) and "/" not in "".join(said).replace("checkpoints/", "")
