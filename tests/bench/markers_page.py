"""The page on markers, written from the code: every kind with its pass, its words, and what it did to a real text.

    python tests/bench/markers_page.py docs/reference/markers.md

The words are those of the markers that the engine makes of a made-up conversation about a shop; what a marker stands for
is the sentence its class opens with. The difficulty is to have every kind: the conversation holds one text for each, and
a kind or a pass that no longer comes out of it is an error.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

sys.path[:0] = [str(Path(__file__).parents[2])]

from tests.core.contract import Words  # noqa: E402 - the path above makes it importable when run as a script
from tokenpak.core.body import read  # noqa: E402 - see above
from tokenpak.core.expand import expand_body  # noqa: E402 - see above
from tokenpak.core.markers import LOOKS_LIKE, THERE, Json, Marker, Reference, parse  # noqa: E402 - see above
from tokenpak.core.names import SELF  # noqa: E402 - see above
from tokenpak.core.patch import PASSES, Change, Format, Policy  # noqa: E402 - see above
from tokenpak.core.pipeline import decide, patch_of  # noqa: E402 - see above
from tokenpak.core.splice import apply_changes, apply_edits, sent_in_place  # noqa: E402 - see above

MOST_LINES, MOST_CHARS, AROUND = 12, 120, 2

SPELLINGS = {
    "the same lines": "Lines of the text, displayed under the numbers the source displays too.",
    "the same lines, moved": "The text numbers its lines otherwise than the source: the first pair of numbers is the text's, the second the source's.",
    "lines by how they begin": "Text or source shows no numbers: so many lines, from the one on that begins with the quoted words.",
    "lines numbered here": "The text numbers its lines, the source does not, and nothing else in the text shows how: the quoted words are what stands before the first line.",
    "there": "Further lines of the source that the marker before it in the same text has led to.",
    "lines of this text": "Lines that stand further up in the text itself.",
}
"""The spellings of a Reference, each said in words."""

INTRODUCTION = """# Markers

A **marker** is one line in square brackets that TokenPak puts into a request in place of text that the model has in front
of it anyway, or in front of lines that it shortened. It says in plain words what it stands for:

    {sample}

No tool, index or legend is needed to read one, and no model has to be told about them. Only results of tools and your
messages after the first are shortened; what the model said itself, its tool calls and the system prompt never are. Your
own files and your client's history stay as they are: a marker stands in what is sent, nowhere else.

## How to read one

- **A marker about earlier text** (`same as …`) stands in place of it. Its source is named by what can be seen in the
  conversation: the tool with its path or command, `user text`, `assistant text`, `system prompt`, or an argument of a
  call (`content of Write …`). It is the **nearest earlier text of that name that shows those lines** itself; lines that are
  a marker there show nothing. Quoted words are how the first line begins, blanks before it set aside, up to 40 characters.
- **A marker about what follows** (`next 5 lines: …`, `line numbers: …`) stands above lines that are there, without what
  it names.
- **The six digits are a check**: over where the marker stands, what it says and the text it stands for. They number
  nothing, and nothing has to be looked up by them.

## Text that only looks like a marker

A file or a log may hold such a line: this page does. A text with one in it is left alone as a whole: nothing in it is
shortened, nothing refers to it, and nothing in it is expanded. A marker that a tool copied to another place is text too,
since its check is wrong there. So what comes back is exactly what your client sent, whatever it holds: `tokenpak.expand`
([library.md](../library.md)) puts a request back from its bytes alone, and none is sent before that has been done once.

## How to turn one off

Each kind is written by a pass, and each pass can be turned off by its name in the configuration, for everybody or by a
rule for one client or model ([configuration.md](../configuration.md)):

```toml
without = ["prefixes", "json-tables"]
```

Texts that went out before keep their form until their conversation ends: to change them would cost the provider's cache.
Where `json-space` is off, `json-tables` rewrites only JSON that came without white space.

| pass | writes | turned off by |
|---|---|---|
{passes}

The examples below are what the engine makes of a made-up conversation, with a third of the characters taken for tokens
so that no vocabulary is needed. Lines are cut at {chars} characters (`…`), and `⋮` stands for lines left out: this page
does that, a model gets whole lines. The page is written by `tests/bench/markers_page.py`.
"""


class Made(NamedTuple):
    """A marker that the engine made: in which text, by which change, and all changes of the text."""

    marker: Marker
    words: str
    text: str
    change: Change
    changes: tuple[Change, ...]


def _turn(tool: str, arguments: dict[str, Any], result: str) -> tuple[str, dict[str, Any], str]:
    return tool, arguments, result


def _numbered(lines: list[str], width: int = 6) -> str:
    return "\n".join(f"{number:>{width}}→{line}" for number, line in enumerate(lines, 1))


def turns() -> Iterator[tuple[str, dict[str, Any], str]]:
    """The calls of the conversation with their results: tool, arguments, text."""
    prices = [f"def price_of_article_{n}(order): return order.amount * {n * 37} + order.shipping" for n in range(1, 25)]
    path = {"file_path": "/shop/prices.py"}
    reminder = "<system-reminder>\nPrices are in cents. Never round before the sum is taken, and never without a test.\n</system-reminder>"
    edited = (
        "The price list has been updated. Run the tests of the shop before you go on with the next article of the list."
    )
    yield _turn("Read", path, _numbered(prices))
    yield _turn("Read", path, _numbered(prices))
    yield _turn("Read", path, _numbered(["import decimal", *prices]))
    changed = [*prices[:10], "TAX = 19", *prices[11:]]
    yield _turn("Read", path, _numbered(changed))
    stock = [f"{n * 13} pieces of article {n} in the cellar, {n * 7} in the shop" for n in range(1, 17)]
    yield _turn("Bash", {"command": "make stock"}, "\n".join(stock))
    yield _turn("Bash", {"command": "make stock | tee stock.txt"}, "\n".join(["counting", *stock, "done"]))
    orders = [f"def order_{n}(cart): return cart.lines[{n}].checked().with_number({n * 11})" for n in range(1, 21)]
    yield _turn(
        "Write",
        {"file_path": "/shop/orders.py", "content": "\n".join(orders)},
        "ok, as cat -n shows it:\n" + _numbered(orders),
    )
    twice = [f"| {n} | a row of the table of shipping costs that comes twice | {n * 3} |" for n in range(1, 16)]
    yield _turn("Read", {"file_path": "/shop/shipping.md"}, "\n".join([*twice, "and once more, for abroad:", *twice]))
    yield _turn("Edit", path, f"{edited}\narticle 1\n{reminder}")
    yield _turn("Edit", path, f"{edited}\narticle 2\n{reminder}")
    yield _turn(
        "Read",
        {"file_path": "/shop/taxes.py"},
        _numbered([f"TAX_{n} = rate({n * 5}, 'tax of country {n}')" for n in range(1, 31)]),
    )
    found = [f"shop/frontend/templates/checkout.html:{n * 7}: <td class='total'>{n} items</td>" for n in range(1, 7)]
    yield _turn("Grep", {"pattern": "total"}, "\n".join(found))
    logs = [f"2026-03-01T10:00:{n:02d} shop-worker-7 payment-service order {n * 17} was paid" for n in range(1, 9)]
    yield _turn("Bash", {"command": "docker logs shop"}, "\n".join(logs))
    address = {"street": "Harbour Road 7", "city": "Port", "notes": ["ring twice", "leave at the door"]}
    customer = {"name": "A. Buyer", "since": 2019, "address": {"billing": {"home": address}}}
    yield _turn("get_customer", {"number": "7"}, json.dumps(customer, indent=4))
    carts = [{"article": n, "pieces": n + 1, "price_in_cents": n * 100} for n in range(1, 9)]
    yield _turn("get_cart", {"number": "8"}, json.dumps(carts, separators=(",", ":")))


def conversation() -> bytes:
    """The request, in Anthropic's format."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Bring the prices of the shop up to date."}]
    for number, (tool, arguments, result) in enumerate(turns()):
        call = {"type": "tool_use", "id": f"call_{number}", "name": tool, "input": arguments}
        answer = {"type": "tool_result", "tool_use_id": f"call_{number}", "content": result}
        messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [answer]}]
    return json.dumps({"model": "m", "max_tokens": 1024, "messages": messages}, ensure_ascii=False).encode()


def made() -> list[Made]:
    """Every marker that the engine makes of the conversation. Raises ValueError where it cannot be put back."""
    body, counter = conversation(), Words()
    decided = decide(read(Format.ANTHROPIC, body), Policy(floor_tokens=0), {}, counter)
    sent = apply_edits(body, patch_of(body, decided, counter.name).edits)
    if json.loads(expand_body(Format.ANTHROPIC, sent)) != json.loads(body):
        raise ValueError("the conversation does not come back from what is sent of it")
    return [
        Made(marker, match[0], decision.step.block.texts[change.part].text, change, decision.changes)
        for decision in decided.decisions
        for change in decision.changes
        if (match := LOOKS_LIKE.match(change.new)) and (marker := parse(match[0]))
    ]


def kind_of(marker: Marker) -> tuple[str, str]:
    """The name of a marker's class, and of its spelling where the class has several."""
    spelling = ""
    if isinstance(marker, Reference):
        spelling = _spelling(marker)
    elif isinstance(marker, Json):
        spelling = "rows" if marker.rows else "white space"
    return type(marker).__name__, spelling


def _spelling(marker: Reference) -> str:
    if marker.label in (THERE, SELF):
        return "there" if marker.label == THERE else "lines of this text"
    if marker.prefix is not None:
        return "lines numbered here"
    if marker.lines is None:
        return "lines by how they begin"
    return "the same lines" if marker.lines[0] == marker.first else "the same lines, moved"


def page() -> str:
    """The page. Raises ValueError where a kind, a spelling or a pass does not occur."""
    found = made()
    first = {kind_of(each.marker): each for each in reversed(found)}
    _must_have("pass", set(PASSES), {each.change.name for each in found})
    _must_have("spelling", set(SPELLINGS), {spelling for name, spelling in first if name == Reference.__name__})
    _must_have("kind", {kind.__name__ for kind in get_args(Marker)}, {name for name, _ in first})
    sample = first[Reference.__name__, "the same lines, moved"].words
    parts = [INTRODUCTION.format(sample=sample, passes=_passes(found), chars=MOST_CHARS)]
    for kind in get_args(Marker):
        parts += [f"## {kind.__name__}\n", f"{_opening(kind)}\n", f"Written by {_writers(found, kind)}.\n"]
        for (name, spelling), each in sorted(first.items(), key=_order):
            if name == kind.__name__:
                parts += _example(spelling, each)
    return "\n".join(parts)


def _order(item: tuple[tuple[str, str], Made]) -> int:
    spelling = item[0][1]
    return [*SPELLINGS].index(spelling) if spelling in SPELLINGS else len(SPELLINGS)


def _must_have(what: str, wanted: set[str], there: set[str]) -> None:
    if wanted - there:
        raise ValueError(f"the conversation brings forth no {what} {', '.join(sorted(wanted - there))}")


def _opening(kind: type) -> str:
    """The sentences of a class's docstring that say what it stands for; what its fields are is for programs."""
    return str(kind.__doc__).strip().split("\n\n", 1)[0].split(". ", 1)[0].rstrip(".") + "."


def _passes(found: list[Made]) -> str:
    return "\n".join(
        f"| `{name}` | {', '.join(sorted({type(each.marker).__name__ for each in found if each.change.name == name}))}"
        f' | `without = ["{name}"]` |'
        for name in PASSES
    )


def _writers(found: list[Made], kind: type) -> str:
    names = {each.change.name for each in found if isinstance(each.marker, kind)}
    return " and ".join(f"`{name}`" for name in PASSES if name in names)


def _example(spelling: str, each: Made) -> list[str]:
    said = SPELLINGS.get(spelling, "")
    start = each.change.start + sum(
        len(sent_in_place(each.text, other)) - (other.end - other.start)
        for other in each.changes
        if other.end < each.change.start
    )
    sent = apply_changes(each.text, each.changes)
    before = window(each.text, each.change.start, each.change.end)
    after = window(sent, start, start + len(sent_in_place(each.text, each.change)))
    head = [f"### {spelling[0].upper()}{spelling[1:]}\n"] if spelling else []
    words = [f"{said}\n"] if said else []
    return [
        *head,
        *words,
        f"    {each.words}\n",
        f"Before:\n\n```text\n{before}\n```\n",
        f"After:\n\n```text\n{after}\n```\n",
    ]


def window(text: str, start: int, end: int) -> str:
    """The lines of a text that hold a range, and some around it, few and short enough to be read."""
    lines = text.split("\n")
    first = max(0, text.count("\n", 0, start) - AROUND)
    cells = [line if len(line) <= MOST_CHARS else line[: MOST_CHARS - 1] + "…" for line in lines]
    cells = cells[first : text.count("\n", 0, end) + 1 + AROUND]
    left_out = len(cells) - MOST_LINES + 1
    if left_out > 1:
        half = MOST_LINES // 2
        cells = [*cells[:half], f"⋮ {left_out} lines", *cells[half + left_out :]]
    return "\n".join(cells)


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("usage: markers_page.py PAGE")
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page())


if __name__ == "__main__":
    main()
