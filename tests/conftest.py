"""What all tests share: how far generated cases go, and where the shared place is.

Importing it also makes `tests/` a package, for what several rooms' tests share. TOKENPAK_SHARED names the directory of
recorded sessions, exchanges and clients (default: `../shared` beside the repository); no property depends on it alone.
HYPOTHESIS_PROFILE=long asks for more generated cases than continuous integration has time for.
"""

import os

from hypothesis import settings

from tests.shared_place import shared

settings.register_profile("ci", max_examples=60, deadline=None, print_blob=True)
settings.register_profile("long", max_examples=3000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_report_header():
    return f"shared place: {shared() or 'none; tests run on made-up sessions alone'}"
