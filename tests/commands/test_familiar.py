"""`familiar`: the summary of the training photographs and the curve of the captions along it."""

import json

import numpy as np
import pytest

from captioner.data.images import read_file, resize
from captioner.scoring import familiarity, novelty_curve


@pytest.mark.slow
def test_the_summary_judges_photographs_and_the_curve_holds_the_scores(run, data, other_data, copied, encoder):
    status, output, errors = run("familiar", "--data", data, "--checkpoints", copied, "--json")
    answer = json.loads(output)
    assert status == 0 and answer["photographs"] == 48 and answer["held_out"] == 16
    assert sum(kind["photographs"] for kind in answer["kinds"]) == 48 and all(kind["words"] for kind in answer["kinds"])
    summary = familiarity.Familiarity.load(copied)
    assert summary.encoder == encoder.fingerprint and summary.photographs == 48
    noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), np.uint8)
    noisy, drawn = (
        summary.judge(encoder.encode(resize(picture, encoder.size)[None])[0]).percentile
        for picture in (noise, read_file(data / "Flicker8k_Dataset" / "dev-00003.png"))
    )
    assert drawn < 100 == noisy
    assert answer["curve"] == novelty_curve.to_json(novelty_curve.load_curve(copied)) and len(answer["curve"]["bins"]) == 8
    status, output, _ = run("evaluate", "--data", data, "--split", "dev", "--checkpoints", copied, "--json")
    scored = {name: found["metrics"]["cider"] for name, found in json.loads(output)["variants"].items()}
    assert {name: answer["curve"]["whole"]["cider"][name]["value"] for name in scored} == pytest.approx(scored)
    status, output, _ = run("familiar", "--data", data, "--checkpoints", copied)
    assert status == 0 and "48 photographs in 32 kinds; 16 held out" in output
    assert "rank correlation" in output and "0 to 12" in output

    both = ["--data", data, "--data", other_data, "--checkpoints", copied, "--json"]
    answer = json.loads(run("familiar", *both)[1])
    assert (answer["photographs"], answer["held_out"]) == (60, 22)
    sets = json.loads(run("evaluate", *both, "--split", "dev")[1])["sets"].values()
    one, other = (found["variants"]["learned"]["metrics"]["cider"] for found in sets)
    assert answer["curve"]["whole"]["cider"]["learned"]["value"] == pytest.approx((16 * one + 6 * other) / 22)
