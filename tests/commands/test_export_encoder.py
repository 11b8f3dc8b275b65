"""`export-encoder`: files of a fine-tuned encoder stay beside its exported form; arguments that do not go together."""

import json
import shutil

import numpy as np
import pytest

from captioner.config import ADAPTED, LITE2, SHIPPED
from captioner.storage import load_folder
from captioner.vision.encoder import Encoder
from captioner.vision.encoders import SHIPPED_ENCODER, samples

pytestmark = pytest.mark.slow


def test_the_encoder_that_ships_is_this_commands_work(cli, tmp_path, encoder):
    out = shutil.copytree(SHIPPED_ENCODER, tmp_path / "encoder")
    status, printed, _ = cli("export-encoder", "--out", out, "--json")
    facts, again = json.loads(printed), Encoder.load(out)
    assert status == 0 and facts["fingerprint"] == again.fingerprint == encoder.fingerprint
    assert facts["agreement"]["pictures"] == 6
    pictures = samples(encoder.size)
    np.testing.assert_allclose(again.encode(pictures), encoder.encode(pictures), atol=1e-3)
    assert set(load_folder(out)) == set(load_folder(SHIPPED_ENCODER))
    assert (out / "history.json").read_bytes() == (SHIPPED_ENCODER / "history.json").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--out", "new"], f"does not hold the weights of {ADAPTED}"),
        (["--out", str(SHIPPED_ENCODER), "--encoder", LITE2], "holds other files, which would be lost; give another --out"),
        (["--out", str(SHIPPED), "--encoder", LITE2], "holds other files, which would be lost; give another --out"),
        (["--out", str(SHIPPED_ENCODER), "--encoder-weights", "file.h5"], "Leave out --encoder-weights"),
        (["--out", "new", "--encoder", LITE2, "--precision", "int8"], "Add --data"),
        (["--out", "new", "--encoder", "alexnet"], "no encoder 'alexnet'"),
    ],
)
def test_what_does_not_go_together_is_refused(cli, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    status, _, errors = cli("export-encoder", *arguments)
    assert status == 2 and sentence in errors and not (tmp_path / "new").exists()
