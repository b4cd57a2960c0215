"""In the place of `claude`: reads the base URL where Claude Code has it, and sends a made-up session there.

No key of anybody's: what answers is the embedded provider, which takes any.
"""

import json
import sys
from pathlib import Path

import httpx

from tokenpak.mock_provider.session import session

HEADERS = {
    "user-agent": "claude-cli/2.1.0 (external, cli)",
    "x-claude-code-session-id": "5f1c5c3e-8d0a-4f6e-9a53-2d6e0c1f7b11",
    "x-api-key": "sk-ant-nobodys",
    "anthropic-version": "2023-06-01",
}


def main():
    settings = json.loads((Path.home() / ".claude" / "settings.json").read_text())
    with httpx.Client(base_url=settings["env"]["ANTHROPIC_BASE_URL"], trust_env=False, timeout=60) as wire:
        for body in session(7).requests():
            reply = wire.post("/v1/messages?beta=true", json=body, headers=HEADERS)
            if reply.status_code != 200 or b"event: message_stop" not in reply.content:
                sys.exit(f"status {reply.status_code}: {reply.text[-300:]}")


if __name__ == "__main__":
    main()
