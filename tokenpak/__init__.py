"""TokenPak: a local proxy that sends fewer tokens with the same meaning. The map of the rooms is docs/architecture.md.

For other programs, `compress`, `apply` and `expand` do to a body what the proxy does (docs/library.md). They are loaded
when they are first asked for, so that neither the import nor `--version` waits for them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenpak.sdk import BadEdits, Form, Patch, Policy, Unreadable, apply, compress, expand

__version__ = "0.1.0"

__all__ = ["BadEdits", "Form", "Patch", "Policy", "Unreadable", "__version__", "apply", "compress", "expand"]


def __getattr__(name: str) -> object:
    """A public name, from where it is made. Raises AttributeError for any other."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # `from tokenpak import sdk` would ask here for `sdk`

    return getattr(import_module("tokenpak.sdk"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
