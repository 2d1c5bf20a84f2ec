"""Resource naming conventions: a name says whose it is and what it is."""

import re
from collections.abc import Iterator

from admit import App, Deny, Namespace, Resource

app = App("naming", domain="example.com")

TEAMS = ("data", "payments", "web")
LONGEST = 40
NAME = re.compile(r"[a-z]+(-[a-z0-9]+)+")


@app.validate(
    operations=["CREATE"],
    resources=[
        "configmaps",
        "services",
        "deployments.apps",
        "statefulsets.apps",
        "cronjobs.batch",
    ],
    # Made by the cluster in every namespace, under a name nobody chose.
    when='request.name != "kube-root-ca.crt"',
)
def team_in_name(object: Resource) -> Iterator[Deny]:
    """Names are TEAM-WHAT, such as payments-api."""
    name = object.metadata.name
    if name is None:
        # generateName: the API server adds five characters to what is checked here.
        name = (object.metadata.generateName or "").rstrip("-")
    team = name.partition("-")[0]
    if not NAME.fullmatch(name):
        yield Deny(f"{name!r} is not TEAM-WHAT in lower case, such as payments-api")
    elif team not in TEAMS:
        yield Deny(f"{name!r} does not start with a team: {', '.join(TEAMS)}")
    if len(name) > LONGEST:
        yield Deny(f"{name!r} is longer than {LONGEST} characters")


@app.validate(operations=["CREATE"])
def stage_in_namespace(namespace: Namespace) -> None:
    """Namespaces are TEAM-STAGE."""
    name = namespace.metadata.name or ""
    if not re.fullmatch(rf"({'|'.join(TEAMS)})-(dev|test|prod)", name):
        raise Deny(f"namespace {name!r} is not TEAM-STAGE, such as web-dev")
