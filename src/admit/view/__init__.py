"""JSON that reads like its kind and records what is edited.

    record = Record(document)
    pod = record.view(Pod)
    pod.metadata.labels["app"] = "web"
    record.operations()  # ({"op": "add", "path": "/metadata/labels", ...},)

The document stays plain JSON: nothing is parsed into models and written back, so what
nobody edits keeps its exact form, fields unknown here included.
"""

from __future__ import annotations

from admit.view.plain import raw
from admit.view.quantity import Quantity
from admit.view.record import Record
from admit.view.sequence import List
from admit.view.struct import Struct
from admit.view.table import Map
from admit.view.time import Time

__all__ = ("List", "Map", "Quantity", "Record", "Struct", "Time", "raw")
