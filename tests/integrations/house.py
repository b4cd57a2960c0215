"""A home directory with clients in it, and an instance that is integrated with them."""

from pathlib import Path

from tokenpak.config.paths import paths_for
from tokenpak.config.settings import DEFAULT_UPSTREAMS
from tokenpak.integrations import apply, undo
from tokenpak.integrations.catalog import integration_of
from tokenpak.integrations.integration import Setup
from tokenpak.integrations.machine import Machine

ROOT = "http://127.0.0.1:8766"
OTHER_PORT = "http://127.0.0.1:9911"

FILES = {
    "claude-code": ".claude/settings.json",
    "codex": ".codex/config.toml",
    "cline": ".cline/data/settings/providers.json",
    "continue": ".continue/config.yaml",
    "aider": ".aider.conf.yml",
    "gemini-cli": ".gemini/.env",
    "opencode": ".config/opencode/opencode.json",
}

TEXTS = {
    "claude-code": """{
  "$schema": "https://json.schemastore.org/claude-code-settings.json",
  "permissions": {"allow": ["Bash(npm run test:*)"], "deny": []},
  "env": {
    "ANTHROPIC_AUTH_TOKEN": "planted-secret-of-claude",
    "BASH_DEFAULT_TIMEOUT_MS": "120000"
  },
  "model": "opus"
}
""",
    "codex": """# my settings
model = "gpt-5.1-codex"   # the good one
approval_policy = 'on-request'

# servers
[mcp_servers.docs]
command = "docs"
args = ["--token", "planted-secret-of-codex"]
""",
    "cline": """{
 "version": 1,
 "lastUsedProvider": "anthropic",
 "providers": {
  "anthropic": {
   "settings": {
    "provider": "anthropic",
    "apiKey": "planted-secret-of-cline"
   },
   "tokenSource": "manual"
  }
 }
}""",
    "continue": """name: local
version: 1.0.0
models:
  # the one I use
  - name: sonnet
    provider: anthropic
    model: claude-sonnet-4-5
    apiKey: planted-secret-of-continue   # mine
    roles: [chat, edit,
            apply]
  - {name: small, provider: openai, model: gpt-4o-mini, apiBase: "https://api.openai.com/v1"}

  - name: here
    provider: ollama
    apiBase: http://localhost:11434
rules:
  - Be brief
""",
    "aider": """# aider
dark-mode: true
openai-api-key: planted-secret-of-aider

read:
  - CONVENTIONS.md
""",
    "gemini-cli": "# keys\nexport GEMINI_API_KEY='planted-secret-of-gemini' # mine\nOTHER=1\n",
    "opencode": """{
  // theme
  "$schema": "https://opencode.ai/config.json",
  "theme": "system",
  "provider": {
    "anthropic": {
      "options": { "apiKey": "planted-secret-of-opencode", },
    },
  },
}
""",
}
"""Settings as people have them, each with a secret that must not be found anywhere else."""


class House:
    """home: a new one below `place`. environ: of the shell."""

    def __init__(self, place: Path, **environ: str) -> None:
        self.home = place / "home"
        self.home.mkdir()
        self.paths = paths_for(place / "state")
        self.machine = Machine(self.home, environ, place)

    def file(self, client):
        return self.home / FILES[client]

    def put(self, client, data):
        """Give a client the settings it has on somebody's machine."""
        file = self.file(client)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data if isinstance(data, bytes) else data.encode())
        return file

    def setup(self, root=ROOT):
        return Setup(self.machine, root, DEFAULT_UPSTREAMS)

    def preview(self, client, root=ROOT):
        return apply.preview(integration_of(client), self.setup(root), self.paths)

    def apply(self, client, root=ROOT):
        return apply.apply(integration_of(client), self.setup(root), self.paths)

    def undo(self, client):
        return undo.undo(self.paths, client)

    def tree(self):
        """Everything below the home directory: bytes of files, None for directories."""
        return {
            str(each.relative_to(self.home)): None if each.is_dir() else each.read_bytes()
            for each in self.home.rglob("*")
        }
