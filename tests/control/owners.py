"""A service manager for tests: it keeps what it is told, and starts nothing but what a test gives it."""

from tokenpak.control.service_owner import OwnerRefused


class FakeOwner:
    """`calls` holds what was asked of it, in order; `start_it` stands for the service."""

    name = "systemd --user"

    def __init__(self, file, *, present=True, starts=lambda: None):
        self.file, self.present, self.start_it = file, present, starts
        self.calls, self.is_enabled, self.is_running, self.is_failing, self.refuses = [], False, False, False, ""

    def answers(self):
        return self.present

    def describe(self, settings, command):
        return f"run {' '.join(command.words)} for {settings.url}\n"

    def enabled(self):
        return self.is_enabled

    def runs(self):
        return self.is_running

    def failing(self):
        return self.is_failing

    def enable(self):
        self._do("enable")
        self.is_enabled = True

    def start(self):
        self._do("start")
        self.is_running = True
        self.start_it()

    def disable(self, stop_s):
        self._do("disable")
        assert self.file.exists()
        self.is_enabled = self.is_running = False

    def forget(self):
        self._do("forget")
        assert not self.file.exists()

    def log_hint(self):
        return "journalctl --user -u tokenpak"

    def _do(self, word):
        self.calls.append(word)
        if word == self.refuses:
            raise OwnerRefused(f"{word}: no")
