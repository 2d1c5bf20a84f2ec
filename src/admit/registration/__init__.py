"""Registration: what the API server is told about us is kept right while we serve.

What lives here: what to do about a configuration as it is now (pure, `judge`), and the
one who does it (`Registrar`). What this package must not know: apps and policies; it is
given configurations as plain objects.
"""

from __future__ import annotations

from admit.registration.judge import Judgement, judge
from admit.registration.registrar import Registrar

__all__ = ("Judgement", "Registrar", "judge")
