"""`tokenpak vocabulary`: which vocabulary counts tokens here, and the one download that can bring it.

Nothing else in TokenPak fetches a vocabulary, and this only on the user's word: `fetch` lets tiktoken itself load the
file, from where tiktoken says it is, into the instance's own directory.
"""

import os
import sys
from pathlib import Path

from cyclopts import App

from tokenpak.config.paths import PathError, Paths, default_config_file, prepare
from tokenpak.config.settings import ConfigError, load
from tokenpak.services.tokens import O200K, find_vocabulary, search_path

app = App(name="vocabulary", help="Find or fetch the tokenizer's vocabulary.")


@app.default
def vocabulary(*, state_dir: Path | None = None, config: Path | None = None) -> int:
    """Say where the vocabulary was found.

    Parameters
    ----------
    state_dir
        State directory of the instance; its `vocabulary` directory is searched first. Default: the user's state directory.
    config
        Configuration file that names the state directory.

    """
    own = _paths(state_dir, config).vocabulary
    found = find_vocabulary(search_path(own))
    if found is None:
        sys.stdout.write(
            f"{O200K.name}: not found. Tokens are estimated, savings understated, and figures say so.\n"
            "Run `tokenpak vocabulary fetch` to download it once, or put the file into "
            f"{own}\n"
        )
        return 1
    sys.stdout.write(f"{O200K.name}: {found}\n")
    return 0


@app.command
def fetch(*, state_dir: Path | None = None, config: Path | None = None) -> int:
    """Download the vocabulary once, with tiktoken, unless it is on this machine already.

    Parameters
    ----------
    state_dir
        State directory of the instance; the file goes into its `vocabulary` directory. Default: the user's state directory.
    config
        Configuration file that names the state directory.

    """
    paths = _paths(state_dir, config)
    own = paths.vocabulary
    found = find_vocabulary(search_path(own))
    if found is not None:
        sys.stdout.write(f"{O200K.name}: already here, nothing downloaded: {found}\n")
        return 0
    sys.stdout.write(f"Downloading {O200K.name} ({O200K.size / 1e6:.1f} MB) with tiktoken into {own} ...\n")
    sys.stdout.flush()
    trouble = _download(paths)
    found = find_vocabulary((own,))
    if found is None:
        sys.stderr.write(
            f"tokenpak: the vocabulary could not be fetched: {trouble or 'tiktoken stored another file'}.\n"
            "Check the network and run the command again; until then tokens are estimated.\n"
        )
        return 1
    sys.stdout.write(f"{O200K.name}: {found}\nRunning workers use it after `tokenpakctl restart worker`.\n")
    return 0


def _download(paths: Paths) -> str | None:
    """Let tiktoken store its file; what went wrong, if anything did."""
    import tiktoken

    before = os.environ.get("TIKTOKEN_CACHE_DIR")
    try:
        prepare(paths)
        os.environ["TIKTOKEN_CACHE_DIR"] = str(paths.vocabulary)
        tiktoken.get_encoding(O200K.name)
    except PathError as error:
        return str(error)
    except (OSError, ValueError) as error:  # network errors are OSErrors; a wrong hash is a ValueError
        return type(error).__name__ + (f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else "")
    finally:
        if before is None:
            os.environ.pop("TIKTOKEN_CACHE_DIR", None)
        else:
            os.environ["TIKTOKEN_CACHE_DIR"] = before
    return None


def _paths(state_dir: Path | None, config: Path | None) -> Paths:
    """The paths of the instance these options mean; the way they are settled is that of `serve`."""
    default = default_config_file()
    chosen = config or (default if default.exists() else None)
    overrides: dict[str, object] = {"state_dir": str(state_dir)} if state_dir else {}
    try:
        return load(chosen, os.environ, overrides).paths
    except ConfigError as error:
        raise SystemExit(f"tokenpak: {error}") from error
