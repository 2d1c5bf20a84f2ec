"""Numbers and lines about reviews; nothing of an object in either."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from admit import App, Deny, HandlerError, Pod, ReviewError
from admit.server import LEFT_BUCKETS_SECONDS, Counts
from admit.server.clients import REFUSALS
from admit.telemetry import (
    METRICS,
    Ledger,
    Lines,
    Measures,
    Sample,
    collect,
    configure_logs,
    render,
    render_alone,
    watched,
)
from admit.telemetry import metrics as table
from tests.reviews import ask, pod

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from admit.review import AdmissionRequest, AdmissionResponse

SECRET = "MARKER-of-the-body"


class Heard:
    """A Sayer that keeps lines."""

    def __init__(self, level: int = logging.DEBUG) -> None:
        self.level = level
        self.lines: list[dict[str, Any]] = []

    def hears(self, level: int) -> bool:
        return level >= self.level

    def say(self, level: int, message: str, fields: Mapping[str, Any]) -> None:
        self.lines.append({"level": level, "message": message, **fields})


def make_app() -> App:
    app = App("pod-labels", domain="example.com")

    @app.validate
    def decide(pod: Pod) -> None:
        match pod.metadata.labels.get("do"):
            case "deny":
                raise Deny(f"no {SECRET}")
            case "fail":
                raise ZeroDivisionError(SECRET)

    @app.mutate(operations=["CREATE"])
    def default(pod: Pod) -> None:
        pod.metadata.labels.setdefault("app", "my-app")

    @app.validate(path="/slow")
    async def wait(pod: Pod) -> None:
        await asyncio.sleep(60)

    return app


@pytest.fixture
def endpoints() -> dict[str, Any]:
    return {endpoint.path: endpoint for endpoint in make_app().endpoints()}


def review(reviewer: Any, request: AdmissionRequest) -> AdmissionResponse:
    async def review() -> AdmissionResponse:
        response: AdmissionResponse = await reviewer(request)
        return response

    return asyncio.run(review())


def read(text: bytes) -> dict[tuple[str, str], float]:
    return {
        (
            sample.name,
            ",".join(v for _, v in sorted(sample.labels.items())),
        ): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_a_wrapper_is_called_as_what_it_wraps(endpoints: dict[str, Any]) -> None:
    for endpoint in endpoints.values():
        wrapped = watched(endpoint, Measures(), Heard())
        for name in (
            *("webhook_name", "suspends", "timeout_seconds", "running", "handlers"),
            *("mutating", "path", "rules"),
        ):
            assert getattr(wrapped, name) == getattr(endpoint, name)
    with pytest.raises(AttributeError):
        _ = wrapped.nothing


@pytest.mark.parametrize(
    ("path", "request_", "verdict"),
    [
        ("/validate", ask(pod(app="web")), "allow"),
        ("/validate", ask(pod(do="deny")), "deny"),
        ("/validate", ask(pod(do="fail")), "error"),
        ("/validate", ask([SECRET]), "invalid"),
        ("/mutate", ask(pod()), "mutate"),
        ("/mutate", ask(pod(app="web")), "allow"),
        ("/slow", ask(pod()), "timeout"),
    ],
)
def test_each_verdict_is_counted_and_told_once(
    path: str, request_: AdmissionRequest, verdict: str, endpoints: dict[str, Any]
) -> None:
    measures, heard = Measures(), Heard()
    reviewer = watched(endpoints[path], measures, heard)
    try:
        if verdict == "timeout":

            async def give_up() -> None:
                async with asyncio.timeout(0.01):
                    await reviewer(request_)

            with pytest.raises(TimeoutError):
                asyncio.run(give_up())
        else:
            review(reviewer, request_)
    except (HandlerError, ReviewError):
        assert verdict in {"error", "invalid"}
    counted = {
        sample.labels[2]: sample.values[0]
        for sample in measures.collect()
        if sample.name == "admit_reviews_total" and sample.values[0]
    }
    assert counted == {verdict: 1}
    (line,) = heard.lines
    assert line["verdict"] == verdict
    assert line["webhook"] == endpoints[path].webhook_name
    assert line["operation"] == "CREATE"
    assert line["resource"] == "pods"
    assert (line["namespace"], line["name"]) == ("default", "web")
    assert line["uid"] == request_.uid
    assert SECRET not in str(heard.lines)


def test_a_line_names_the_policies(endpoints: dict[str, Any]) -> None:
    heard = Heard()
    reviewer = watched(endpoints["/validate"], Measures(), heard)
    review(reviewer, ask(pod(do="deny")))
    with pytest.raises(HandlerError):
        review(reviewer, ask(pod(do="fail")))
    assert heard.lines[0]["policies"] == ["decide"]
    assert heard.lines[1]["policies"] == ["decide"]
    assert heard.lines[1]["error"] == "ZeroDivisionError"
    assert re.search(r"test_telemetry\.py:\d+$", heard.lines[1]["place"])


def test_allowed_reviews_are_told_at_level_debug_only(
    endpoints: dict[str, Any],
) -> None:
    heard = Heard(logging.INFO)
    reviewer = watched(endpoints["/validate"], Measures(), heard)
    review(reviewer, ask(pod(app="web")))
    assert not heard.lines
    review(reviewer, ask(pod(do="deny")))
    assert len(heard.lines) == 1
    heard.level = logging.WARNING
    review(reviewer, ask(pod(do="deny")))
    assert len(heard.lines) == 1


def test_names_from_strangers_are_cut_and_subresources_told(
    endpoints: dict[str, Any],
) -> None:
    heard = Heard()
    request = ask(pod(do="deny"), name="x" * 10_000, subResource="")
    review(watched(endpoints["/validate"], Measures(), heard), request)
    assert heard.lines[0]["name"] == "x" * 253
    request = ask(pod(), subResource="status", operation="UPDATE")
    review(watched(endpoints["/validate"], Measures(), heard), request)
    assert heard.lines[1]["resource"] == "pods/status"


def test_likely_labels_are_there_from_the_start(endpoints: dict[str, Any]) -> None:
    measures = Measures()
    for endpoint in endpoints.values():
        watched(endpoint, measures, Heard())
    found = read(render(collect(measures, Counts())))
    webhook = "validate.pod-labels.example.com"
    for operation in ("CREATE", "UPDATE"):
        for verdict in ("allow", "deny", "error", "invalid", "timeout"):
            key = "admit_reviews_total", f"{operation},{verdict},{webhook}"
            assert found[key] == 0
    assert ("admit_reviews_total", f"DELETE,allow,{webhook}") not in found
    assert ("admit_reviews_total", f"CREATE,mutate,{webhook}") not in found
    for policy in ("decide", "default", "wait"):
        assert found["admit_handler_errors_total", policy] == 0
        assert found["admit_loop_held_total", policy] == 0
    assert found["admit_http_responses_total", "503"] == 0
    assert found["admit_review_duration_seconds_count", webhook] == 0


def test_numbers_of_a_name_go_on_when_its_policies_are_reloaded(
    endpoints: dict[str, Any],
) -> None:
    measures = Measures()
    review(watched(endpoints["/validate"], measures, Heard()), ask(pod(app="web")))
    again = {e.path: e for e in make_app().endpoints()}["/validate"]
    review(watched(again, measures, Heard()), ask(pod(app="web")))
    found = read(render(collect(measures, Counts())))
    webhook = "validate.pod-labels.example.com"
    assert found["admit_reviews_total", f"CREATE,allow,{webhook}"] == 2
    assert found["admit_review_duration_seconds_count", webhook] == 2


def test_a_reviewer_without_rules_has_every_operation() -> None:
    class Bare:
        webhook_name = "bare.example.com"
        timeout_seconds = 10

        async def __call__(self, request: AdmissionRequest) -> AdmissionResponse:
            raise NotImplementedError

    measures = Measures()
    wrapped = watched(Bare(), measures, Heard())
    assert wrapped.suspends is True
    operations = {
        sample.labels[1]
        for sample in measures.collect()
        if sample.name == "admit_reviews_total"
    }
    assert operations == {"CREATE", "UPDATE", "DELETE", "CONNECT"}
    with pytest.raises(NotImplementedError):
        review(wrapped, ask(pod()))


def test_histograms_are_cumulative_when_shown() -> None:
    sample = Sample(
        "admit_deadline_left_seconds", ("w",), (1, 0, 2, 0, 0, 0, 0, 0, 3, 7.5)
    )
    found = read(render([sample]))
    name = "admit_deadline_left_seconds_bucket"
    assert found[name, "0.0,w"] == 1
    assert found[name, "0.5,w"] == 3
    assert found[name, "30.0,w"] == 3
    assert found[name, "+Inf,w"] == 6
    assert found["admit_deadline_left_seconds_sum", "w"] == 7.5


def test_the_server_counts_in_the_buckets_of_the_table() -> None:
    rows = {metric.name: metric for metric in METRICS}
    assert rows["admit_deadline_left_seconds"].buckets == LEFT_BUCKETS_SECONDS
    assert table.REFUSALS == REFUSALS


def test_workers_add_up_and_the_dead_keep_their_counters() -> None:
    def worker(reviews: int, open_: int, expiry: float) -> bytes:
        counts = Counts()
        counts.responses[200] = reviews
        counts.connections = open_
        counts.certificate_expiry = expiry
        return msgspec.json.encode(collect(Measures(), counts))

    ledger = Ledger()
    ledger.retire(worker(10, 5, 1))
    ledger.retire(worker(20, 5, 1))
    alive = [worker(1, 2, 300), worker(2, 3, 200)]
    found = read(asyncio.run(ledger.render(alive, restarts=2)))
    assert found["admit_http_responses_total", "200"] == 33
    assert found["admit_connections", ""] == 5
    assert found["admit_certificate_expiry_timestamp_seconds", ""] == 200
    assert found["admit_worker_restarts_total", ""] == 2


def test_process_metrics_are_those_of_the_process() -> None:
    found = read(asyncio.run(render_alone(collect(Measures(), Counts()))))
    assert found["process_resident_memory_bytes", ""] > 1e6
    assert found["process_open_fds", ""] >= 3
    assert found["process_cpu_seconds_total", ""] > 0
    assert found["process_start_time_seconds", ""] > 1.6e9


def test_every_metric_has_a_name_a_unit_and_a_meaning() -> None:
    for metric in table.METRICS:
        assert re.fullmatch(r"(admit|process)_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.meaning.endswith(".")
        assert bool(metric.buckets) == (metric.kind == "histogram")
        assert set(metric.labels) <= {
            "webhook",
            "operation",
            "verdict",
            "policy",
            "code",
            "app",
            "version",
            "result",
            "phase",
            "reason",
        }


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def usual_logs() -> Iterator[None]:
    """Leave the logger as it was."""
    yield
    logger = logging.getLogger("admit")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


def test_lines_are_json_unless_at_a_terminal() -> None:
    file, terminal = io.StringIO(), Terminal()
    for stream in (file, terminal):
        configure_logs(stream=stream)
        extra = {"fields": {"kind": "test", "name": "a b", "empty": "", "n": 1}}
        logging.getLogger("admit.test").info("it %s", "happened", extra=extra)
    line = json.loads(file.getvalue())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {
        "level": "info",
        "message": "it happened",
        "kind": "test",
        "name": "a b",
        "empty": "",
        "n": 1,
    }
    assert re.fullmatch(
        r'\d\d:\d\d:\d\d INFO    it happened  name="a b"  n=1\n', terminal.getvalue()
    )


def test_nothing_can_begin_a_line_of_its_own() -> None:
    for as_text in (True, False):
        stream = io.StringIO()
        lines = Lines(stream, as_text=as_text)
        fields = {"name": "a\nfake: line\x1b[31m", "list": ["x\ny"], "bad": "\ud800"}
        lines.say(logging.INFO, "said", fields)
        assert stream.getvalue().count("\n") == 1
        assert "\x1b" not in stream.getvalue()


def test_an_error_is_told_by_its_class_alone() -> None:
    stream = io.StringIO()
    configure_logs("json", stream=stream)
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("admit.test").exception("failed")
    assert json.loads(stream.getvalue())["error"] == "ValueError"
    assert SECRET not in stream.getvalue()


def test_levels_below_the_chosen_one_are_not_heard() -> None:
    stream = io.StringIO()
    lines = configure_logs("json", level="warning", stream=stream)
    logging.getLogger("admit.test").info("quiet")
    logging.getLogger("admit.test").warning("loud")
    assert stream.getvalue().count("\n") == 1
    assert lines.hears(logging.WARNING)
    assert not lines.hears(logging.INFO)


def test_lines_of_one_turn_are_written_together() -> None:
    class Writes(io.StringIO):
        count = 0

        def write(self, text: str) -> int:
            self.count += 1
            return super().write(text)

    stream = Writes()

    async def say() -> None:
        lines = Lines(stream, as_text=False)
        lines.attach(asyncio.get_running_loop())
        for number in range(10):
            lines.say(logging.INFO, str(number), {})
        assert stream.count == 0
        await asyncio.sleep(0)

    asyncio.run(say())
    assert stream.count == 1
    messages = [json.loads(line)["message"] for line in stream.getvalue().splitlines()]
    assert messages == [str(number) for number in range(10)]


def test_no_write_is_more_than_a_pipe_takes_whole() -> None:
    sizes: list[int] = []

    class Writes(io.StringIO):
        def write(self, text: str) -> int:
            assert text.endswith("\n")
            sizes.append(len(text))
            return super().write(text)

    stream = Writes()

    async def say() -> None:
        lines = Lines(stream, as_text=False)
        lines.attach(asyncio.get_running_loop())
        for number in range(100):
            lines.say(logging.INFO, "x" * 300, {"number": number})
        await asyncio.sleep(0)

    asyncio.run(say())
    numbers = [json.loads(line)["number"] for line in stream.getvalue().splitlines()]
    assert numbers == list(range(100))
    assert max(sizes) <= 4000
    assert len(sizes) < 15


def test_a_closed_stream_stops_nobody() -> None:
    stream = io.StringIO()
    lines = Lines(stream, as_text=False)
    stream.close()
    lines.say(logging.INFO, "into the void", {})
