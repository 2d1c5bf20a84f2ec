"""Policies: from a file, a folder or ``module:app`` to apps and the paths they serve.

`serve`, `review`, `manifests` and `dev` all load here, so that the path which a
configuration names is the path which the server answers.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from admit._handler import Mode
from admit._tasks.importing import Imported, import_files, import_module
from admit._tasks.names import check_names
from admit._tasks.sources import digest
from admit.app import App, Endpoint
from admit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ("Mounted", "Policies", "load_policies", "read_modes")

# Files beside policies that pytest loads and nobody else should.
TESTS: Final = ("test_*.py", "*_test.py", "conftest.py")

MODES_VARIABLE: Final = "ADMIT_MODES"

# As every other file that is not there is told.
_ABSENT: Final = "cannot be read: No such file or directory"

_EXAMPLE: Final = """write for example:

    from admit import App, Deny, Pod

    app = App("pod-labels", domain="example.com")

    @app.validate
    def require_app_label(pod: Pod) -> None:
        if "app" not in pod.metadata.labels:
            raise Deny("Pod must have an app label")
"""


@dataclass(frozen=True, slots=True)
class Mounted:
    """An app, where it was found, and its endpoints at the paths they are served."""

    app: App
    place: str
    endpoints: tuple[Endpoint, ...]

    @property
    def configuration_name(self) -> str:
        """The name of its webhook configurations, which are cluster-wide."""
        return f"{self.app.name}.{self.app.domain}"


@dataclass(frozen=True, slots=True)
class Policies:
    """What was loaded.

    Args:
        mounted: the apps in the order in which they were found.
        files: every file that belongs to them; a change of one is a reason to reload.
        version: a short hash of these files and of the modes that were overridden.
    """

    mounted: tuple[Mounted, ...]
    files: tuple[Path, ...]
    version: str

    @property
    def apps(self) -> tuple[App, ...]:
        """The apps in the order in which they were found."""
        return tuple(mounted.app for mounted in self.mounted)

    @property
    def routes(self) -> dict[str, Endpoint]:
        """The endpoint of each path, for the server."""
        return {
            endpoint.path: endpoint
            for mounted in self.mounted
            for endpoint in mounted.endpoints
        }

    def close(self) -> None:
        """Let the threads of blocking handlers end once they have nothing to do."""
        for app in self.apps:
            threads = vars(app.running).get("threads")
            if threads is not None:
                threads.shutdown(wait=False, cancel_futures=True)


def load_policies(source: str, *, modes: Mapping[str, Mode] | None = None) -> Policies:
    """Load every app of a Python file, a folder of them, or ``module:app``.

    Where two apps would answer at the same default path, every app's default paths
    get its name in front: ``/pod-labels/validate``. Paths that someone wrote stay.

    Args:
        source: the file, the folder (its ``*.py`` that do not start with ``_`` or
            ``.`` and are no `TESTS`), or module and attribute.
        modes: overrides of policies' modes by policy name.

    Raises:
        PolicyError: a file does not import, declares nonsense, or uses a name that is
            defined nowhere; file and line.
        ConfigError: nothing to load there, no app, or apps that collide.
    """
    modes = modes or {}
    found, files = _find_apps(source)
    for app, _ in found:
        check_names(app.handlers)
    _override(found, modes)
    mounted = _mount(found)
    if not any(one.endpoints for one in mounted):
        names = ", ".join(app.name for app, _ in found)
        raise ConfigError(
            f"app {names} has no policies",
            place=source,
            hint="decorate a function with @app.validate or @app.mutate",
        )
    try:
        version = digest(files, modes)
    except OSError as error:
        raise ConfigError(error.strerror or "unreadable", place=source) from error
    return Policies(mounted, files, version)


def read_modes(texts: Iterable[str], *, place: str) -> dict[str, Mode]:
    """Read ``NAME=warn`` overrides.

    Raises:
        ConfigError: one is not of that form, or its mode is none.
    """
    modes: dict[str, Mode] = {}
    for text in texts:
        name, _, mode = text.partition("=")
        allowed = get_args(Mode)
        if not name or mode not in allowed:
            near = difflib.get_close_matches(mode, allowed, n=1) if name else ()
            raise ConfigError(
                f"{text!r} is not NAME=MODE",
                place=place,
                hint=f"did you mean {name}={near[0]}?"
                if near
                else f"a policy's name and {', '.join(allowed)}",
            )
        modes[name] = mode  # type: ignore[assignment] # one of Mode, just checked
    return modes


def split_modes(text: str) -> list[str]:
    """Take apart what the environment says: ``a=warn,b=audit`` or with spaces."""
    return [part for part in re.split(r"[,\s]+", text) if part]


def _find_apps(source: str) -> tuple[list[tuple[App, str]], tuple[Path, ...]]:
    path = Path(source).absolute()
    if path.is_dir():
        return _find_in_folder(path, source)
    if path.suffix == ".py":
        if not path.is_file():
            raise ConfigError(_ABSENT, place=source)
        return _collect(import_files([path]), source)
    if ":" in source:
        return _find_by_name(source)
    raise ConfigError(
        "neither a Python file, nor a folder of them, nor module:app",
        place=source,
        hint="for example policies.py" if not path.exists() else None,
    )


def _find_in_folder(
    folder: Path, source: str
) -> tuple[list[tuple[App, str]], tuple[Path, ...]]:
    files = sorted(file for file in folder.glob("*.py") if _is_policy_file(file.name))
    if not files:
        raise ConfigError("no Python files in the folder", place=source, hint=_EXAMPLE)
    return _collect(import_files(files), source)


def _is_policy_file(name: str) -> bool:
    is_test = any(fnmatchcase(name, pattern) for pattern in TESTS)
    return not is_test and not name.startswith(("_", "."))


def _find_by_name(source: str) -> tuple[list[tuple[App, str]], tuple[Path, ...]]:
    left, _, attribute = source.rpartition(":")
    if left.endswith(".py"):
        file = Path(left).absolute()
        if not file.is_file():
            raise ConfigError(_ABSENT, place=left)
        imported = import_files([file])
    else:
        imported = import_module(left)
    value: Any = imported.modules[0]
    for name in attribute.split("."):
        value = getattr(value, name, None)
    if not isinstance(value, App):
        kind = "nothing" if value is None else f"a {type(value).__name__}"
        names = [name for name, v in vars(imported.modules[0]).items() if _is_app(v)]
        raise ConfigError(
            f"{attribute} is {kind}, not an App",
            place=source,
            hint=f"there is {', '.join(names)}" if names else _EXAMPLE,
        )
    return [(value, _place_of(imported.modules[0]))], imported.files


def _collect(
    imported: Imported, source: str
) -> tuple[list[tuple[App, str]], tuple[Path, ...]]:
    """Return each app once, with the first file that names it."""
    found: dict[App, str] = {}
    for module in imported.modules:
        for value in vars(module).values():
            if _is_app(value):
                found.setdefault(value, _place_of(module))
    if not found:
        raise ConfigError("no App is defined there", place=source, hint=_EXAMPLE)
    return list(found.items()), imported.files


def _is_app(value: object) -> bool:
    return isinstance(value, App)


def _place_of(module: Any) -> str:
    return str(module.__file__ or module.__name__)


def _override(found: Sequence[tuple[App, str]], modes: Mapping[str, Mode]) -> None:
    """Override modes in every app that has a policy of that name."""
    left = dict(modes)
    names: list[str] = []
    for app, _ in found:
        own = [handler.name for handler in app.handlers]
        names += own
        app.override_modes({name: modes[name] for name in own if name in modes})
        for name in own:
            left.pop(name, None)
    if left:
        near = difflib.get_close_matches(next(iter(left)), names, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise ConfigError(
            f"no policy is named {', '.join(left)}",
            place=f"--mode or {MODES_VARIABLE}",
            hint=f"{meant}there are {', '.join(names)}",
        )


def _mount(found: Sequence[tuple[App, str]]) -> tuple[Mounted, ...]:
    """Give every endpoint a path of its own.

    Raises:
        ConfigError: two apps have one name, or two endpoints one path; both places.
    """
    names: dict[str, str] = {}
    for app, place in found:
        if app.name in names:
            raise ConfigError(
                f"two apps are named {app.name}; the other is in {names[app.name]}",
                place=place,
                hint="their webhook configurations would overwrite each other",
            )
        names[app.name] = place
    endpoints = {app: app.endpoints() for app, _ in found}
    counts = Counter(e.path for own in endpoints.values() for e in own)
    collide = any(
        counts[e.path] > 1 and not _is_given(e)
        for own in endpoints.values()
        for e in own
    )
    mounted = tuple(
        Mounted(
            app,
            place,
            tuple(_move(e, app) if collide else e for e in endpoints[app]),
        )
        for app, place in found
    )
    _check_paths(mounted)
    return mounted


def _is_given(endpoint: Endpoint) -> bool:
    """Tell whether somebody wrote this path."""
    return bool(endpoint.handlers[0].options.path)


def _move(endpoint: Endpoint, app: App) -> Endpoint:
    if _is_given(endpoint):
        return endpoint
    return replace(endpoint, path=f"/{app.name}{endpoint.path}")


def _check_paths(mounted: Sequence[Mounted]) -> None:
    """Refuse what two endpoints cannot share.

    Names of webhooks too: ``/mutate-x`` and ``/mutate/x`` make the same.
    """
    for what in ("path", "webhook_name"):
        seen: dict[str, Endpoint] = {}
        for endpoint in (e for one in mounted for e in one.endpoints):
            value = getattr(endpoint, what)
            other = seen.setdefault(value, endpoint)
            if other is not endpoint:
                raise ConfigError(
                    f"the {what.replace('_', ' ')} {value} is taken: "
                    f"{other.handlers[0].name} at {other.handlers[0].place} has it",
                    place=endpoint.handlers[0].place,
                    hint="give one of them another path=",
                )
