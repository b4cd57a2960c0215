"""The command `tokenpakctl`: looks after a running instance. Each subcommand is imported when it is called."""

import sys

from tokenpak.cli.application import Command, run

ABOUT = "Start, stop and look after TokenPak on this machine."

COMMANDS = {
    "install": Command(
        "tokenpak.cli.commands.install:install", "Install TokenPak as a service of yours that comes back by itself."
    ),
    "uninstall": Command(
        "tokenpak.cli.commands.uninstall:uninstall", "Remove the service, and give every client its settings back."
    ),
    "start": Command("tokenpak.cli.commands.start:start", "Start TokenPak in the background."),
    "stop": Command("tokenpak.cli.commands.stop:stop", "Stop it; open requests may end first."),
    "restart": Command(
        "tokenpak.cli.commands.restart:restart_command",
        "Restart a program, or all; the front without a refused connection.",
    ),
    "reload": Command(
        "tokenpak.cli.commands.reload:reload", "Read the configuration again, without refusing a request."
    ),
    "status": Command("tokenpak.cli.commands.status:status", "Show what runs, and what is wrong."),
    "doctor": Command("tokenpak.cli.commands.doctor:doctor", "Look for what is wrong, and say what to do."),
    "logs": Command("tokenpak.cli.commands.logs:logs", "Show a program's log, or follow it."),
}


def main() -> None:
    """Entry point; exits with the command's code."""
    run("tokenpakctl", ABOUT, COMMANDS, sys.argv[1:])


if __name__ == "__main__":
    main()
