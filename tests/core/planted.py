"""Secrets for tests, made up anew from a seed: none stands in this repository, and none opens anything."""

import random
import string

ALNUM = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + "234567"
HEX = "0123456789abcdef"


def word(rng: random.Random, alphabet: str, length: int) -> str:
    """Characters drawn at random; all kinds of an alphabet of letters and digits are among them."""
    while True:
        drawn = "".join(rng.choice(alphabet) for _ in range(length))
        if alphabet != ALNUM or (drawn[1:-1].isalnum() and sum(c.isdigit() for c in drawn) > 2 and not drawn.islower()):
            return drawn


def secrets(seed: int = 1) -> dict[str, str]:
    """One secret for each detector of secrets, by its name."""
    rng = random.Random(seed)
    lines = "\n".join(word(rng, ALNUM, 64) for _ in range(8))
    frame = "PRIVATE KEY-----"
    return {
        "private-key": f"-----BEGIN RSA {frame}\n{lines}\n-----END RSA {frame}",
        "anthropic-key": "sk-" + "ant-api03-" + word(rng, ALNUM, 80),
        "openrouter-key": "sk-" + "or-v1-" + word(rng, HEX, 64),
        "openai-key": "sk-" + "proj-" + word(rng, ALNUM, 60),
        "google-key": "AI" + "za" + word(rng, ALNUM, 35),
        "aws-key": "AK" + "IA" + word(rng, UPPER, 16),
        "github-token": "gh" + "p_" + word(rng, ALNUM, 36),
        "gitlab-token": "gl" + "pat-" + word(rng, ALNUM, 20),
        "slack-token": f"xox{'b'}-{rng.randrange(10**11, 10**12)}-{rng.randrange(10**12, 10**13)}-"
        + word(rng, ALNUM, 24),
        "slack-webhook": "hooks.slack.com/services/T"
        + word(rng, UPPER, 8)
        + "/B"
        + word(rng, UPPER, 8)
        + "/"
        + word(rng, ALNUM, 24),
        "stripe-key": "sk" + "_live_" + word(rng, ALNUM, 24),
        "npm-token": "np" + "m_" + word(rng, ALNUM, 36),
        "pypi-token": "py" + "pi-AgEIcHlwaS5vcmc" + word(rng, ALNUM, 80),
        "huggingface-token": "h" + "f_" + word(rng, string.ascii_letters, 34),
        "jwt": "ey" + "J" + word(rng, ALNUM, 30) + ".ey" + "J" + word(rng, ALNUM, 60) + "." + word(rng, ALNUM, 43),
        "url-password": word(rng, ALNUM, 20),
        "assigned-secret": word(rng, ALNUM, 32),
    }


def shown(kind: str, secret: str) -> str:
    """A secret as it stands in a text."""
    match kind:
        case "url-password":
            return f"postgres://app:{secret}@db.internal/main"
        case "assigned-secret":
            return f'client_secret = "{secret}"'
        case _:
            return secret
