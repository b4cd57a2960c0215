from tokenpak.integrations.integration import Wanted, fixed


def test_fixed_keys_are_those_whatever_the_text():
    wanted = Wanted(("a",), "openai", "/v1")
    assert fixed(wanted)("") == fixed(wanted)("b: 1") == (wanted,)
