from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from admit.testing import ControlPlane

ROOT = Path(__file__).parent.parent.parent


def test_the_kinds_are_those_of_this_api_server(
    cluster: ControlPlane, tmp_path: Path
) -> None:
    sys.path.insert(0, str(ROOT / "tools" / "kinds"))
    try:
        import generate  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    documents = tmp_path / "documents.json"
    documents.write_text(json.dumps(generate.fetch(cluster.client.get)))
    script = ROOT / "tools" / "kinds" / "generate.py"
    checked = subprocess.run(
        [sys.executable, str(script), "--check", "--from", str(documents)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
