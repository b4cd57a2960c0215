"""The command `tokenpak`. Each subcommand is imported when it is called; `--version` imports nothing."""

import sys

COMMANDS = {
    "serve": "tokenpak.cli.commands.serve:serve",
    "compress": "tokenpak.cli.commands.compress:compress",
    "expand": "tokenpak.cli.commands.expand:expand",
    "vocabulary": "tokenpak.cli.commands.vocabulary:app",
    "mock-provider": "tokenpak.cli.commands.mock_provider:mock_provider",
    "demo": "tokenpak.cli.commands.demo:demo",
}


def main() -> None:
    """Entry point; exits with the command's code."""
    from tokenpak.cli.application import run

    run("tokenpak", "A local proxy that sends fewer tokens to LLM providers.", COMMANDS, sys.argv[1:])


if __name__ == "__main__":
    main()
