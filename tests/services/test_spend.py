from tokenpak.core.budget import Payer
from tokenpak.services.spend import Held, Settled, Total, shortened

MONTH = "2026-11"
PAYER = Payer("2026-11-28", "codex", "s", "m")
A, B = Held("a", PAYER, 7), Held("b", PAYER, None)
END = Settled("a", 5)


def test_shortened():
    old = Payer("2026-10-31", "codex", "s", "m")
    lines = [Held("o", old, 1), Held("p", old, 1), Settled("p", 1), Total(PAYER, 10, 1), Total(old, 4, 0), A, B, END]
    lines += [Settled("b", None), Settled("unknown", 9), Held("c", PAYER, 2)]
    assert shortened(lines, MONTH) == [Total(PAYER, 15, 2), Held("c", PAYER, 2)]
