from tokenpak.integrations.journal import Entry
from tokenpak.integrations.setting import Change
from tokenpak.integrations.standing import standing

OURS = "http://ours"


def entry(*changes):
    return Entry(
        client="c", file="/f", format="json", existed=True, before="", after="", splices=(), changes=changes,
        ours=(OURS,), directories=(),
    )  # fmt: skip


def item(number, was):
    return Change(("l", number, "u"), OURS, was, 0)


def found(text, *changes):
    return {key: change.was for key, change in standing("json", text, entry(*changes))}


def test_members_that_moved_keep_their_order():
    text = f'{{"l": [{{}}, {{"u": "{OURS}"}}, {{"u": "{OURS}"}}]}}'
    assert found(text, item(0, "a"), item(1, "b")) == {("l", 1, "u"): "a", ("l", 2, "u"): "b"}


def test_where_one_is_gone_the_other_keeps_its_number():
    text = f'{{"l": [{{"u": "theirs"}}, {{"u": "{OURS}"}}]}}'
    assert found(text, item(0, "a"), item(1, "b")) == {("l", 1, "u"): "b"}


def test_a_copy_had_nothing_before():
    text = f'{{"l": [{{"u": "{OURS}"}}, {{"u": "{OURS}"}}]}}'
    assert found(text, item(0, "a")) == {("l", 0, "u"): "a", ("l", 1, "u"): None}


def test_a_value_of_somebody_else_does_not_stand():
    assert found('{"l": [{"u": "theirs"}]}', item(0, "a")) == {}
    assert found("{}", item(0, "a")) == {}
