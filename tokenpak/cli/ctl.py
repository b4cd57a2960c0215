"""The command `tokenpakctl`: looks after a running instance. Each subcommand is imported when it is called."""

import sys

COMMANDS = {
    "start": "tokenpak.cli.commands.start:start",
    "stop": "tokenpak.cli.commands.stop:stop",
    "restart": "tokenpak.cli.commands.restart:restart_command",
    "status": "tokenpak.cli.commands.status:status",
    "logs": "tokenpak.cli.commands.logs:logs",
}


def main() -> None:
    """Entry point; exits with the command's code."""
    from tokenpak.cli.application import run

    run("tokenpakctl", "Start, stop and look after TokenPak on this machine.", COMMANDS, sys.argv[1:])


if __name__ == "__main__":
    main()
