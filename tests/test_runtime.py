"""TensorFlow starts quietly, other messages on standard error pass, and memory goes back to the system."""

import ctypes
import os
import subprocess
import sys

import pytest

from captioner.runtime import release_memory

START = "from captioner.runtime import start_tensorflow; start_tensorflow(); print('up')"


def started(folder, module=""):
    """The output of a process that starts TensorFlow, with this module in place of Keras."""
    if module:
        (folder / "keras.py").write_text(module)
    paths = os.pathsep.join([str(folder), os.getcwd(), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run([sys.executable, "-c", START], env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.process
def test_it_says_nothing(tmp_path):
    done = started(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "up\n", "")


@pytest.mark.process
def test_only_what_others_write_is_passed_on_and_everything_where_it_fails(tmp_path):
    done = started(tmp_path, "import os; os.write(2, b'I0000 loading\\n'); raise ImportError('no such library')")
    assert done.returncode == 1 and "I0000 loading" in done.stderr and "ImportError: no such library" in done.stderr
    module = "import os, sys, types; os.write(2, b'I0000 loading\\nthe disk is full\\n');"
    module += "sys.modules['tensorflow'] = types.SimpleNamespace(config=types.SimpleNamespace(threading=types.SimpleNamespace("
    module += "set_intra_op_parallelism_threads=print)))"
    done = started(tmp_path, module)
    assert done.returncode == 0 and done.stderr == "the disk is full\n"


# Eight threads hold memory at once; the C library then reports its heaps.
HEAPS = """
import ctypes, sys, threading
from captioner.runtime import few_heaps
if sys.argv[1] == "few":
    few_heaps()
together = threading.Barrier(8)
def hold():
    held = [bytes(100_000) for _ in range(50)]
    together.wait()
threads = [threading.Thread(target=hold) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Only the C library of Linux has a heap for each thread.")
def test_a_server_has_few_heaps():
    def heaps(what):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
        done = subprocess.run([sys.executable, "-c", HEAPS, what], env=environment, capture_output=True, text=True, check=True)
        return done.stderr.count("Arena ")

    if not heaps("many"):
        pytest.skip("This C library has no such heaps.")
    assert heaps("few") <= 2 < heaps("many")


@pytest.mark.skipif(sys.platform != "linux", reason="Only the C library of Linux can be asked.")
def test_free_memory_goes_back():
    """Without the call, the last of many small pieces would keep the memory below it."""
    try:
        assert ctypes.CDLL(None).malloc_trim
    except AttributeError:
        pytest.skip("This C library cannot be asked.")

    def resident():
        return int(open("/proc/self/statm").read().split()[1]) * 4096

    pieces = [bytes(50_000) for _ in range(4000)]
    last = bytes(50_000)
    del pieces
    before = resident()
    release_memory()
    assert resident() < before - 100_000_000 and last is not None
