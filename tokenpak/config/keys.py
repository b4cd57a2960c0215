"""The keys of the configuration: what each may hold, and what a user is told of it.

A type here is a type, its bounds and its words; `settings.Settings` puts a default to it. What stands inside a table is
beside its reader (rules, budgets, redaction, prices); the table of the response cache, which needs none, is here.
The words are for whoever has to decide: what it does, what happens at its bounds, what it costs.
"""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from tokenpak.config.words import Words
from tokenpak.core import patch, recall, redaction_terms
from tokenpak.core.budget import Budget
from tokenpak.core.cost import ModelPrices
from tokenpak.core.patch import PASSES
from tokenpak.core.rules import Rule

MIB = 1024 * 1024

Requests = Annotated[int, Meta(ge=1, le=100_000)]
Size = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0, le=86400)]

StateDir = Annotated[
    str,
    Words(
        "Where everything of one instance lives: store, logs, plans, keys, sockets. Two instances need two. `~` is your home.",
        'state_dir = "~/tokenpak-lab"',
        kind="path of a directory",
    ),
]
Host = Annotated[
    str,
    Words(
        "The address it listens on. Only addresses of this machine are accepted (127.0.0.1 and its like), because whoever "
        "reaches the port can spend your credentials.",
        'host = "127.0.0.1"',
        kind="IPv4 address",
        range="127.0.0.0 to 127.255.255.255",
    ),
]
Port = Annotated[
    int,
    Meta(ge=0, le=65535),
    Words(
        "The port it listens on. 0 takes a free one at every start: for trying things out, as clients could not find it "
        "again.",
        "port = 8777",
    ),
]
Upstreams = Annotated[
    dict[str, str],
    Words(
        "The base URL of each provider. The four that are known may be sent elsewhere (a gateway); a name of yours makes a "
        "further mount, whose paths begin with that name. URLs carry no user and no password.",
        '[upstreams]\nopenai = "https://gateway.example.com/openai"\nlab = "http://127.0.0.1:9000"',
        kind="table: base URL by name",
    ),
]
Workers = Annotated[
    int,
    Meta(ge=1, le=64),
    Words("How many processes compress. Each holds the tokenizer's vocabulary, about 64 MiB.", "workers = 4"),
]
Drain = Annotated[
    Seconds,
    Words(
        "How long open requests may take to end after a stop. What is left then ends with an error in its provider's shape.",
        "drain_s = 60",
        "seconds",
    ),
]
Level = Annotated[
    patch.Level,
    Words(
        '`"lossless"` makes the edits that can be expanded exactly; `"off"` makes no new ones. What was sent as a marker '
        "goes on as one under either.",
        'level = "off"',
    ),
]
Passes = Annotated[
    tuple[str, ...] | None,
    Words(
        "The passes that may make edits; they work in their own order, whatever yours is. Left out: all that the installed "
        f"version has. Known: {', '.join(f'`{name}`' for name in PASSES)}.",
        'passes = ["whole-texts", "line-runs"]',
        kind="list of names",
    ),
]
Without = Annotated[
    tuple[str, ...],
    Words(
        "Passes that may make no edits. Unlike `passes`, it lets in what a later version brings.",
        'without = ["json-tables"]',
        kind="list of names",
    ),
]
Floor = Annotated[
    Size,
    Words(
        "How much must stand before a text for it to be edited. Higher than that where the model's provider caches only "
        "longer beginnings.",
        "floor_tokens = 8192",
        "tokens",
    ),
]
CacheMarks = Annotated[
    bool,
    Words(
        "Whether cache marks are placed where a client's own leave the end of a conversation uncovered (Anthropic only).",
        "cache_marks = false",
    ),
]
Rules = Annotated[
    tuple[Rule, ...],
    Words(
        "What is different for some clients and models. Rules are read from the first to the last; each that fits sets what "
        "it names: [rules](../configuration.md#rules).",
        '[[rules]]\nclient = "codex"\nmodel = "gpt-5*"\nlevel = "off"',
        kind="list of tables",
    ),
]
Prices = Annotated[
    dict[str, ModelPrices],
    Words(
        'Prices of your own, by model or `"provider/model"`. They take the place of the table\'s: '
        "[prices](../configuration.md#prices).",
        '[prices."my-model"]\ninput = 0.5\noutput = 1.5',
        kind="table of tables",
    ),
]
Budgets = Annotated[
    tuple[Budget, ...],
    Words(
        "What may be spent: warnings, limits, a hard ceiling. A request must find room in each that it fits: "
        "[the guard](guard.md#budgets).",
        '[[budgets]]\nname = "a day"\nwarn = 8\nblock = 10',
        kind="list of tables",
    ),
]
Redaction = Annotated[
    redaction_terms.Policy,
    Words(
        "What is done about secrets and personal data in requests: [the guard](guard.md#secrets-and-personal-data).",
        '[redaction]\nsecrets = "redact"\n\n[[redaction.rules]]\nclient = "aider"\nsecrets = "block"',
        kind="table",
    ),
]
ResponseCache = Annotated[
    recall.Bounds,
    Words(
        "How much is kept of answers, where a rule turns that on; by itself it keeps nothing: "
        "[response cache](response-cache.md).",
        "[response_cache]\nmax_bytes = 134217728\nmax_age_s = 3600",
        kind="table",
    ),
]
RequestsPerClient = Annotated[
    Requests | None,
    Words(
        "How many requests of one client may be under way at once. One more is answered with 429, and every SDK comes "
        "again: [sharing](../security.md#shared-by-many-agents). Left out: any number.",
        "requests_per_client = 16",
        "requests",
    ),
]
RequestsPerSession = Annotated[
    Requests | None,
    Words("The same for one session of a client.", "requests_per_session = 4", "requests"),
]
Tokens = Annotated[
    dict[str, str],
    Words(
        "Hashes of the tokens that clients must show, by holder. Without any, none is asked for: "
        "[tokens](../security.md#tokens).",
        f'[tokens]\nlaptop = "sha256:{"0123456789abcdef" * 4}"',
        kind="table: hash by name",
    ),
]
ReadCap = Annotated[
    Size,
    Words(
        "A request body larger than this streams through unread: nothing is edited in it. Where secrets must be searched for "
        "before a request may go, it is refused instead.",
        "read_cap_bytes = 33554432",
        "bytes",
    ),
]
ConnectTimeout = Annotated[
    Seconds, Words("How long a provider may take to accept a connection.", "connect_timeout_s = 5", "seconds")
]
ReadTimeout = Annotated[
    Seconds,
    Words(
        "How long a provider may take to say the next thing. Models that think say nothing for minutes.",
        "read_timeout_s = 1800",
        "seconds",
    ),
]
KeepAlive = Annotated[
    Seconds, Words("How long an idle connection of a client is kept.", "keep_alive_s = 300", "seconds")
]
HeaderLimit = Annotated[
    Size, Words("The longest head of a request; a longer one is refused.", "header_limit_bytes = 131072", "bytes")
]
JobBase = Annotated[
    Seconds,
    Words(
        "How long a worker may take over any body. When its time is up the request goes on without new edits.",
        "job_base_s = 0.5",
        "seconds",
    ),
]
JobPerMegabyte = Annotated[
    Seconds, Words("The time a worker gets in addition, for each megabyte of body.", "job_per_mb_s = 1", "seconds")
]
PlanMemory = Annotated[
    Size,
    Words(
        "How much is remembered of the forms in which conversations were sent. The oldest go first; a conversation whose plan "
        "is gone goes on, and pays for its cached beginning once.",
        "plan_memory_bytes = 134217728",
        "bytes",
    ),
]
KeepDays = Annotated[int, Meta(ge=1, le=36500), Words("How long a recorded request is kept.", "keep_days = 30", "days")]
KeepBytes = Annotated[
    int,
    Meta(ge=16 * MIB),
    Words(
        "The size of the store above which the oldest requests go; a request takes about 700 bytes.",
        "keep_bytes = 268435456",
        "bytes",
    ),
]

RESPONSE_CACHE: Mapping[str, Words] = {
    "max_bytes": Words("Of all stored answers together.", unit="bytes"),
    "max_entry_bytes": Words("Of one answer; a larger one is not kept.", unit="bytes"),
    "max_age_s": Words("None is given again after that.", unit="seconds"),
}
