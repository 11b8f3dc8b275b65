"""Rows of shards against NumPy reading the same files; mapped memory and open files stay limited."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from captioner.errors import FeatureError
from captioner.vision import feature_shards
from captioner.vision.feature_shards import Shards
from support.synthetic import SilentEncoder, write_cache

SHAPE = (9, 6)

# Reads every row of a cache once in random order, 16 at a time.
CHILD = """
import json, sys
from pathlib import Path
import numpy as np
from captioner.benchmarks.memory import peak_megabytes
from captioner.vision.feature_cache import FeatureCache
from support.synthetic import VIEW_NAMES, SilentEncoder, records

photographs = records(int(sys.argv[2]))
cache = FeatureCache(Path(sys.argv[1]), SilentEncoder())
wanted = [(record, view) for record in photographs for view in VIEW_NAMES]
order = np.random.default_rng(0).permutation(len(wanted))
before, total = peak_megabytes(), 0
for first in range(0, len(order), 16):
    part = [wanted[number] for number in order[first : first + 16]]
    total += cache.rows([record for record, _ in part], [view for _, view in part]).nbytes
print(json.dumps({"growth": peak_megabytes() - before, "read": total / 2**20}))
"""


def write(folder, count, seed=0):
    """Arrays of different lengths, and all their rows in one array."""
    random = np.random.default_rng(seed)
    arrays = [random.normal(size=(1 + number % 5, *SHAPE)).astype(np.float16) for number in range(count)]
    for number, array in enumerate(arrays):
        np.save(folder / f"{number}.npy", array)
    return arrays, np.concatenate(arrays)


def opened(folder, arrays):
    found, expected = Shards(SHAPE), 0
    for number, array in enumerate(arrays):
        assert found.add(folder / f"{number}.npy", len(array)) == expected
        expected += len(array)
    return found


@pytest.mark.parametrize("advice", [True, False])
def test_rows_are_those_of_the_files(tmp_path, monkeypatch, advice):
    """Also where the system takes no advice on mapped memory."""
    for name in () if advice else ("MADV_WILLNEED", "MADV_RANDOM"):
        monkeypatch.delattr(feature_shards.mmap, name, raising=False)
    arrays, everything = write(tmp_path, 20)
    found = opened(tmp_path, arrays)
    for wanted in ([0], [len(everything) - 1], [3, 3, 2], np.random.default_rng(1).permutation(len(everything)).tolist(), []):
        rows = found.read(wanted)
        assert rows.dtype == np.float16 and rows.flags.writeable
        np.testing.assert_array_equal(rows, everything[wanted] if wanted else np.empty((0, *SHAPE)))
    assert found.row_bytes == 9 * 6 * 2


def test_files_that_do_not_fit_are_not_added(tmp_path):
    arrays, _ = write(tmp_path, 1)
    found = Shards(SHAPE)
    assert found.add(tmp_path / "0.npy", len(arrays[0]) + 1) is None and found.add(tmp_path / "gone.npy", 1) is None
    assert found.add(tmp_path / "0.npy", len(arrays[0])) == 0


def test_mapped_files_and_bytes_are_limited(tmp_path, monkeypatch):
    arrays, everything = write(tmp_path, 100)
    monkeypatch.setattr(feature_shards, "_ROWS_AT_ONCE", 2)
    order = np.random.default_rng(2).permutation(len(everything))
    for files, held in ((5, 2**40), (10**6, 7 * 9 * 6 * 2)):
        monkeypatch.setattr(feature_shards, "HELD_FILES", files)
        monkeypatch.setattr(feature_shards, "HELD_BYTES", held)
        found = opened(tmp_path, arrays)
        for row in order:
            np.testing.assert_array_equal(found.read([row])[0], everything[row])
            assert len(found._mappings) <= min(files, 7)


def test_more_shards_than_a_process_may_open(tmp_path, monkeypatch):
    arrays, everything = write(tmp_path, 200)
    monkeypatch.setattr(feature_shards, "HELD_FILES", 10)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 60, hard))
    try:
        found = opened(tmp_path, arrays)
        np.testing.assert_array_equal(found.read(range(len(everything))), everything)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-7])])
def test_a_shard_lost_after_it_was_added(tmp_path, damage):
    arrays, _ = write(tmp_path, 2)
    found = opened(tmp_path, arrays)
    damage(tmp_path / "1.npy")
    np.testing.assert_array_equal(found.read([0])[0], arrays[0][0])
    with pytest.raises(FeatureError, match=r"1\.npy of the feature cache has disappeared"):
        found.read([len(arrays[0])])


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="The peak is read from /proc.")
def test_memory_does_not_grow_with_what_was_read(tmp_path):
    """Reads many times HELD_BYTES; the system also maps neighbouring pages."""
    photographs = 1_600
    write_cache(tmp_path, photographs, SilentEncoder())
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", CHILD, str(tmp_path), str(photographs)]
    paths = {"PYTHONPATH": os.pathsep.join([str(root), str(root / "tests")])}
    done = subprocess.run(command, cwd=root, env=os.environ | paths, check=True, stdout=subprocess.PIPE, timeout=300)
    found = json.loads(done.stdout)
    held = feature_shards.HELD_BYTES / 2**20
    assert found["read"] > 15 * held
    assert found["growth"] < 3 * held
