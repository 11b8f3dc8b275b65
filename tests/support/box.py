"""Runs a command as a container would, with Linux's own means: the files of a folder are its whole, read-only world.

It sees the system's programs and libraries, this Python and its packages at the places where an image has them, a fresh
/tmp, no network but its own, and no other process; it is another user, without any power. Where the system does not allow
this, as within most containers, the command runs beside everything else, from files that it may not write to.
"""

import ctypes
import fcntl
import functools
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

VENV = "/opt/venv"  # where the image has the packages
BASE = "/opt/base"  # where this Python stands, while an image is built, for the one of the image that it starts from
_TOOLS = ("unshare", "nsenter", "setpriv")
_SYSTEM = ("/usr", "/etc", "/sys", "/bin", "/sbin", "/lib", "/lib64")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_NO_SUID, _NO_DEVICES, _NO_PROGRAMS, _READ_ONLY = 2, 4, 8, 1
_REMOUNT, _BIND, _RECURSIVE = 32, 4096, 16384
_FIXED = 2 | 4 | 8 | 1024 | 2048  # of a mount's flags those that may not be taken away from it
_POWERLESS = ("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all")


@dataclass
class Box:
    """One container: `start` begins its first process, `run` asks another one into it, `stop` sends the first one a signal."""

    root: Path
    environment: dict[str, str]
    user: str = "10001:10001"
    place: str = "/"
    tmpfs: dict[str, str] = field(default_factory=lambda: {"/tmp": "mode=1777"})
    building: bool = False  # As while an image is built: with the network, and as one who may write everywhere.
    confined: bool = field(default_factory=lambda: can_confine())
    process: subprocess.Popen | None = None

    def __enter__(self) -> "Box":
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)

    def start(self, command: Sequence[str], output: Path) -> None:
        """Returns as soon as it has begun; what it says goes into the file."""
        self._furnish()
        reading, writing = os.pipe()
        with output.open("wb") as said, os.fdopen(reading) as report:
            whole, how = self._outer(command, writing), {"pass_fds": [writing]}
            if not self.confined:
                whole, how = self._beside(command)
            self.process = subprocess.Popen(whole, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, **how)
            os.close(writing)
            if self.confined and report.readline() != "ready\n":
                raise RuntimeError(f"The box could not be made: {output.read_text()}")

    def run(self, command: Sequence[str], seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Another process in it, as `docker exec` and health checks are, and what it said."""
        whole, how = (self._way_in(command), {"env": self.environment}) if self.confined else self._beside(command)
        return subprocess.run(whole, capture_output=True, text=True, timeout=seconds, **how)

    def stop(self, name: str, seconds: float) -> int:
        """Send the first process a signal, and give its exit status."""
        os.kill(self._first if self.confined else self.process.pid, signal.Signals[name])
        return self.process.wait(seconds)

    @property
    def _first(self) -> int:
        """The number that the first process has outside."""
        number = self.process.pid
        return int(Path(f"/proc/{number}/task/{number}/children").read_text().split()[0])

    def _outer(self, command: Sequence[str], report: int) -> list[str]:
        spaces = ["--mount", "--pid", "--ipc", "--fork", "--kill-child", *([] if self.building else ["--net"])]
        plan = {
            "root": str(self.root), "place": self.place, "tmpfs": self.tmpfs, "building": self.building, "report": report,
            "command": [*self._humble(), *command], "environment": self.environment, "shared": self._shared(),
        }  # fmt: skip
        return [_tool("unshare"), *_as_user(), *spaces, sys.executable, __file__, json.dumps(plan)]

    def _furnish(self) -> None:
        """Make the places where something will be mounted, or where it lies for one that runs beside everything else."""
        self.root.chmod(0o755)
        for place in (*self._shared(), "/proc", "/dev", *self.tmpfs):
            (self.root / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
        for place in filter(os.path.islink, _SYSTEM):
            with suppress(FileExistsError):
                (self.root / place.lstrip("/")).symlink_to(os.readlink(place))
        if not self.confined:
            self._lock()

    def _lock(self) -> None:
        for path in (self.root / "app").rglob("*"):
            path.chmod(path.stat().st_mode | 0o200 if self.building else path.stat().st_mode & ~0o222)
        for place in self.tmpfs:
            (self.root / place.lstrip("/")).chmod(0o1777)

    def _shared(self) -> dict[str, str]:
        """What of this system is seen inside, by where it lies there."""
        folders = {place: place for place in _SYSTEM if os.path.isdir(place) and not os.path.islink(place)}
        if not sys.base_prefix.startswith("/usr"):
            folders[sys.base_prefix] = sys.base_prefix
        if self.building:
            folders[BASE] = sys.prefix
        elif not (self.root / VENV.lstrip("/") / "bin").is_dir():
            folders[VENV] = sys.prefix
        return folders

    def _humble(self) -> list[str]:
        """As another user without power; while building, as who we are; where we are no real root, at least without power."""
        if self.building:
            return []
        return [_tool("setpriv"), *([] if _as_user() else self._other()), *_POWERLESS]

    def _other(self) -> list[str]:
        number, _, group = self.user.partition(":")
        return ["--reuid", number, "--regid", group, "--clear-groups"]

    def _way_in(self, command: Sequence[str]) -> list[str]:
        spaces = ["--mount", "--pid", "--ipc", "--root", "--wd", *([] if self.building else ["--net"])]
        user = ["--user", "--preserve-credentials"] if _as_user() else []
        return [_tool("nsenter"), "--target", str(self._first), *user, *spaces, *self._humble(), *command]

    def _beside(self, command: Sequence[str]) -> tuple[list[str], dict[str, object]]:
        """The command where there can be no box: the image's places lie elsewhere then, and the user is another if one can be."""
        places = {place: str(self.root / place.lstrip("/")) for place in self.tmpfs}
        places |= {place: source for place, source in self._shared().items() if place in (BASE, VENV)}
        environment = dict(self.environment)
        for place, real in places.items():
            environment = {name: value.replace(place, real) for name, value in environment.items()}
        how = {"cwd": self.root / self.place.lstrip("/"), "env": environment}
        other = [_tool("setpriv"), *self._other(), "--no-new-privs"]
        # By way of a shell: setpriv itself still has the power to start what the other user cannot.
        possible = not self.building and _works([*other, "sh", "-c", "python -c ''"], **how)
        return [*(other if possible else []), *command], how


def _works(command: Sequence[str], **how: object) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=60, **how).returncode == 0
    except OSError:
        return False


def _tool(name: str) -> str:
    return shutil.which(name) or name


def _as_user() -> list[str]:
    """Who is not root makes a box as the root of a space of users of its own."""
    return [] if os.geteuid() == 0 else ["--user", "--map-root-user"]


@functools.cache
def can_confine() -> bool:
    """Whether this system lets us make such a box, tried with an empty one, and its user could start this Python in it."""
    if not all(map(shutil.which, _TOOLS)) or not (_as_user() or os.stat(sys.prefix).st_mode & 0o005 == 0o005):
        return False
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said.txt"
        (root := Path(folder) / "root").mkdir()
        with Box(root, {"PATH": "/usr/bin:/bin"}, confined=True) as box:
            try:
                box.start(["sleep", "60"], said)
            except RuntimeError:
                return False
            return box.run(["true"]).returncode == 0


def _inside(plan: dict) -> None:
    """The other side: in spaces of its own already, make the world that the plan describes, and become the command."""
    root = Path(plan["root"])
    _mount(root, root, flags=_BIND | _RECURSIVE)
    for place, source in plan["shared"].items():
        _mount(source, target := root / place.lstrip("/"), flags=_BIND | _RECURSIVE)
        _mount(None, target, flags=_REMOUNT | _BIND | _READ_ONLY | os.statvfs(target).f_flag & _FIXED)
    _mount("proc", root / "proc", "proc", _NO_SUID | _NO_DEVICES | _NO_PROGRAMS)
    _devices(root / "dev")
    for place, options in plan["tmpfs"].items():
        _mount("tmpfs", root / place.lstrip("/"), "tmpfs", _NO_SUID | _NO_DEVICES | _NO_PROGRAMS, options)
    if not plan["building"]:
        _mount(None, root, flags=_REMOUNT | _BIND | _READ_ONLY | os.statvfs(root).f_flag & _FIXED)
        _raise_loopback()
    os.chroot(root)
    os.chdir(plan["place"])
    os.write(plan["report"], b"ready\n")
    os.close(plan["report"])
    os.execvpe(plan["command"][0], plan["command"], plan["environment"])


def _devices(folder: Path) -> None:
    _mount("tmpfs", folder, "tmpfs", _NO_SUID | _NO_PROGRAMS, "mode=755")
    for name in _DEVICES:
        (folder / name).touch()
        _mount(f"/dev/{name}", folder / name, flags=_BIND)
    (folder / "fd").symlink_to("/proc/self/fd")
    (folder / "shm").mkdir()
    _mount("tmpfs", folder / "shm", "tmpfs", _NO_SUID | _NO_DEVICES | _NO_PROGRAMS, "mode=1777,size=64m")


def _mount(source: object, target: Path, kind: str | None = None, flags: int = 0, options: str | None = None) -> None:
    words = [None if word is None else os.fsencode(str(word)) for word in (source, target, kind)]
    system = ctypes.CDLL(None, use_errno=True)
    if system.mount(*words, ctypes.c_ulong(flags), options and options.encode()):
        raise OSError(ctypes.get_errno(), f"{os.strerror(ctypes.get_errno())}: mount {source} on {target}")


def _raise_loopback() -> None:
    """A network of one's own has a loopback, but it is down at first."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


if __name__ == "__main__":
    _inside(json.loads(sys.argv[1]))
