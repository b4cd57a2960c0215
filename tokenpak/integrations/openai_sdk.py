"""OpenAI's SDKs: the base URL is an argument or a variable, with /v1."""

from tokenpak.integrations.integration import Integration, Profile


def _steps(root: str) -> tuple[str, ...]:
    return (
        f'Python: OpenAI(base_url="{root}/v1"). JavaScript: new OpenAI({{ baseURL: "{root}/v1" }}).',
        f"Or for a whole process: export OPENAI_BASE_URL={root}/v1",
        "Then `tokenpak integrate verify openai-sdk`, in a shell that has the variable.",
    )


OPENAI_SDK = Integration(
    name="openai-sdk",
    title="OpenAI SDK",
    profile=Profile(wire=("openai-sdk-python", "openai-sdk-js"), session=None),
    read_from=("OPENAI_BASE_URL",),
    steps=_steps,
)
