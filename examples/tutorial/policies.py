"""The tutorial: one webhook that refuses pods and one that completes them."""

from admit import App, Deny, Pod

app = App("pod-labels", domain="example.com")


@app.validate(path="/validate-pods")
def require_app_label(pod: Pod) -> None:
    """Every pod names the app it belongs to."""
    if "app" not in pod.metadata.labels:
        raise Deny("Pod must have an app label")


@app.mutate(path="/mutate-pods")
def default_environment(pod: Pod) -> None:
    """Pods that name no environment belong to production."""
    pod.metadata.labels.setdefault("environment", "production")
