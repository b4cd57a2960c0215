"""LiteLLM as a library: its base URL is an argument or a variable, so there is no file to write."""

from tokenpak.integrations.integration import Integration, Profile


def _steps(root: str) -> tuple[str, ...]:
    return (
        f'In code, OpenAI: completion(model="openai/...", api_base="{root}/v1").',
        f'Anthropic: completion(model="anthropic/...", api_base="{root}").',
        f'Gemini: api_base="{root}/v1beta"; Ollama: api_base="{root}".',
        f"Or for a whole process: export OPENAI_API_BASE={root}/v1 ANTHROPIC_API_BASE={root}",
        "Then `tokenpak integrate verify litellm`, in a shell that has the variables.",
    )


LITELLM = Integration(
    name="litellm",
    title="LiteLLM",
    profile=Profile(
        wire=("litellm", "openai-sdk-python"),
        session=None,
        quirks=(
            "shows the OpenAI SDK's user agent where it calls with it",
            "asks Ollama for /api/show before it calls",
        ),
    ),
    programs=("litellm",),
    package="litellm",
    read_from=("OPENAI_API_BASE", "ANTHROPIC_API_BASE"),
    steps=_steps,
)
