"""Where everything of one TokenPak instance lives: one state directory, and every name inside it.

The difficulty is the sockets. A unix socket path may hold about a hundred bytes, so a deep state directory cannot carry
them; they then live in a private directory under /tmp, named by user and state directory. Every process and every shell
must come to the same answer from the state directory alone, which is why TMPDIR has no say here.
"""

import os
import stat
from pathlib import Path
from typing import NamedTuple

LONGEST_SOCKET_NAME = "supervisor.sock.4194304"
"""supervisord binds its socket under a temporary name that ends in its pid."""

SOCKET_PATH_LIMIT = 100
"""Bytes. Linux allows 107, macOS 103; libzmq copies the path and wants its own zero byte."""

SHORT_ROOT = Path("/tmp")  # noqa: S108 the directory below it is private, checked for owner and mode by `prepare`

PRIVATE = 0o700


class PathError(Exception):
    """A directory TokenPak needs is missing, foreign or open to others; the message says which and what to do."""


class Paths(NamedTuple):
    """The names of one instance. `run` holds what a restart may find again, `sockets` what each start makes anew.

    A plain tuple, because the smallest processes of the tree need it and nothing else that msgspec brings.
    """

    state: Path
    sockets: Path

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def journal(self) -> Path:
        """Event journals, one segment file a front (services/record)."""
        return self.run / "journal"

    @property
    def plans(self) -> Path:
        """Plan memory shared by the serving slots (services/memory)."""
        return self.run / "plans"

    @property
    def spend(self) -> Path:
        """What was spent, shared by the serving slots (services/spend)."""
        return self.run / "spend"

    @property
    def learned(self) -> Path:
        """What was learned of each model, shared by the serving slots (services/learned_file)."""
        return self.run / "learned"

    @property
    def redaction_key(self) -> Path:
        """Makes the placeholders of redacted secrets (services/redaction)."""
        return self.state / "redaction.key"

    @property
    def responses(self) -> Path:
        """Stored answers (services/response_file)."""
        return self.state / "responses.db"

    @property
    def responses_key(self) -> Path:
        """Tells credentials apart in the keys of stored answers (services/response_cache)."""
        return self.state / "responses.key"

    @property
    def boots(self) -> Path:
        """Recent starts and present pid of each process (processes/lifecycle)."""
        return self.run / "boots"

    @property
    def integrations(self) -> Path:
        """What was put into clients' settings (integrations/journal)."""
        return self.state / "integrations"

    @property
    def database(self) -> Path:
        return self.state / "tokenpak.db"

    @property
    def vocabulary(self) -> Path:
        return self.state / "vocabulary"

    @property
    def prices(self) -> Path:
        """A table of prices the user installed (config/prices)."""
        return self.state / "prices.json"

    @property
    def supervisor_conf(self) -> Path:
        """In the state directory itself, where `supervisorctl -c` is told to look."""
        return self.state / "supervisord.conf"

    @property
    def supervisor_pid(self) -> Path:
        return self.run / "supervisord.pid"

    @property
    def supervisor_sock(self) -> Path:
        return self.sockets / "supervisor.sock"

    @property
    def settings_file(self) -> Path:
        return self.run / "settings.json"

    @property
    def active_slot(self) -> Path:
        """Holds the number of the front slot that serves."""
        return self.run / "active_slot"

    @property
    def takeover(self) -> Path:
        """Locked while a restart brings up the other front slot; names that slot."""
        return self.run / "takeover"

    @property
    def instance_lock(self) -> Path:
        """Locked by the launcher for as long as it lives; names its pid."""
        return self.run / "serve.lock"

    @property
    def writer_sock(self) -> Path:
        return self.sockets / "writer.sock"

    @property
    def responses_sock(self) -> Path:
        """Where the writer takes answers to be stored (processes/shelf)."""
        return self.sockets / "responses.sock"

    @property
    def control_sock(self) -> Path:
        return self.sockets / "control.sock"

    def worker_sock(self, number: int) -> Path:
        return self.sockets / f"w{number:02d}.sock"

    def front_sock(self, slot: int) -> Path:
        """Where a serving slot answers for its own statistics."""
        return self.sockets / f"front_{slot:02d}.sock"

    def ready_file(self, slot: int) -> Path:
        """Exists, with the slot's pid inside, while front slot `slot` accepts connections."""
        return self.run / f"front_{slot:02d}.ready"


def default_state_dir() -> Path:
    import platformdirs  # not needed by the processes, which are told their state directory

    return platformdirs.user_state_path("tokenpak")


def default_config_file() -> Path:
    import platformdirs

    return platformdirs.user_config_path("tokenpak") / "config.toml"


def paths_for(state_dir: Path) -> Paths:
    """The paths of the instance in `state_dir`; touches nothing on disk. Relative and `~` paths are made absolute."""
    state = Path(os.path.abspath(state_dir.expanduser()))  # noqa: PTH100 resolve() would follow links the user chose
    return Paths(state=state, sockets=_sockets_for(state))


def prepare(paths: Paths) -> None:
    """Create the directories, private to the user. Raises PathError where one belongs to somebody else."""
    for directory in (paths.state, paths.run, paths.sockets, paths.logs, paths.journal, paths.plans, paths.boots):
        _private_directory(directory)
    _private_directory(paths.vocabulary)


def _sockets_for(state: Path) -> Path:
    beside = state / "run" / "sockets"
    if len(os.fsencode(beside / LONGEST_SOCKET_NAME)) <= SOCKET_PATH_LIMIT:
        return beside
    import hashlib  # drags in OpenSSL, a megabyte of every small process

    digest = hashlib.blake2b(os.fsencode(state), digest_size=8).hexdigest()
    return SHORT_ROOT / f"tokenpak-{os.getuid()}-{digest}"


def _private_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        found = directory.stat() if directory.parent != SHORT_ROOT else directory.lstat()
    except OSError as error:
        raise PathError(
            f"cannot create {directory}: {error.strerror}. Choose another place with --state-dir."
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PathError(f"{directory} is not a directory of this user. Remove it, or choose another --state-dir.")
    if stat.S_IMODE(found.st_mode) != PRIVATE:
        directory.chmod(PRIVATE)
