"""Names only: the programs, verbs and options that are known to show no file's content. What is not here may show one.

Builds, tests, linters, listings, states of machines and services. Nothing is here because of where it was seen, and a
program that prints what it is given (`cat`, `jq`, `prettier`) is here only with what keeps it from opening a file.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple


class Options(NamedTuple):
    """Options without and with a value, as patterns; how many arguments that are no files follow them."""

    alone: str
    valued: str
    arguments: int = 0


NONE = "(?!)"
"""No option at all."""


def _names(words: str, pairs: str = "") -> frozenset[str]:
    return frozenset(words.split()) | frozenset(pairs.split(", ") if pairs else ())


BUILTINS = _names(
    ": [ [[ break cd continue dirs echo exit export false for hash jobs kill local popd printf pushd pwd return"
    " set shift shopt sleep test times true ulimit umask unset wait"
)
ANY = _names(
    # builds and compilers
    "ant bazelisk c++ cc clang clang++ g++ gcc gmake gradle gradlew javac just ld lein make mvn mvnw ninja rake rustc sbt"
    " swiftc task tsc vue-tsc xcodebuild"
    # tests
    " ava bats ctest gotestsum jest karma mocha nosetests nox phpunit py.test pytest rspec tox vitest"
    # linters
    " actionlint bandit black clang-tidy codespell eslint flake8 golangci-lint hadolint isort markdownlint mypy oxlint"
    " phpstan pre-commit prek pycodestyle pyflakes pylint pyright rubocop shellcheck staticcheck stylelint yamllint"
    # listings
    " basename date df dirname du exa eza file ls lsd md5sum mktemp readlink realpath seq sha1sum sha256sum shasum stat"
    " tree wc whereis which"
    # machines
    " arch clear dig dmesg free groups host hostname id ifconfig ip journalctl locale lscpu lsof netstat nproc nslookup"
    " nvidia-smi pgrep pidof ping printenv ps ss tput uname uptime whoami"
    # what prints nothing, or names
    " chmod chown cp killall ln mkdir mv pkill rm rmdir touch"
)
SHOWING = re.compile(
    r"-|--(?:diff|patch|dump.*|print-?config|show-?config|show-diff.*|(?:to-)?stdout|emit.*|word-diff.*|preprocess)"
)
"""Options that, whatever the program, print what it read."""

BUT: Mapping[str, re.Pattern[str]] = {
    **dict.fromkeys(("cc", "gcc", "g++", "c++", "clang", "clang++"), re.compile(r"-E|-dM")),
    **dict.fromkeys(("make", "gmake"), re.compile(r"-[A-Za-z]*p[A-Za-z]*|--print-data-base|--eval.*")),
    **dict.fromkeys(("file", "date"), re.compile(r"-f.*|--files?(?:-from)?.*")),
    **dict.fromkeys(("just", "task"), re.compile(r"-[sc]|--(?:show|evaluate|command|summary).*")),
}
"""Options of one program that print what it read."""

WRITERS = _names(
    "awk base64 cat column curl cut diff echo gawk gh git grep head jq nl printf rev rg sed sort tac tail tr uniq xxd"
)
"""Programs that print nothing but what they were asked for: put into a file, none of it is seen."""

_DURATION = Options(
    r"-v|-[sk].+|--(?:foreground|preserve-status|verbose|signal=.*|kill-after=.*)", "-[sk]|--signal|--kill-after", 1
)
WRAPPERS: Mapping[str, Options] = {
    "bunx": Options("--bun", NONE),
    "caffeinate": Options("-[dimsu]+", NONE),
    "cross-env": Options(NONE, NONE),
    "doas": Options("-n", "-u"),
    "env": Options(r"-|-i|-u.+|--ignore-environment|--(?:unset|chdir)=.*", "-[uC]|--unset|--chdir"),
    "exec": Options("-[cl]+", "-a"),
    "gtimeout": _DURATION,
    "ionice": Options("-t|-[cn][0-9]", "-[cn]"),
    "nice": Options(r"-[0-9]+|-n-?[0-9]+|--adjustment=.*", "-n|--adjustment"),
    "nohup": Options(NONE, NONE),
    "npx": Options("-y|--yes|--no|--no-install|-q|--quiet", "-p|--package"),
    "setsid": Options("-[cfw]+", NONE),
    "stdbuf": Options(r"-[ioe].+|--(?:input|output|error)=.*", "-[ioe]"),
    "sudo": Options(r"-[EHnSkb]+|--preserve-env.*|--non-interactive", "-[ugpCUrthDR]|--user|--group"),
    "time": Options("-[pv]+", "-[fo]|--format|--output"),
    "timeout": _DURATION,
    "unbuffer": Options("-p", NONE),
    "uvx": Options(NONE, "--from|--with|-p|--python"),
    "xvfb-run": Options("-a|--auto-servernum", NONE),
}
"""Programs that run the one behind their options (and arguments, as many as stated)."""

_ENDS = Options(r"-[0-9]+|-[nc][-+]?[0-9]+[bkKmM]?|-[qvrf]|--(?:lines|bytes)=.*", "-[nc]|--lines|--bytes")
_PAGES = Options("-[RFXSNEr]+", NONE)
FILTERS: Mapping[str, Options] = {
    "cat": Options("-[nAbEsTv]+", NONE),
    "column": Options("-[tnx]+|-[scoN].+", "-[scoN]"),
    "cut": Options(r"-s|-[dfcb].+|--(?:delimiter|fields|characters|bytes|output-delimiter)=.*", "-[dfcb]"),
    "expand": Options("-t.+", "-t"),
    "fold": Options("-s|-s?w.+", "-s?w"),
    "head": _ENDS,
    "less": _PAGES,
    "more": _PAGES,
    "nl": Options("-[bwsn].+", "-[bwsn]"),
    "rev": Options(NONE, NONE),
    "sort": Options(
        r"-[nrufhVgMbdiRsz]+|-[nruf]*[kt].+|--(?:reverse|unique|(?:numeric|version|human-numeric)-sort|key=.*)",
        "-[nruf]*[kt]|--key",
    ),
    "tac": Options(NONE, NONE),
    "tail": _ENDS,
    "tee": Options("-[ai]+", NONE, 99),
    "tr": Options("-[cCdst]+", NONE, 2),
    "uniq": Options("-[cdui]+|-[fsw][0-9]+", "-[fsw]"),
}
"""Programs that pass on what is put in, as long as they are told no file."""

_AWK = re.compile(r"(?!\$\Z)(?!.*(?:getline|system|ARGV|@|(?<!\|)\|(?!\|))).+", re.DOTALL)
_OF_AWK = (Options(r"-F.+|-v\w+=.*", "-[Fv]"), _AWK)
_LINE = r"(?:[0-9]+|\$|/(?:[^/\\\n]|\\.)*/)"
_BETWEEN = r"(?:(?!(?P=by))[^\\\n]|\\.)*(?P=by)"
_SED = re.compile(
    rf"(?: ?(?:{_LINE}(?:[,~]\+?{_LINE})? ?)?!? ?(?:[pdq=]|s(?P<by>[/|#,@:!]){_BETWEEN}{_BETWEEN}[gpIi0-9]*) ?(?:[;\n]|\Z))+"
)
SCRIPTED: Mapping[str, tuple[Options, re.Pattern[str]]] = {
    "awk": _OF_AWK,
    "gawk": _OF_AWK,
    "jq": (Options("-[rcsenSMCaj]+", NONE), re.compile(r"(?!\$\Z)(?!.*(?:import|include)).+", re.DOTALL)),
    "mawk": _OF_AWK,
    "sed": (Options("-[nErsuz]+", "-e|--expression"), _SED),
}
"""Filters told by a script, with the scripts that open no file and run no program."""

GLOBAL = (
    "-C|-F|-n|--(?:prefix|cwd|dir|directory|namespace|context|kubeconfig|filter|project|manifest-path|workspace|file)"
)
"""Options with a value before a verb."""

_PACKAGES = (
    "add audit build check ci compile dev i info init install lint list ls outdated pack prune publish rebuild remove run"
    " run-script start t test typecheck uninstall update upgrade version view why"
)


TOLD: Mapping[str, frozenset[str]] = {
    "apt": _names("install update upgrade remove list search"),
    "apt-get": _names("install update upgrade remove"),
    "bazel": _names("build test query info"),
    "biome": _names("check lint ci"),
    "brew": _names("install update upgrade list info search uninstall outdated"),
    "bun": _names("test install add remove i"),
    "bundle": _names("install update check outdated"),
    "cabal": _names("build test check update"),
    "cargo": _names("build b test t check c clippy add remove update clean install nextest bench fetch publish"),
    "cmake": _names("-S -B --build"),
    "composer": _names("install update require test"),
    "coverage": _names("report html xml erase combine"),
    "deno": _names("test lint check"),
    "docker": _names(
        "ps images build pull push logs inspect stats version info stop start restart rm rmi tag",
        "compose ps, compose up, compose down, compose build, compose logs, compose pull, compose restart, image ls,"
        " container ls, volume ls, network ls",
    ),
    "docker-compose": _names("ps up down build logs pull restart stop start"),
    "dotnet": _names("build test restore clean publish pack"),
    "flutter": _names("test build analyze doctor"),
    "gh": _names(
        "status search",
        "pr list, pr view, pr checks, pr status, pr create, pr merge, pr close, pr edit, pr comment, pr ready,"
        " pr checkout, pr review, pr reopen, issue list, issue view, issue create, issue close, issue edit,"
        " issue comment, run list, run view, run watch, run rerun, run download, run cancel, workflow list,"
        " workflow run, auth status, release list, release view, release create, label list, repo list, repo clone,"
        " repo create, repo fork, secret list, variable list, cache list",
    ),
    "go": _names(
        "build test vet get install env version generate fmt list clean", "mod tidy, mod download, mod verify"
    ),
    "helm": _names("list status install upgrade lint version", "repo list, repo update"),
    "kubectl": _names(
        "get describe logs top version apply delete rollout scale events wait api-resources cluster-info"
    ),
    "mise": _names("run r tasks task install ls list use current doctor version outdated upgrade up prune trust which"),
    "mix": _names("test compile credo dialyzer deps.get"),
    "next": _names("build lint"),
    "npm": _names(_PACKAGES),
    "nx": _names("run test build lint run-many affected"),
    "pip": _names("install uninstall list freeze check download wheel show"),
    "pip3": _names("install uninstall list freeze check download wheel show"),
    "playwright": _names("test install"),
    "pnpm": _names(_PACKAGES),
    "poetry": _names("install add remove lock update build check show version"),
    "rails": _names("test db:migrate routes zeitwerk:check"),
    "ruff": _names("check format"),
    "rustup": _names("show update toolchain target component"),
    "stack": _names("build test"),
    "swift": _names("build test"),
    "systemctl": _names("status start stop restart enable disable list-units is-active daemon-reload"),
    "terraform": _names("plan apply init validate"),
    "turbo": _names("run build test lint"),
    "uv": _names("sync lock add remove tree venv build version", "pip install, pip list, pip freeze, pip check"),
    "vite": _names("build"),
    "yarn": _names(_PACKAGES),
}
"""Programs with verbs, and the verbs that show no file."""

RUNNING: Mapping[str, tuple[frozenset[str], str]] = {
    "bundle": (frozenset({"exec"}), NONE),
    "mise": (frozenset({"exec", "x"}), NONE),
    "npm": (frozenset({"exec", "x"}), "-p|--package"),
    "pdm": (frozenset({"run"}), NONE),
    "pipenv": (frozenset({"run"}), NONE),
    "pnpm": (frozenset({"exec", "dlx"}), NONE),
    "poetry": (frozenset({"run"}), NONE),
    "uv": (frozenset({"run"}), "--with|--python|-p|--extra|--group|--package|--env-file"),
    "yarn": (frozenset({"exec", "dlx"}), NONE),
}
"""Verbs behind which another program is named, and the options with a value before it."""

GIT = _names(
    "add apply branch check-ignore checkout cherry-pick clean clone commit config count-objects describe fetch"
    " for-each-ref fsck gc init ls-files ls-remote ls-tree merge merge-base mv name-rev pull push rebase remote reset"
    " restore rev-list rev-parse revert rm shortlog status switch symbolic-ref tag worktree"
)
STASHES = _names("list push pop apply drop save clear")
PATCH = re.compile(
    r"-[uUpLcWx].*|--(?:unified|patch|cc|word-diff|color-words|ext-diff|remerge-diff|diff-merges|dd|function-context"
    r"|exec|show-current-patch|textconv|binary).*"
)
COUNTED = re.compile(
    r"-s|--(?:stat|shortstat|numstat|dirstat)(?:=.*)?|--(?:name-only|name-status|summary|compact-summary|no-patch|quiet|check)"
)
MODULES: Mapping[str, str] = {
    each: {"pip": "pip", "unittest": "pytest", "pre_commit": "pre-commit"}.get(each, each)
    for each in _names("pytest unittest mypy pip ruff black isort flake8 pylint tox nox coverage pyright pre_commit")
}
"""Modules of Python that are programs, and which."""

PYTHON_SCRIPTS: Mapping[str, frozenset[str]] = {
    "manage.py": _names("test migrate makemigrations check showmigrations collectstatic"),
    "setup.py": _names("build install develop test sdist bdist_wheel build_ext"),
}
WRITING: Mapping[str, frozenset[str]] = {
    "autopep8": _names("-i --in-place"),
    "clang-format": _names("-i --dry-run"),
    "gofmt": _names("-l -w"),
    "goimports": _names("-l -w"),
    "prettier": _names("--check -c --write -w -l --list-different"),
    "shfmt": _names("-w -l"),
    "yapf": _names("-i --in-place"),
}
"""Formatters, and the options without which they show what they made of a file."""
