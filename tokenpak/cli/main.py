"""The command `tokenpak`. Each subcommand is imported when it is called; `--version` imports nothing."""

import sys

from tokenpak.cli.application import Command, run

COMMANDS = {
    "serve": Command("tokenpak.cli.commands.serve:serve", "Run the whole service in the foreground."),
    "compress": Command(
        "tokenpak.cli.commands.compress:compress", "Show what TokenPak would change in a request body."
    ),
    "expand": Command(
        "tokenpak.cli.commands.expand:expand", "Expand every marker of a sent request, from its bytes alone."
    ),
    "verify-meaning": Command(
        "tokenpak.cli.commands.verify_meaning:verify_meaning",
        "Ask a model, with your key, about text that markers stand for.",
    ),
    "vocabulary": Command("tokenpak.cli.commands.vocabulary:app", "Find or fetch the tokenizer's vocabulary."),
    "prices": Command(
        "tokenpak.cli.commands.prices:app", "Show, compare or replace the prices that bills are told by."
    ),
    "mock-provider": Command(
        "tokenpak.cli.commands.mock_provider:mock_provider", "Run the embedded provider, for trying things out."
    ),
    "demo": Command("tokenpak.cli.commands.demo:demo", "Show the whole service at work and prove it."),
}


def main() -> None:
    """Entry point; exits with the command's code."""
    run("tokenpak", "A local proxy that sends fewer tokens to LLM providers.", COMMANDS, sys.argv[1:])


if __name__ == "__main__":
    main()
