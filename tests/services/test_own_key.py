import stat
from concurrent.futures import ThreadPoolExecutor

from tokenpak.services.own_key import KEY_BYTES, own_key


def test_a_key_is_made_once_and_is_the_users_alone(tmp_path):
    file = tmp_path / "key"
    key, kept = own_key(file)
    assert (len(key), kept) == (KEY_BYTES, True)
    assert own_key(file) == (key, True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["key"]


def test_all_who_start_at_once_agree(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        keys = set(pool.map(own_key, [tmp_path / "key"] * 8))
    assert {key for key, kept in keys if kept} == {(tmp_path / "key").read_bytes()}


def test_one_that_cannot_be_kept_is_made_for_this_process(tmp_path):
    first, second = (own_key(tmp_path / "no" / "key") for _ in range(2))
    assert (first[1], second[1]) == (False, False)
    assert first[0] != second[0]
