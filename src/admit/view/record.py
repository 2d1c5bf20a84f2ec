"""Record: a document, the views on it, and the patch that makes their edits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from admit.view.node import Edits, View, at, unpack_members
from admit.view.writing import write

if TYPE_CHECKING:
    from admit.patch import Operation

__all__ = ("Record",)

_View = TypeVar("_View", bound=View)


class Record(Edits):
    """A document, the views on it, and the edits made through them.

    Args:
        document: a JSON object; edited in place. Its members, and those of its
            metadata, may be `msgspec.Raw`: they are decoded when they are read.
        editable: where it is False, an edit through a view raises `PolicyError`.
    """

    __slots__ = ("_document",)

    def __init__(self, document: dict[str, Any], *, editable: bool = True) -> None:
        super().__init__(editable=editable)
        self._document = document

    @property
    def document(self) -> dict[str, Any]:
        """The document as edited, all of it decoded."""
        if self._created:
            self._drop_empty()
        unpack_members(self._document)
        return self._document

    def view(self, cls: type[_View]) -> _View:
        """Return the document as a kind."""
        return at(cls, self._document, None, self)

    def operations(self) -> tuple[Operation, ...]:
        """Return the smallest patch that makes these edits, in an order that applies.

        Adds, removes and replaces only, with plain indices: what RFC 6902 and the API
        server agree on. An edit that was undone leaves nothing, nor does a parent that
        was made for it.
        """
        if not self._edited:
            return ()
        if self._created:
            self._drop_empty()
        return write(self)
