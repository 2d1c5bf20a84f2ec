import pytest
from policies import stage_in_namespace, team_in_name

from admit import ConfigMap, Deny, Namespace


def denials(**metadata: str) -> list[str]:
    return [deny.message for deny in team_in_name(ConfigMap({"metadata": metadata}))]


@pytest.mark.parametrize("name", ["payments-api", "web-a-1", "data-x"])
def test_a_name_that_starts_with_its_team_passes(name: str) -> None:
    assert denials(name=name) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("settings", "is not TEAM-WHAT"),
        ("Payments-api", "is not TEAM-WHAT"),
        ("payments_api", "is not TEAM-WHAT"),
        ("sales-api", "does not start with a team: data, payments, web"),
        ("web-" + "x" * 40, "longer than 40"),
    ],
)
def test_other_names_are_refused(name: str, message: str) -> None:
    (found,) = denials(name=name)
    assert message in found


def test_of_a_generated_name_the_given_part_counts() -> None:
    assert denials(generateName="web-job-") == []
    assert denials(generateName="job-") != []


def test_a_namespace_says_its_stage() -> None:
    stage_in_namespace(Namespace({"metadata": {"name": "web-dev"}}))
    with pytest.raises(Deny, match="is not TEAM-STAGE"):
        stage_in_namespace(Namespace({"metadata": {"name": "web"}}))
