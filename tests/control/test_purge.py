import pytest

from tokenpak.config.paths import paths_for, prepare
from tokenpak.control.claims import claim
from tokenpak.control.purge import NotOurs, purge, refuse_strangers, remove_empty_above

KEPT = ("tokenpak.db", "tokenpak.db-wal", "tokenpak-20260101T000000.db", "responses.db", "redaction.key", "prices.json")


@pytest.fixture
def paths(tmp_path):
    found = paths_for(tmp_path / "state")
    prepare(found)
    for name in (*KEPT, "supervisord.conf", "logs/front_01.log", "run/settings.json"):
        (found.state / name).write_text("ours")
    return found


def test_nothing_is_left(paths, tmp_path):
    purge(paths)
    assert list(tmp_path.iterdir()) == []
    assert not paths.sockets.exists()
    purge(paths)


def test_everything_the_paths_name_is_ours(paths):
    """A new file in the state directory must be known here, or no one could be removed any more."""
    properties = [name for name in dir(type(paths)) if isinstance(getattr(type(paths), name), property)]
    for name in properties:
        path = getattr(paths, name)
        if path.parent == paths.state and not path.exists():
            path.write_text("")
    refuse_strangers(paths)


def test_a_file_of_theirs_keeps_everything(paths):
    (paths.state / "thesis.tex").write_text("years of work")
    with pytest.raises(NotOurs, match=r"thesis\.tex"):
        purge(paths)
    assert (paths.state / "tokenpak.db").exists()


def test_many_are_named_shortly(paths):
    for number in range(9):
        (paths.state / f"file{number}").write_text("")
    with pytest.raises(NotOurs, match="and 4 more"):
        refuse_strangers(paths)


def test_a_living_process_keeps_everything(paths):
    held = claim(paths, "writer")
    try:
        with pytest.raises(NotOurs, match="writer"):
            purge(paths)
    finally:
        held.release()
    assert (paths.state / "tokenpak.db").exists()


def test_a_link_to_the_state_directory_goes_with_what_it_points_to(paths, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    paths.state.rename(elsewhere)
    paths.state.symlink_to(elsewhere)
    purge(paths)
    assert list(tmp_path.iterdir()) == []


def test_what_a_link_inside_points_to_stays(paths, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "file").write_text("theirs")
    (paths.state / "logs" / "front_01.log").unlink()
    (paths.state / "logs").rmdir()
    (paths.state / "logs").symlink_to(tmp_path / "disk")
    purge(paths)
    assert (tmp_path / "disk" / "file").read_text() == "theirs"


def test_directories_that_hold_nothing_any_more_go_too(tmp_path):
    """Those that are gone already do not matter."""
    place = tmp_path / "home" / ".local" / "state" / "tokenpak"
    place.parent.parent.mkdir(parents=True)
    remove_empty_above(place, tmp_path / "home")
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize("place", ["work/x/tp", ".local/state/mine/tp", ".local/share/tp", ".config/mine/tp"])
def test_a_directory_that_the_user_named_stays_though_it_is_empty(tmp_path, place):
    place = tmp_path / place
    place.parent.mkdir(parents=True)
    remove_empty_above(place, tmp_path)
    assert place.parent.is_dir()


@pytest.mark.parametrize("place", [".config/systemd/user/tokenpak.service", "Library/LaunchAgents/tokenpak.plist"])
def test_the_way_to_a_service_that_was_made_for_it_goes_with_it(tmp_path, place):
    (tmp_path / place).parent.mkdir(parents=True)
    remove_empty_above(tmp_path / place, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_holds_something_stays_and_so_do_those_above(tmp_path):
    place = tmp_path / "home" / ".local" / "state" / "tokenpak"
    place.parent.mkdir(parents=True)
    (tmp_path / "home" / ".local" / "bin").mkdir()
    remove_empty_above(place, tmp_path / "home")
    assert [path.name for path in (tmp_path / "home" / ".local").iterdir()] == ["bin"]


@pytest.mark.parametrize("home", ["a/b", "elsewhere"])
def test_neither_the_home_directory_nor_one_outside_it_is_removed(tmp_path, home):
    place = tmp_path / "a" / "b" / "tokenpak"
    place.parent.mkdir(parents=True)
    remove_empty_above(place, tmp_path / home)
    assert place.parent.is_dir()
