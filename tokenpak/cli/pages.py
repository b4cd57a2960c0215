"""The pages of `--help`, by the words that call a command: what stands below its options (`manual` puts it there).

Examples are lines somebody types, whole: a test gives each to the parser. An exit code is told where it says more than that
something could not be done. Lines fit into 80 columns.
"""

from collections.abc import Mapping
from types import MappingProxyType

from tokenpak.cli.manual import Page
from tokenpak.control.states import Code

_STATE_DIR = "Directory for everything TokenPak keeps."
_KEY = {
    "ANTHROPIC_API_KEY": "Your key, for requests of Anthropic's.",
    "OPENAI_API_KEY": "Your key, for requests of OpenAI's.",
}
_STATES = {
    Code.READY: "ready: requests are carried, and nothing is missing",
    Code.DEGRADED: "degraded: requests are carried, and it says what is missing",
    Code.STARTING: "starting: new connections wait on the open port",
    Code.STOPPED: "stopped: nothing runs",
    Code.DRAINING: "draining: open requests end, and no new ones are taken",
}

PAGES: Mapping[str, Page] = MappingProxyType(
    {
        "tokenpak": Page(
            examples={
                "tokenpak estimate": "What would have been saved in your past sessions; reads only.",
                "tokenpak integrate claude-code --apply": "Point Claude Code at TokenPak; starts it if need be.",
                "tokenpak savings": "What was saved today and in seven days.",
            },
            exits={
                0: "it was done",
                1: "it was not done; one line says why and what to do",
                2: "nothing was sent, where that takes your yes",
                64: "the command line could not be understood",
                130: "interrupted by Ctrl-C",
            },
            variables={
                "TOKENPAK_CONFIG": "The configuration file, instead of the one below.",
                "TOKENPAK_STATE_DIR": _STATE_DIR,
                "TOKENPAK_<KEY>": "A key of the configuration: TOKENPAK_LEVEL.",
                "TOKENPAK_UPSTREAM_<NAME>": "Base URL of one provider.",
                "TIKTOKEN_CACHE_DIR": "Where the tokenizer's vocabulary is looked for, too.",
            },
            files={
                "config.toml": "In the user's configuration directory (~/.config/tokenpak). You write it.",
                "tokenpak.db": "In the user's state directory (~/.local/state/tokenpak): the requests.",
            },
            see=("tokenpakctl", "docs/quickstart.md", "docs/reference/configuration.md"),
        ),
        "tokenpak serve": Page(
            examples={
                "tokenpak serve": "In the foreground, on 127.0.0.1:8766.",
                "tokenpak serve --port 0 --upstream anthropic=http://127.0.0.1:9000": "A free port, and a provider of yours.",
            },
            exits={0: "it was stopped, and has drained", 1: "it could not start; one line says why"},
            see=("tokenpakctl start", "tokenpakctl install", "docs/operations.md"),
        ),
        "tokenpak compress": Page(
            examples={
                "tokenpak compress body.json --explain": "Each text: what was made of it, or why nothing.",
                "tokenpak compress body.json --only line-runs --floor 0": "One pass alone, from the first token on.",
                "tokenpak compress - --json": "The edits as JSON, of a body on standard input.",
            },
            see=("tokenpak expand", "tokenpak diff", "docs/reference/markers.md"),
        ),
        "tokenpak expand": Page(
            examples={"tokenpak expand --format anthropic": "The original of a sent body on standard input."},
            see=("tokenpak compress", "docs/byte-fidelity.md"),
        ),
        "tokenpak verify-meaning": Page(
            examples={
                "tokenpak verify-meaning body.json --upstream https://api.anthropic.com": "What it would ask; sends nothing.",
                "tokenpak verify-meaning body.json --upstream https://api.anthropic.com --yes": "Ask, and print both scores.",
            },
            exits={0: "it was asked", 1: "it could not be asked", 2: "nothing was sent: say --yes"},
            variables=_KEY,
            see=("tokenpak verify-savings", "docs/savings.md"),
        ),
        "tokenpak verify-savings": Page(
            examples={
                "tokenpak verify-savings": "Requests of your logs; says what it would send, and asks.",
                "tokenpak verify-savings --body body.json --yes": "Count one request, as it was and as it is sent.",
                "tokenpak verify-savings --provider openai --most 40": "Twenty pairs from your logs of Codex.",
            },
            exits={0: "it was counted", 1: "it could not be counted", 2: "nothing was sent: say --yes"},
            variables=_KEY,
            see=("tokenpak estimate", "tokenpak savings", "docs/estimate.md"),
        ),
        "tokenpak vocabulary": Page(
            examples={"tokenpak vocabulary": "Where it was found, if it was."},
            exits={0: "it is here", 1: "it is not here: tokens are estimated, savings understated"},
            see=("tokenpak vocabulary fetch",),
        ),
        "tokenpak vocabulary fetch": Page(
            examples={"tokenpak vocabulary fetch": "Once, after the installation."},
            see=("tokenpakctl restart worker",),
        ),
        "tokenpak prices": Page(
            examples={"tokenpak prices show claude-sonnet-4-5": "What is in force for a model, and where it is from."},
            see=("tokenpak cost", "docs/reference/prices.md"),
        ),
        "tokenpak prices show": Page(
            examples={"tokenpak prices show": "Every model that has a price."},
            exits={0: "it has a price", 1: "the model has none"},
            see=("docs/reference/prices.md",),
        ),
        "tokenpak prices diff": Page(
            examples={"tokenpak prices diff newer.json": "What a newer table would change."},
            see=("tokenpak prices update",),
        ),
        "tokenpak prices update": Page(
            examples={
                "tokenpak prices update newer.json": "Use it from now on.",
                "tokenpak prices update --undo": "Take the last update back.",
            },
            see=("tokenpakctl restart",),
        ),
        "tokenpak savings": Page(
            examples={
                "tokenpak savings": "Today, and seven days.",
                "tokenpak savings --since 30d --by model": "Thirty days, a line for each model.",
                "tokenpak savings --since all --json": "Everything that is stored, for a program.",
            },
            see=("tokenpak cost", "tokenpak show", "docs/ledger.md", "docs/reference/reports.md"),
        ),
        "tokenpak cost": Page(
            examples={
                "tokenpak cost --by project": "A line for each project, today and in seven days.",
                "tokenpak cost --since 2026-02-01 --csv": "Since a day, for a spreadsheet.",
            },
            see=("tokenpak savings", "tokenpak prices", "docs/reference/reports.md"),
        ),
        "tokenpak requests": Page(
            examples={
                "tokenpak requests": "The last twenty of seven days.",
                "tokenpak requests --since 6h --client claude-code": "Of one client, in six hours.",
                "tokenpak requests --state refused --limit 100": "Those that were not sent.",
            },
            see=("tokenpak show", "tokenpak watch", "tokenpak events"),
        ),
        "tokenpak show": Page(
            examples={
                "tokenpak show 01a22155": "The one request whose id begins so.",
                "tokenpak show 01a22155 --json": "The same for a program.",
            },
            see=("tokenpak requests", "tokenpak diff", "docs/ledger.md"),
        ),
        "tokenpak diff": Page(
            examples={
                "tokenpak diff 01a22155 --body body.json": "The edits in it; bodies are not kept, so name yours."
            },
            exits={0: "it was shown", 1: "it could not be, or the file is not the body that was sent"},
            see=("tokenpak show", "tokenpak compress"),
        ),
        "tokenpak watch": Page(
            examples={
                "tokenpak watch": "A line for each request that ends.",
                "tokenpak watch --json": "The same as JSON lines.",
            },
            see=("tokenpak events --follow", "tokenpak requests"),
        ),
        "tokenpak integrate": Page(
            examples={
                "tokenpak integrate": "The clients it knows, and which are here.",
                "tokenpak integrate claude-code": "Show the change, and write nothing.",
                "tokenpak integrate claude-code --apply": "Write it; installs and starts TokenPak if need be.",
                "tokenpak integrate claude-code --undo": "Put back what stood there before.",
                "tokenpak integrate --all --apply": "Every client that is found here.",
            },
            exits={0: "it was done, or there was nothing to do", 1: "a client could not be written, or nothing serves"},
            see=("tokenpak integrate verify", "tokenpakctl uninstall", "docs/clients.md"),
        ),
        "tokenpak integrate list": Page(
            examples={"tokenpak integrate list": "Which are here, and where each one calls."},
            see=("docs/clients.md",),
        ),
        "tokenpak integrate verify": Page(
            examples={
                "tokenpak integrate verify codex": "Ask the address that Codex is set to.",
                "tokenpak integrate verify codex --call": "And let Codex make one call; it costs a little.",
            },
            exits={0: "TokenPak answers there", 1: "it does not"},
            see=("tokenpakctl doctor",),
        ),
        "tokenpak statusline": Page(examples={"tokenpak statusline": "One line of today."}),
        "tokenpak db": Page(examples={"tokenpak db check": "Is the store whole?"}, see=("docs/operations.md",)),
        "tokenpak db check": Page(
            examples={"tokenpak db check": "Reads all of it; a large one takes a while."},
            exits={0: "it is whole", 1: "something is wrong, and named"},
            see=("tokenpak db backup",),
        ),
        "tokenpak db backup": Page(
            examples={
                "tokenpak db backup": "In the current directory, named by the time.",
                "tokenpak db backup copy.db": "Into a file.",
            },
        ),
        "tokenpak db migrate": Page(
            examples={"tokenpak db migrate": "After `tokenpakctl stop`."},
            see=("tokenpakctl stop", "docs/operations.md"),
        ),
        "tokenpak events": Page(
            examples={
                "tokenpak events --since 24h": "All requests of a day, a JSON object a line.",
                "tokenpak events --tip --since 24h": "As events of TIP-1.0.",
                "tokenpak events --tip --follow": "Those that end from now on.",
            },
            see=("tokenpak watch", "docs/reference/tip.md"),
        ),
        "tokenpak mock-provider": Page(
            examples={
                "tokenpak mock-provider --port 9000": "On a port of yours.",
                'tokenpak mock-provider --fault "refuse status=529 times=1"': "The first request is refused.",
            },
            exits={0: "it was stopped", 1: "the port is taken", 64: "a fault cannot be read"},
            see=("tokenpak serve --upstream",),
        ),
        "tokenpak estimate": Page(
            examples={
                "tokenpak estimate": "Your sessions of Claude Code and Codex.",
                "tokenpak estimate --since 30d --html report.html": "Of thirty days, with charts.",
                "tokenpak estimate ~/logs --limit 20 --json": "The newest twenty of a folder, for a program.",
            },
            exits={0: "it was told", 1: "there are no sessions to read", 130: "interrupted; nothing was written"},
            see=("tokenpak savings", "tokenpak verify-savings", "docs/estimate.md"),
        ),
        "tokenpak demo": Page(
            examples={
                "tokenpak demo": "On made-up sessions, without a key.",
                "tokenpak demo --sessions recorded": "On recorded ones, in a directory.",
            },
            exits={0: "every byte is where it belongs", 1: "one is not", 130: "interrupted; everything was stopped"},
        ),
        "tokenpakctl": Page(
            examples={
                "tokenpakctl install": "As a service of yours, started and waited for.",
                "tokenpakctl status": "What runs, and what is wrong.",
                "tokenpakctl logs -f front": "What the front writes, from now on.",
            },
            exits={
                0: "it was done",
                1: "it was not done; one line says why and what to do",
                64: "the command line could not be understood",
            },
            variables={
                "TOKENPAK_CONFIG": "The configuration file, instead of the one below.",
                "TOKENPAK_STATE_DIR": _STATE_DIR,
            },
            files={
                "config.toml": "In the user's configuration directory (~/.config/tokenpak). You write it.",
                "supervisord.conf, logs/": "In the user's state directory (~/.local/state/tokenpak).",
                "tokenpak.service": "The unit of `systemd --user` (~/.config/systemd/user), once installed.",
                "ai.tokenpak.plist": "The agent of launchd (~/Library/LaunchAgents), once installed.",
            },
            see=("tokenpak", "supervisorctl", "docs/operations.md", "docs/troubleshooting.md"),
        ),
        "tokenpakctl install": Page(
            examples={
                "tokenpakctl install --dry-run": "Show the file, and write nothing.",
                "tokenpakctl install": "Write it, enable it, start it, wait until it serves.",
                "tokenpakctl install --port 8777": "On another port.",
            },
            exits={0: "it serves", 1: "it could not be installed, or does not serve"},
            see=("tokenpakctl uninstall", "tokenpakctl start", "docs/operations.md"),
        ),
        "tokenpakctl uninstall": Page(
            examples={
                "tokenpakctl uninstall": "Clients first, then the service; what was recorded stays.",
                "tokenpakctl uninstall --purge": "That too. `pip uninstall tokenpak` then leaves nothing.",
            },
            exits={0: "it is gone", 1: "something could not be done; it says what to do by hand"},
            see=("tokenpak integrate --undo", "docs/operations.md"),
        ),
        "tokenpakctl start": Page(
            examples={
                "tokenpakctl start": "The installed service; without one, in the background.",
                "tokenpakctl start --port 0": "On a free port, for trying things out.",
            },
            exits={0: "it serves, or did already", 1: "it does not; it says where to look"},
            see=("tokenpakctl install", "tokenpak serve"),
        ),
        "tokenpakctl stop": Page(
            examples={"tokenpakctl stop": "Open requests end first, within `drain_s`."},
            exits={0: "it has ended, or did not run", 1: "it has not ended in time"},
            see=("tokenpakctl start", "tokenpakctl uninstall"),
        ),
        "tokenpakctl restart": Page(
            examples={
                "tokenpakctl restart": "All of it, as after an upgrade.",
                "tokenpakctl restart front": "The front alone, blue/green.",
                "tokenpakctl restart worker_01": "One process.",
            },
            exits={0: "new processes serve", 1: "one did not come up; it says which, and the old front serves on"},
            see=("tokenpakctl reload", "docs/operations.md"),
        ),
        "tokenpakctl reload": Page(
            examples={"tokenpakctl reload": "After an edit of config.toml."},
            exits={
                0: "it runs with the new configuration",
                1: "there is a mistake, or it does not run; nothing changed",
            },
            see=("tokenpakctl restart", "docs/reference/configuration.md"),
        ),
        "tokenpakctl status": Page(
            examples={"tokenpakctl status": "One screen.", "tokenpakctl status --json": "All that is known."},
            exits={int(code): words for code, words in _STATES.items()},
            see=("tokenpakctl doctor", "tokenpakctl logs", "docs/operations.md"),
        ),
        "tokenpakctl doctor": Page(
            examples={
                "tokenpakctl doctor": "Look, and change nothing.",
                "tokenpakctl doctor --fix": "Mend what is safely its own.",
                "tokenpakctl doctor --providers": "Can every provider be reached?",
            },
            exits={0: "nothing is wrong, or was mended; there may be notes", 1: "something is wrong"},
            see=("tokenpakctl status", "docs/troubleshooting.md"),
        ),
        "tokenpakctl logs": Page(
            examples={
                "tokenpakctl logs": "The end of every log.",
                "tokenpakctl logs -f": "And what comes, until Ctrl-C.",
                "tokenpakctl logs writer -n 200": "Two hundred lines of one program.",
            },
            see=("tokenpakctl status", "supervisorctl tail"),
        ),
    }
)
