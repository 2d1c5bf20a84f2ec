"""Only has to type-check, under mypy and pyright; what is wrong is marked as such."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from admit import App, Deny, Pod

app = App("typed-options")


@app.validate(
    name="right",
    operations=["CREATE", "DELETE"],
    resources=("pods/exec",),
    namespaces=["shop"],
    exempt_namespaces=["lab"],
    labels="app=web",
    when="has(object.metadata.labels)",
    mode="warn",
    failure_policy="Ignore",
    timeout_seconds=3,
    path="/pods",
    blocking=True,
    ratchet=False,
)
def right(pod: Pod) -> None:
    raise Deny(pod.kind or "no kind")


@app.mutate(failure_policy=None, timeout_seconds=None)
def right_too(pod: Pod) -> None:
    pod.metadata.labels["app"] = "web"


app.validate(operations=["CREAT"])  # type: ignore[list-item]
app.validate(mode="warm")  # type: ignore[call-overload]
app.mutate(failure_policy="Open")  # type: ignore[call-overload]
app.mutate(timeout_seconds="3s")  # type: ignore[call-overload]
app.validate(blocking="yes")  # type: ignore[call-overload]
app.validate(namespace=["shop"])  # type: ignore[call-overload]
