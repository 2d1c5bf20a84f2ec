"""From a manifest to the request that the API server makes of it.

Source: apiserver pkg/admission/plugin/webhook/request/admissionreview.go, and what
kubectl sends (options, operations), seen through a real API server.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from admit._tasks.pairs import DEFAULT_NAMESPACE
from admit._tasks.resources import find_served, guess_plural, suggest_kind
from admit.errors import ConfigError
from admit.kinds import ResourceType, get_kind
from admit.kinds._index import KINDS
from admit.review import (
    AdmissionRequest,
    GroupVersionKind,
    GroupVersionResource,
    Review,
    UserInfo,
    decode_review,
)
from admit.view.unknown import find_unknown_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from admit._tasks.documents import Document
    from admit._tasks.resources import Kinds
    from admit.review import Operation

__all__ = ("Draft", "Wish", "draft_request")

API_VERSION: Final = "admission.k8s.io/v1"

# Whom kubeadm makes the cluster's first user.
USER: Final = "kubernetes-admin"
USER_GROUPS: Final = ("kubeadm:cluster-admins",)
AUTHENTICATED: Final = "system:authenticated"

# What the API server keeps of the stored object when a client leaves it out
# (apiserver pkg/registry/rest/update.go).
KEPT_METADATA: Final = (
    "uid",
    "creationTimestamp",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)

_OPTIONS: Final[dict[str, dict[str, Any] | None]] = {
    "CREATE": {
        "kind": "CreateOptions",
        "fieldManager": "kubectl-create",
        "fieldValidation": "Strict",
    },
    "UPDATE": {
        "kind": "UpdateOptions",
        "fieldManager": "kubectl-replace",
        "fieldValidation": "Strict",
    },
    "DELETE": {"kind": "DeleteOptions", "propagationPolicy": "Background"},
    "CONNECT": None,
}

_SUBRESOURCE: Final = re.compile(
    r"(?:(?P<resource>[a-z0-9-]+)(?:\.(?P<group>[a-z0-9.-]+))?/)?(?P<sub>[a-z]+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody does with the objects.

    Args:
        subresource: ``status``, or with its resource ``deployments.apps/scale`` where
            the object's kind does not say.
        namespace: where; by default the object's own, else ``default``.
    """

    operation: Operation = "CREATE"
    subresource: str = ""
    namespace: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()
    dry_run: bool = False

    def user_info(self) -> UserInfo:
        """Return the user as the API server sees them."""
        groups: list[str] = [*self.groups]
        if not self.user and not groups:
            groups += USER_GROUPS
        account = re.fullmatch(r"system:serviceaccount:([^:]+):[^:]+", self.user)
        if account is not None:
            namespace = account[1]
            groups += ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
        if AUTHENTICATED not in groups:
            groups.append(AUTHENTICATED)
        return UserInfo(username=self.user or USER, groups=groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A request that is ready to be asked, and what was assumed to make it."""

    document: Document
    review: Review
    notes: tuple[str, ...] = ()

    @property
    def request(self) -> AdmissionRequest:
        """What is asked."""
        return self.review.request


def draft_request(
    document: Document,
    wish: Wish,
    kinds: Kinds,
    *,
    uid: str,
    old: Mapping[str, Any] | None = None,
) -> Draft:
    """Return the request that the API server makes of a document.

    An AdmissionReview is taken as it is, and the wish does not count.

    Raises:
        ConfigError: the wish makes no sense of this object; file and line.
        ReviewError: an AdmissionReview that is none; its JSON path.
    """
    if document.content["kind"] == "AdmissionReview":
        review = decode_review(msgspec.json.encode(document.content))
        for _ in (review.request.object, review.request.old_object):
            pass  # each decodes when it is read, and may be no object
        return Draft(document=document, review=review)
    return _Drafting(document, wish, kinds).draft(uid, old)


class _Drafting:
    """What is known of one object while its request is made."""

    def __init__(self, document: Document, wish: Wish, kinds: Kinds) -> None:
        self.document = document
        self.wish = wish
        self.kinds = kinds
        self.notes: list[str] = []
        self.object = copy.deepcopy(document.content)
        api_version: str = self.object["apiVersion"]
        group, _, version = api_version.rpartition("/")
        self.kind = GroupVersionKind(group, version, self.object["kind"])
        self.metadata = self.object.setdefault("metadata", {})
        if not isinstance(self.metadata, dict):
            raise ConfigError("metadata is no object", place=document.place)

    def draft(self, uid: str, old: Mapping[str, Any] | None) -> Draft:
        resource, subresource, namespaced = self._find_resource()
        name = self._name()
        namespace = self._namespace(resource, namespaced=namespaced)
        operation = self.wish.operation
        new: dict[str, Any] | None = self.object
        if operation == "CONNECT":
            del self.object["metadata"]  # it said whom, and has no other place
        if operation == "DELETE":
            new, old = None, self.object
        if operation == "UPDATE":
            old = self._keep_stored(old)
        request = AdmissionRequest(
            uid=uid,
            kind=self.kind,
            resource=resource,
            sub_resource=subresource,
            request_kind=self.kind,
            request_resource=resource,
            request_sub_resource=subresource,
            name=name,
            namespace=namespace,
            operation=operation,
            user_info=self.wish.user_info(),
            raw_object=_raw(new),
            raw_old_object=_raw(old),
            dry_run=self.wish.dry_run,
            raw_options=_raw(self._options()),
        )
        self._note_unknown_fields()
        review = Review(API_VERSION, request)
        return Draft(document=self.document, review=review, notes=tuple(self.notes))

    def _note_unknown_fields(self) -> None:
        """Note what kubectl's strict validation refuses before any webhook is asked."""
        api_version, name = self.document.content["apiVersion"], self.kind.kind
        if name not in KINDS or self.wish.operation not in {"CREATE", "UPDATE"}:
            return
        kind = get_kind(name)
        type_ = kind.__resource__
        if type_ is None or type_.api_version != api_version:
            return  # another version may have other fields
        for path, near in find_unknown_fields(kind, self.document.content):
            hint = f"; did you mean {near}?" if near else ""
            self.notes.append(
                f'{self.document.place}: unknown field "{path}", which kubectl '
                f"refuses{hint}"
            )

    def _find_resource(self) -> tuple[GroupVersionResource, str, bool]:
        """Return resource, subresource and whether it lives in a namespace."""
        asked = _SUBRESOURCE.fullmatch(self.wish.subresource or "none")
        if asked is None:
            raise ConfigError(
                f"{self.wish.subresource!r} is no subresource",
                place="--subresource",
                hint="such as status, or deployments.apps/scale",
            )
        subresource = asked["sub"] if self.wish.subresource else ""
        if asked["resource"]:
            return self._find_parent(asked["resource"], asked["group"], subresource)
        if self.kind.kind == "Scale":
            raise ConfigError(
                "a Scale does not say what it scales",
                place=self.document.place,
                hint="for example --subresource deployments.apps/scale",
            )
        type_ = self.kinds.find(self.object["apiVersion"], self.kind.kind)
        if type_ is None:
            type_ = self._guess()
        # Kinds that are sent to a subresource only: ``pods/exec``.
        plural, _, own = type_.plural.partition("/")
        resource = GroupVersionResource(type_.group, type_.version, plural)
        return resource, own or subresource, type_.namespaced

    def _find_parent(
        self, plural: str, group: str | None, subresource: str
    ) -> tuple[GroupVersionResource, str, bool]:
        type_ = self.kinds.find_by_plural(plural, group)
        if type_ is None:
            raise ConfigError(
                f"the resource {f'{plural}.{group}' if group else plural} is not known",
                place="--subresource",
                hint="put its CRD among the files, or name a built-in one, such as "
                "deployments.apps/scale",
            )
        resource = GroupVersionResource(type_.group, type_.version, plural)
        return resource, subresource, type_.namespaced

    def _guess(self) -> ResourceType:
        kind = self.kind
        served = find_served(kind.group, kind.kind)
        plural = served.plural if served else guess_plural(kind.kind)
        namespaced = served is None or served.namespaced
        where = "in a namespace" if namespaced else "cluster-wide"
        self.notes.append(
            f"{self.object['apiVersion']} {kind.kind} is not known here: taken as "
            f"{plural}, {where}; {suggest_kind(kind.group, kind.kind)}put its CRD "
            "among the files"
        )
        return ResourceType(
            kind.group, kind.version, kind.kind, plural, namespaced=namespaced
        )

    def _name(self) -> str:
        name = self._text("name")
        creates = self.wish.operation == "CREATE"
        if not name and not (creates and self.metadata.get("generateName")):
            raise ConfigError(
                "metadata.name is missing",
                place=self.document.place,
                hint="metadata.generateName will do on CREATE" if creates else None,
            )
        return name

    def _text(self, field: str) -> str:
        value = self.metadata.get(field)
        if value is None or isinstance(value, str):
            return value or ""
        raise ConfigError(
            f"metadata.{field} is no text",
            place=self.document.place,
            hint="YAML reads no, on, 1 and the like as something else: quote it",
        )

    def _namespace(self, resource: GroupVersionResource, *, namespaced: bool) -> str:
        """Return the namespace, which kubectl writes into the object too."""
        if not namespaced:
            # Requests about a Namespace are in it.
            is_namespace = (resource.group, resource.resource) == ("", "namespaces")
            return self._text("name") if is_namespace else ""
        wish, own = self.wish.namespace, self._text("namespace")
        if wish and own and wish != own:
            raise ConfigError(
                f'the namespace from the provided object "{own}" does not match the '
                f'namespace "{wish}"',
                place=self.document.place,
                hint=f"--namespace {own}, or none",
            )
        namespace = own or wish or DEFAULT_NAMESPACE
        self.metadata["namespace"] = namespace
        return namespace

    def _keep_stored(self, old: Mapping[str, Any] | None) -> Mapping[str, Any]:
        if old is None:
            raise ConfigError(
                "an UPDATE needs the object as it is stored",
                place=self.document.place,
                hint="--old FILE, for example from kubectl get -o yaml",
            )
        before = old.get("metadata")
        if isinstance(before, dict):
            for name in KEPT_METADATA:
                if name in before:
                    self.metadata.setdefault(name, before[name])
            if self.metadata.get("namespace"):
                before.setdefault("namespace", self.metadata["namespace"])
        return old

    def _options(self) -> dict[str, Any] | None:
        options = _OPTIONS[self.wish.operation]
        if options is None:
            return None
        dry_run = {"dryRun": ["All"]} if self.wish.dry_run else {}
        return {"apiVersion": "meta.k8s.io/v1", **options, **dry_run}


def _raw(value: Mapping[str, Any] | None) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
