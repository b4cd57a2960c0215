"""Log lines as supervisord keeps them."""

import json
import subprocess
import sys

PROGRAM = """
import structlog
from tokenpak.processes.logs import write_log_to_stderr
write_log_to_stderr()
structlog.get_logger().warning("job failed", where="a.py:1")
"""


def test_one_json_object_a_line_on_stderr():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, timeout=30)
    assert ended.stdout == b""
    (line,) = ended.stderr.splitlines()
    row = json.loads(line)
    assert (row["event"], row["level"], row["where"]) == ("job failed", "warning", "a.py:1")
    assert row["timestamp"].endswith("Z")
