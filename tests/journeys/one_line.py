"""What a new user does, by the installed commands alone: integrate, ask, look, take it back. A program for the journey.

    python one_line.py BIN UNDO

BIN: where the commands are. UNDO: `undo`, to take the client back before the rest, or `uninstall`, which does both. The
environment is the user's. Prints as JSON what was seen after each step; what it means is judged by the test.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil

HOME = Path(os.environ["HOME"])
SETTINGS = HOME / ".claude" / "settings.json"
BODY = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 16,
    "messages": [{"role": "user", "content": "Say ok."}],
}


def ran(*words):
    """Exit code, output, errors and seconds of a command."""
    begun = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, timeout=150, check=False, stdin=subprocess.DEVNULL)
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr, "s": time.monotonic() - begun}


def found():
    """Everything in the home directory."""
    return sorted(str(path.relative_to(HOME)) for path in HOME.rglob("*"))


def asked():
    """The client's request, to where its own settings say, and what came."""
    url = json.loads(SETTINGS.read_text())["env"]["ANTHROPIC_BASE_URL"]
    headers = {"content-type": "application/json", "x-api-key": "k", "anthropic-version": "2023-06-01"}
    request = urllib.request.Request(f"{url}/v1/messages", json.dumps(BODY).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return {"url": url, "status": response.status, "type": json.loads(response.read())["type"]}


def rows(tokenpak):
    """The recorded requests, once there are any."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        told = json.loads(ran(tokenpak, "requests", "--json")["out"] or "[]")
        if told and all(each["state"] == "done" for each in told):
            break
        time.sleep(0.2)
    return [{key: each[key] for key in ("state", "status", "path")} for each in told]


def left(mark):
    """Processes that run from there."""
    seen = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        words = process.info["cmdline"] or []
        if process.pid != os.getpid() and words and any(mark in word for word in words[:1]):
            seen.append(" ".join(words))
    return seen


def main():
    where, way = sys.argv[1:]
    tokenpak, ctl = f"{where}/tokenpak", f"{where}/tokenpakctl"
    told = {"before": found()}
    told["refused"] = ran(tokenpak, "integrate", "claude-code", "--apply", "--no-start")
    told["after_refusal"] = found()
    told["integrated"] = ran(tokenpak, "integrate", "claude-code", "--apply")
    told["files"] = found()
    if told["integrated"]["code"] == 0:
        told["answer"] = asked()
        told["rows"] = rows(tokenpak)
        told["status"] = ran(ctl, "status")
        told["running"] = left(where)
    if way == "undo":
        told["undone"] = ran(tokenpak, "integrate", "claude-code", "--undo")
    told["uninstalled"] = ran(ctl, "uninstall", "--purge")
    told["after"], told["left"] = found(), left(where)
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
