"""Familiarity against clouds of points whose directions are known, and its file against damage."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from captioner.errors import CheckpointError, FeatureError
from captioner.scoring.familiarity import FILE, Familiarity, summary_path


@pytest.fixture(scope="module")
def cloud():
    """240 photographs of 12 channels that differ in the first three most; a third dogs, a third cars, a third boats."""
    random = np.random.default_rng(0)
    points = random.normal(0, 0.1, (240, 12))
    points[:, :3] += random.normal(0, 1.0, (240, 3))
    points[:, 0] += np.repeat([0, 20, 40], 80)
    captions = [["a", name, "there"] for name in ("dog", "car", "boat") for _ in range(80)]
    return points.astype(np.float32), captions


@pytest.fixture(scope="module")
def familiarity(cloud):
    points, captions = cloud
    return Familiarity.fit(points[::2], points[1::2], captions[::2], "eyes", "a cloud", most=3)


def seen(point, regions=4):
    """Features whose mean over the regions is the point."""
    spread = np.random.default_rng(1).normal(size=(regions, len(point)))
    return (point + spread - spread.mean(axis=0)).astype(np.float32)


def test_held_out_photographs_fill_the_percentiles_evenly(familiarity, cloud):
    percentiles = [familiarity.judge(seen(point)).percentile for point in cloud[0][1::2]]
    assert np.mean(percentiles) == pytest.approx(50, abs=2)
    assert min(percentiles) < 5 and max(percentiles) > 95
    found = familiarity.novelty(cloud[0][1::2])
    assert np.sort(found) == pytest.approx(familiarity.distances, rel=1e-4)
    assert 100 * np.argsort(np.argsort(found)) / len(found) == pytest.approx(percentiles, abs=1)


def test_what_the_components_cannot_express_is_novel(familiarity, cloud):
    points, mean = cloud[0], cloud[0][::2].mean(0)
    basis = np.linalg.svd(cloud[0][::2] - mean, full_matrices=False)[2][:3]
    left_over = [point - mean - sum(np.dot(point - mean, axis) * axis for axis in basis) for point in points[1::2]]
    assert familiarity.distances == pytest.approx(np.sort(np.linalg.norm(left_over, axis=1)), abs=0.02)
    beyond, within = (familiarity.judge(seen(np.eye(12)[channel] * 3)) for channel in (7, 1))
    assert beyond.percentile == 100 and beyond.beyond
    assert within.percentile < 50 and not within.beyond


def test_kinds_are_named_by_the_words_that_mark_them(familiarity):
    nearest = [familiarity.judge(seen(np.eye(12)[0] * place)).kind for place in (0, 20, 40)]
    assert [kind.words[0] for kind in nearest] == ["dog", "car", "boat"]
    assert sum(kind.photographs for kind in familiarity.kinds) == 120 == familiarity.photographs


def test_what_was_saved_judges_alike(familiarity, cloud, tmp_path):
    familiarity.save(tmp_path)
    again = Familiarity.load(tmp_path)
    assert (again.encoder, again.data, again.kinds, again.held_out) == ("eyes", "a cloud", familiarity.kinds, 120)
    for point in cloud[0][:20]:
        assert again.judge(seen(point)) == familiarity.judge(seen(point))


def test_the_same_summary_is_the_same_file(familiarity, tmp_path):
    """A stage's curve is tied to the bytes, which measuring another stage must not change."""
    written = set()
    for _ in range(8):
        familiarity.save(tmp_path)
        written.add((tmp_path / FILE).read_bytes())
    assert len(written) == 1


def test_rounding_is_no_other_summary(familiarity):
    assert familiarity.agrees(replace(familiarity, mean=familiarity.mean + np.float32(1e-5)))
    assert not familiarity.agrees(replace(familiarity, mean=familiarity.mean + np.float32(0.1)))
    assert not familiarity.agrees(replace(familiarity, encoder="other")) and not familiarity.agrees(None)


def test_the_stages_share_a_summary_unless_one_has_its_own(familiarity, tmp_path):
    assert Familiarity.load(tmp_path) is None
    stage = tmp_path / "reward"
    stage.mkdir()
    familiarity.save(stage)
    assert Familiarity.load(stage).kinds == familiarity.kinds and not (stage / FILE).exists() and (tmp_path / FILE).is_file()
    (tmp_path / FILE).rename(stage / FILE)
    assert Familiarity.load(stage) and summary_path(stage) == stage / FILE and summary_path(tmp_path) == tmp_path / FILE


@pytest.mark.parametrize("damage", ["cut", "other", "facts", "shape", "nan"])
def test_a_damaged_file_is_refused(familiarity, tmp_path, damage):
    familiarity.save(tmp_path)
    path = tmp_path / FILE
    data, arrays = path.read_bytes(), load_file(path)
    with safe_open(path, "np") as file:
        facts = file.metadata()
    match damage:
        case "cut":
            path.write_bytes(data[: len(data) // 2])
        case "other":
            save_file({"mean": arrays["mean"]}, path, facts)
        case "facts":
            save_file(arrays, path, {"facts": facts["facts"].replace('"kinds"', '"sorts"')})
        case "shape":
            save_file(arrays | {"mean": arrays["mean"][1:]}, path, facts)
        case "nan":
            save_file(arrays | {"mean": arrays["mean"] * np.nan}, path, facts)
    with pytest.raises(CheckpointError, match=f"The file {FILE} cannot be used"):
        Familiarity.load(tmp_path)


def test_too_few_photographs_are_refused(cloud):
    with pytest.raises(FeatureError, match="two photographs or more"):
        Familiarity.fit(cloud[0][:1], cloud[0], cloud[1][:1], "eyes", "one")
