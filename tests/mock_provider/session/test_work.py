from tokenpak.mock_provider.session.work import Agent


def turns(numbering="tab", seed=1):
    return list(Agent(seed, numbering).turns())


def test_the_work_has_what_agents_do():
    work = turns()
    tools = [step.tool for turn in work for step in turn.steps]
    assert set(tools) == {"Read", "Edit", "Write", "Bash", "Grep"}
    assert 30 <= len(work) <= 45
    assert any(len(turn.steps) > 1 for turn in work)
    assert any(turn.thought for turn in work)
    assert sum(bool(turn.asked) for turn in work) >= 3
    assert work[0].asked
    assert not work[-1].steps


def test_files_are_read_again_after_an_edit_and_never_without_one():
    shown, repeats = {}, 0
    for turn in turns():
        for step in turn.steps:
            if step.tool == "Read":
                path = step.arguments["file_path"]
                repeats += path in shown
                assert shown.get(path) != step.result
                shown[path] = step.result
    assert repeats >= 5


def test_older_clients_echo_their_edits():
    echoes = [step.result for turn in turns("padded") for step in turn.steps if step.tool == "Edit"]
    assert all("→" in echo for echo in echoes)
    assert not any("→" in s.result.split("\n")[0] for t in turns() for s in t.steps if s.tool == "Edit")


def test_the_same_seed_does_the_same_work():
    assert turns(seed=3) == turns(seed=3)
    assert turns(seed=3) != turns(seed=4)
