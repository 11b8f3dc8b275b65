"""A sound installation passes every check; each defect fails its check with a reason and advice."""

import importlib.metadata
import json
import re
import shutil

import numpy as np
import pytest

from captioner.__main__ import main
from captioner.captioning.captioner import Captioner
from captioner.captioning.search_settings import load_search_config
from captioner.config import SHIPPED, VARIANTS
from captioner.data.images import read
from captioner.data.samples import SAMPLES
from captioner.model.stage_folders import stage_folder
from captioner.reports import doctor
from captioner.reports.doctor import CHECKS, examine
from captioner.vision.encoder import NETWORK
from captioner.vision.encoders import SHIPPED_ENCODER
from captioner.vision.nouns import Strongest, nouns

NAMES = [what for what, _, _ in CHECKS]


def found(folder, *only, monkeypatch):
    """The results of some checks."""
    monkeypatch.setattr(doctor, "CHECKS", [check for check in CHECKS if check[0] in only])
    return list(examine(folder))


@pytest.mark.slow
def test_a_sound_installation_is_sound_and_captions_as_the_page_does():
    """With the decoders' own search setting."""
    findings = list(examine(SHIPPED))
    assert [finding.what for finding in findings] == NAMES
    assert [finding for finding in findings if not finding.fine] == [] and not any(finding.advice for finding in findings)
    said = {finding.what: finding.says for finding in findings}
    assert re.search(r"in Cat the CNN sees cat \(.*in Coffee the CNN sees coffee \(", said["Encoder"])
    assert "first (3 decoders, " in said["Decoders"] and "reward (3 decoders, " in said["Decoders"]
    folder = stage_folder(SHIPPED)
    pictures = [read(sample.read(), sample.file) for sample in SAMPLES if sample.title in ("Cat", "Coffee")]
    for found in Captioner.load(folder).caption(pictures, load_search_config(folder)):
        assert all(f"{VARIANTS[name].title} “{captions[0].text}”" in said["Captions"] for name, captions in found.items())


def test_packages_missing_and_of_another_version(tmp_path, monkeypatch):
    """Captions need neither TensorFlow nor pytest, but a version that is there must be the right one."""
    real, versions = importlib.metadata.version, {"tensorflow": None, "pytest": None}

    def version(name):
        if (given := versions.get(name, "")) is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return given or real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    (finding,) = found(tmp_path, "Packages", monkeypatch=monkeypatch)
    assert finding.fine and finding.says.endswith(
        "Captions need no more. Training also needs tensorflow. Testing also needs pytest."
    )
    versions |= {"altair": None, "keras": "1.2.3"}
    (finding,) = found(tmp_path, "Packages", monkeypatch=monkeypatch)
    assert not finding.fine and finding.says.startswith("altair is missing; keras is 1.2.3, not ")
    assert "pip install -r requirements.txt" in finding.advice


def test_free_memory_is_what_the_system_or_the_container_has_left(tmp_path, monkeypatch):
    for megabytes, fine in ((600, False), (None, True)):
        with monkeypatch.context() as patch:
            patch.setattr(doctor, "free_memory", lambda free=megabytes: free)
            (finding,) = found(tmp_path, "Memory", monkeypatch=monkeypatch)
            assert finding.fine == fine and bool(finding.advice) == ("600 MB" in finding.says) != fine
    assert doctor.free_memory() is None or doctor.free_memory() > 10
    monkeypatch.setattr(doctor, "_available", lambda: 5 << 30)
    monkeypatch.setattr(doctor, "_left_in_container", lambda: 1 << 30)
    assert doctor.free_memory() == 1024


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / "word2vec" / "table.json").write_bytes(b"{}"), "table.json of word2vec has changed"),
        (lambda folder: shutil.rmtree(folder / "fasttext"), "decoder FastText is missing"),
        (lambda folder: [shutil.rmtree(folder / name) for name in VARIANTS], "There is no trained decoder in"),
    ],
    ids=["damaged", "one missing", "all missing"],
)
def test_decoders_that_are_not_whole(tiny_run, tmp_path, monkeypatch, damage, sentence):
    folder = shutil.copytree(tiny_run, tmp_path / "run")
    damage(folder)
    (finding,) = found(folder, "Decoders", monkeypatch=monkeypatch)
    assert not finding.fine and sentence in finding.says
    assert finding.advice or "copy" in finding.says.lower() or "Train them" in finding.says


@pytest.mark.slow
def test_weights_that_see_other_things(tmp_path, monkeypatch):
    seen = Strongest(np.array([[nouns().words.index("frog")]], np.int32), np.array([[[0.9, 1]]], np.float32))
    monkeypatch.setattr("captioner.model.word_slots.strongest_nouns", lambda *_, **__: seen)
    (finding,) = found(tmp_path, "Encoder", monkeypatch=monkeypatch)
    assert not finding.fine and "in Cat the CNN sees frog (90%)" in finding.says and "git checkout checkpoints" in finding.advice


def test_an_encoder_that_was_cut_short(monkeypatch, tmp_path):
    shutil.copytree(SHIPPED_ENCODER, tmp_path / "encoder")
    (tmp_path / "encoder" / NETWORK).write_bytes(b"cut short")
    (finding,) = found(tmp_path, "Encoder", monkeypatch=monkeypatch)
    assert not finding.fine and NETWORK in finding.says and "copy" in finding.says


def test_one_broken_check_does_not_stop_the_others(tmp_path, monkeypatch):
    def cannot(_folder):
        raise ImportError("no module named x", name="x")

    def breaks(_folder):
        raise RuntimeError("something odd")

    monkeypatch.setattr(doctor, "CHECKS", [("A", cannot, ""), ("B", breaks, "Do this."), CHECKS[0]])
    first, second, third = examine(tmp_path)
    assert not first.fine and first.says.startswith("Cannot import x") and "pip install" in first.advice
    assert (second.fine, second.says, second.advice) == (False, "RuntimeError: something odd", "Do this.") and third.fine


def test_the_command(tiny_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "CHECKS", [check for check in CHECKS if check[0] in ("Python", "Decoders")])
    assert main(["doctor", "--checkpoints", str(tiny_run)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("ok    Python: Python 3.") and said[-1] == "All checks passed."
    assert main(["doctor", "--checkpoints", str(tmp_path), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["fine"] is False and [one["fine"] for one in answer["findings"]] == [True, False]
    assert main(["doctor", "--checkpoints", str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "1 of 2 checks failed."
