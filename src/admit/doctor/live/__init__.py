"""Live: what only a cluster can tell about webhooks, whoever runs them.

What lives here: a snapshot of what was seen as values, and the findings in it. Nothing
here asks a cluster; who does is `admit._tasks.doctor`.
"""

from __future__ import annotations
