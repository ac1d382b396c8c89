"""The payload key `checks`: what it takes, and what it says about what it does not take."""

import json
from typing import Any

import pytest

from drills.payload import PayloadError, Strict, parse
from drills.usable.settings import Checks, CommandCheck, HttpCheck, JobCheck, ReadyCheck
from tests.drills.usable.samples import check, checks


class _Holder(Strict):
    checks: Checks = ()

    def endpoints(self) -> tuple[()]:
        return ()


def refusal(*given: dict[str, Any]) -> str:
    with pytest.raises(PayloadError) as caught:
        parse(_Holder, json.dumps({"checks": given}))  # type: ignore[type-var]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_each_kind_is_read_with_its_defaults() -> None:
    kinds = ("http", "command", "job", "ready")
    http, command, job, ready = checks(*(check(kind, kind) for kind in kinds))
    assert isinstance(http, HttpCheck)
    assert (http.path, http.status, http.scheme, http.contains, http.host) == (
        "/", 200, "http", None, "")  # fmt: skip
    assert isinstance(command, CommandCheck)
    assert (command.container, command.exit_code, command.named) == (
        "", 0, ("statefulsets.apps/db",))  # fmt: skip
    assert isinstance(job, JobCheck)
    assert job.named == ()
    assert isinstance(ready, ReadyCheck)
    assert {one.seconds for one in (http, command, job, ready)} == {120}
    assert {one.start for one in (http, command, job, ready)} == {None}


def test_the_code_is_what_the_check_must_end_with() -> None:
    given = checks(check("http", "a", status=302), check("command", "b", exitCode=3),
                   check("job", "c"), check("ready", "d"))  # fmt: skip
    assert [one.code for one in given] == [302, 3, 0, 0]


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        (check("http", status=999), "status"),
        (check("http", port=0), "port"),
        (check("http", path="no-slash"), "path"),
        (check("http", path="/a b"), "path"),
        (check("http", path="/a\r\nX: y"), "path"),
        (check("http", host="a\r\nb"), "host"),
        (check("http", scheme="ftp"), "scheme"),
        (check("http", contains=""), "contains"),
        (check("http", service="web/../x"), "service"),
        (check("http", seconds=0), "seconds"),
        (check("http", replicas=0), "replicas"),
        (check("command", command=[]), "command"),
        (check("command", exitCode=256), "exitCode"),
        (check("command", workload="daemonsets.apps/agent"), "workload"),
        (check("http", start=["cronjobs.batch/nightly"]), "start"),
        (check("http", start=["deployments.apps/../secrets"]), "start"),
        (check("ready", name="two\nlines"), "name"),
        (check("ready", namespace="Shop"), "namespace"),
        (check("ready", colour="blue"), "colour"),
        ({**check("ready"), "kind": "pray"}, "kind"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_cannot_be_is_refused_by_its_key(wrong: dict[str, Any], key: str) -> None:
    said = refusal(wrong)
    assert said.startswith("checks")
    assert key in said


def test_names_are_unique() -> None:
    assert "web answers is given twice" in refusal(check("http"), check("ready"))


def test_a_refused_value_is_not_repeated() -> None:
    assert "hush" not in refusal(check("command", workload="hush"))
