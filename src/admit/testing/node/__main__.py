"""Run a command where a node can be: ``python -m admit.testing.node COMMAND ...``."""

from __future__ import annotations

import sys

from admit.errors import ConfigError
from admit.testing.node.namespaces import isolate

if __name__ == "__main__":
    try:
        sys.exit(isolate(sys.argv[1:]))
    except ConfigError as error:
        sys.exit(f"error: {error}")
