import json

import pytest

from tokenpak.mock_provider import embeddings
from tokenpak.mock_provider.call import Answer, Call, Used


@pytest.mark.parametrize(("given", "count"), [("a", 1), (["a", "b"], 2), ([1, 2, 3], 1), ([[1, 2], [3]], 2)])
def test_one_vector_for_each_input(given, count):
    told = json.loads(embeddings.whole(Call(1, "m", Used(9), Answer(), 1, {"input": given})))
    assert [each["index"] for each in told["data"]] == list(range(count))
    assert told["usage"] == {"prompt_tokens": 9, "total_tokens": 9}


def test_what_is_read():
    assert embeddings.prompt_text({"input": ["a", "b"]}) == "a\nb"
    assert embeddings.prompt_text({"input": [[1, 2]]}) == "[1,2]"
