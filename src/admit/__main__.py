"""`python -m admit` is `admit`."""

from __future__ import annotations

from admit.cli import main

main()
