"""The one policy that every server of the benchmark decides by."""

from __future__ import annotations

from admit import App, Deny, Pod

app = App("pod-labels", domain="example.com")


@app.validate
def require_app_label(pod: Pod) -> None:
    """Every pod names the app it belongs to."""
    if "app" not in pod.metadata.labels:
        raise Deny("Pod must have an app label")
