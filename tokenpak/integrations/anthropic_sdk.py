"""Anthropic's SDKs: the base URL is an argument or a variable, without /v1."""

from tokenpak.integrations.integration import Integration, Profile


def _steps(root: str) -> tuple[str, ...]:
    return (
        f'Python: Anthropic(base_url="{root}"). JavaScript: new Anthropic({{ baseURL: "{root}" }}).',
        f"Or for a whole process: export ANTHROPIC_BASE_URL={root}",
        "Then `tokenpak integrate verify anthropic-sdk`, in a shell that has the variable.",
    )


ANTHROPIC_SDK = Integration(
    name="anthropic-sdk",
    title="Anthropic SDK",
    profile=Profile(
        wire=("anthropic-sdk-python", "anthropic-sdk-js"),
        session=None,
        quirks=("its newest versions send a bearer token instead of x-api-key",),
    ),
    read_from=("ANTHROPIC_BASE_URL",),
    steps=_steps,
)
