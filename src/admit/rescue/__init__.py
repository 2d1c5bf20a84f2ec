"""Break glass: take webhook configurations out of the way, and put them back.

What lives here: backups, which configurations are meant, what differs, who would undo
it, and the steps against a cluster. How a configuration is opened and closed is in
`admit.break_glass`, which admit's own reconciler reads too.
"""

from __future__ import annotations
