"""Runs one client of the kit whose own settings `tokenpak integrate` has pointed at TokenPak. A program for the journey.

    python integrated.py KIT NAME INTEGRATION STATE_DIR PROVIDER

The client is set up to call the provider itself, is integrated, plays its script without any base URL in its environment,
and is undone. Prints the kit's result with what became of the client's files, as JSON.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

TOKENPAK = [sys.executable, "-m", "tokenpak.cli.main", "integrate"]
BASE_URLS = (
    *("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "GOOGLE_GEMINI_BASE_URL"),
    *("OPENAI_API_BASE", "ANTHROPIC_API_BASE"),
)


def files_of(home):
    """Every file below a home directory that settings may stand in, with its bytes."""
    small = (path for path in home.rglob("*") if path.is_file() and path.stat().st_size < 1_000_000)
    return {str(path.relative_to(home)): path.read_bytes() for path in small}


def integrate(name, state_dir, env, *options):
    command = [*TOKENPAK, name, *options, "--json", "--state-dir", state_dir]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise SystemExit(f"integrate {name} {options}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)[0]


def main():
    kit, name, integration, state_dir, provider = sys.argv[1:]
    sys.path.insert(0, kit)
    import run_client

    told = {}
    play = run_client.run_commands

    def played(session, commands, env, timeout):
        env = {key: value for key, value in env.items() if key not in BASE_URLS}
        before = files_of(session.home)
        told["applied"] = integrate(integration, state_dir, env, "--apply", "--no-start")["kind"]
        applied = files_of(session.home)
        changed = [path for path in {**before, **applied} if before.get(path) != applied.get(path)]
        ended = play(session, commands, env, timeout)
        found = files_of(session.home)
        told["undone"] = integrate(integration, state_dir, env, "--undo")["kind"]
        after = files_of(session.home)
        told["files"] = changed
        told["touched_by_the_client"] = [path for path in changed if found.get(path) != applied.get(path)]
        told["not_restored"] = [
            path
            for path in changed
            if path not in told["touched_by_the_client"] and after.get(path) != before.get(path)
        ]
        told["still_ours"] = [path for path in changed if state_url(state_dir) in after.get(path, b"")]
        return ended

    run_client.run_commands = played
    options = argparse.Namespace(
        base_url=provider, mock_url=provider, timeout=180, fault=None, save=None, keep=False, brief=False
    )
    result = run_client.run(name, options)
    sys.stdout.write(json.dumps({**result, **told}) + "\n")


def state_url(state_dir):
    settings = json.loads((Path(state_dir) / "run" / "settings.json").read_text())
    return f"127.0.0.1:{settings['port']}".encode()


if __name__ == "__main__":
    main()
