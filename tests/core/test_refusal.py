import typing

from tokenpak.core.refusal import Fault, Refuse
from tokenpak.proxy.refuse import refusal


def test_every_word_can_be_told_to_a_client():
    for fault in typing.get_args(Fault):
        assert refusal(Refuse(fault, "x")).status >= 400
