"""The command `tokenpak`. Each subcommand is imported when it is called; `--version` imports nothing."""

import sys

from tokenpak.cli.application import Command, reader_may_leave, run

STATUSLINE = "tokenpak.cli.commands.statusline:statusline"
"""Called without the parser of command lines, which takes longer to import than a status line may take."""

ABOUT = "A local proxy that sends fewer tokens to LLM providers."

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
    "savings": Command("tokenpak.cli.commands.savings:savings", "Show what was saved, by cause and mechanism."),
    "cost": Command("tokenpak.cli.commands.cost:cost", "Show what requests cost."),
    "requests": Command("tokenpak.cli.commands.requests:requests", "List recorded requests."),
    "show": Command("tokenpak.cli.commands.show:show", "Show the whole arithmetic of one request."),
    "diff": Command("tokenpak.cli.commands.diff:diff", "Show what was edited in one request, from its body."),
    "watch": Command("tokenpak.cli.commands.watch:watch", "Show requests as they end."),
    "integrate": Command("tokenpak.cli.commands.integrate:app", "Point a client at TokenPak, or take it back."),
    "statusline": Command(STATUSLINE, "Print one line for an agent's status line."),
    "db": Command("tokenpak.cli.commands.db:app", "Check, copy or migrate the store."),
    "events": Command(
        "tokenpak.cli.commands.events:events", "Print recorded requests as JSON lines, or as TIP-1.0 events."
    ),
    "mock-provider": Command(
        "tokenpak.cli.commands.mock_provider:mock_provider", "Run the embedded provider, for trying things out."
    ),
    "estimate": Command(
        "tokenpak.cli.commands.estimate:estimate", "Replay past sessions and tell what would have been saved."
    ),
    "verify-savings": Command(
        "tokenpak.cli.commands.verify_savings:verify_savings",
        "Count what was saved with the provider's own count, with your key.",
    ),
    "demo": Command("tokenpak.cli.commands.demo:demo", "Show the whole service at work and prove it."),
}


def main() -> None:
    """Entry point; exits with the command's code."""
    if sys.argv[1:2] == ["statusline"]:
        from tokenpak.cli.commands.statusline import statusline

        with reader_may_leave():
            sys.exit(statusline())
    run("tokenpak", ABOUT, COMMANDS, sys.argv[1:])


if __name__ == "__main__":
    main()
