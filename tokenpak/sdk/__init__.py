"""For tool builders: what the proxy does to a body, without a proxy; shown as `tokenpak.compress` and its companions."""

from tokenpak.core.body import Unreadable
from tokenpak.core.patch import Form, Patch, Policy
from tokenpak.core.splice import BadEdits
from tokenpak.sdk.library import apply, compress, expand

__all__ = ["BadEdits", "Form", "Patch", "Policy", "Unreadable", "apply", "compress", "expand"]
