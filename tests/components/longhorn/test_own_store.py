"""A target with a URL in the site's own store: it is known as such, and in nobody's way."""

import json
from typing import Any

import pytest

from components.longhorn.own_store import findings, in_own_store
from components.object_store.addresses import address, store_addresses
from components.settings import SECRET_KEYS, Settings, load
from components.settings.longhorn import all_places
from drills.longhorn.payload import LonghornPayload
from policies.adapter import plain
from policies.plain import Resource
from tests.components.longhorn.sites import named
from tests.components.longhorn.test_longhorn_settings import PAIR
from tests.components.test_in_cluster import STORE as IN_CLUSTER
from tests.components.test_longhorn_drill_wired import DRILL, payload, whole
from tests.kube import kubeconfigs
from tests.policies.sound_stack import PREFIX
from tests.support.policy_harness import violations
from tests.support.recorder import RAW, Registered

OWN = "https://10.77.0.10:9091"
EXISTING = {
    "kind": "existing", "endpoint": "https://S3.example:443", "caCertificateFile": "ca.pem",
}  # fmt: skip
ROOT = {"storeRootUser": "u", "storeRootPassword": "p"}


def second(endpoint: str = OWN, place: str = "second@eu-west-1/dev/") -> dict[str, Any]:
    return {"targets": {"second": {"url": f"s3://{place}", "endpoint": endpoint}}}


def site_of(longhorn: Any, **changes: Any) -> Settings:
    raw = {
        **RAW, "kubeconfig": kubeconfigs.text(), "cluster": {}, "longhorn": longhorn,
        "longhornCredentials": json.dumps({"second": PAIR}), **changes,
    }  # fmt: skip
    return load(raw, secret_keys=SECRET_KEYS)


def found_in(settings: Settings) -> dict[str, str]:
    assert settings.longhorn is not None
    held = in_own_store(settings.longhorn, store_addresses(settings))
    return {name: one.url for name, one in held.items()}


@pytest.mark.parametrize(
    ("store", "endpoint"),
    [
        ({}, OWN),
        ({}, "https://store1:9091"),
        ({"objectStore": EXISTING, **ROOT}, "https://s3.EXAMPLE"),
        ({"objectStore": EXISTING, **ROOT}, "https://s3.example:443"),
        ({"objectStore": IN_CLUSTER}, "https://10.77.0.20:{outside}"),
        ({"objectStore": IN_CLUSTER}, "https://{name}.{namespace}.svc:{inside}"),
    ],
    ids=["host", "host by name", "existing", "existing with port", "node port", "service"],
)
def test_the_sites_store_is_known_by_each_of_its_addresses(store: Any, endpoint: str) -> None:
    said = endpoint
    if "{" in endpoint:
        held: Any = site_of(second(), **store).object_store
        said = endpoint.format(
            outside=held.outside.node_port, inside=held.api_port, name=held.name,
            namespace=held.namespace,
        )  # fmt: skip
    assert found_in(site_of(second(said), **store)) == {"second": "s3://second@eu-west-1/dev/"}


@pytest.mark.parametrize(
    "endpoint",
    ["https://10.77.0.10:9092", "https://10.77.0.10", "https://s3.example", "https://x:99999"],
)
def test_another_address_or_port_is_another_store(endpoint: str) -> None:
    assert found_in(site_of(second(endpoint))) == {}


def test_the_services_short_name_is_nobodys_elsewhere() -> None:
    held: Any = site_of(second(), objectStore=IN_CLUSTER).object_store
    here = site_of(second(f"https://{held.name}:{held.api_port}"), objectStore=IN_CLUSTER)
    assert found_in(here) == {}


def test_without_an_endpoint_it_is_amazons_store() -> None:
    held = {"targets": {"second": {"url": "s3://second@eu-west-1/"}}}
    assert found_in(site_of(held)) == {}


def test_an_address_has_a_port() -> None:
    assert address("https://[fd00::1]:9000") == ("fd00::1", 9000)
    assert address("https://S3.example") == ("s3.example", 443)


@pytest.mark.parametrize(
    ("place", "met"),
    [
        ("dev-longhorn@eu-west-1/dev/second/", "default"),
        ("dev-longhorn@eu-west-1/", "default"),
        ("dev-longhorn@eu-west-1/archive/", "archive"),
        ("dev-longhorn@eu-west-1/elsewhere/", ""),
        ("second@eu-west-1/dev/", ""),
    ],
)
def test_one_that_another_target_meets_is_a_sentence(place: str, met: str) -> None:
    given = second(place=place)
    given["targets"]["archive"] = {"prefix": "archive"}
    if met == "archive":
        # The same URL twice the settings refuse by themselves.
        given["targets"]["second"]["url"] = f"s3://{place}deeper/"
    settings = site_of(given)
    assert settings.longhorn is not None
    wanted = all_places(settings.longhorn, settings.site, "dev-longhorn", "eu-west-1")
    found = list(findings(settings.longhorn, wanted, store_addresses(settings)))
    if not met:
        assert found == []
        return
    (sentence,) = found
    assert sentence == (
        "config backstop:longhorn.targets.second: its endpoint is this store's, and it lies where "
        f"{met} does, or one in the other's folder; give it a folder of its own"
    )


def drilled(**changes: Any) -> list[Registered]:
    return whole(second(), longhornCredentials=json.dumps({"second": PAIR}), **changes)


def rights(found: list[Registered]) -> str:
    return str(named(found, "drill-policy").inputs["policy"])


def test_it_is_drilled_by_a_key_that_may_read_that_folder() -> None:
    found = drilled()
    read = LonghornPayload.model_validate(payload(found))
    assert read.places()["second"].url == "s3://second@eu-west-1/dev/"
    assert read.unread == ()
    assert "arn:aws:s3:::second/dev/*" in rights(found)
    others = [one for one in found if one.name.endswith("-policy") and one.name != "drill-policy"]
    assert others
    assert not [one for one in others if ":::second" in str(one.inputs["policy"])]


def test_what_is_not_drilled_is_not_read() -> None:
    found = drilled(drills={"longhorn": {"enabled": False}})
    assert DRILL not in {one.name for one in found}
    assert ":::second" not in rights(found)


def test_its_right_breaks_no_rule_of_the_pack() -> None:
    held = {
        one.name: Resource(
            type=one.type, name=one.name, urn=f"{PREFIX}{one.type}::{one.name}",
            props={name: plain(value) for name, value in one.inputs.items()},
            protect=one.request.protect,
        )
        for one in drilled()
    }  # fmt: skip
    assert ":::second" in str(held["drill-policy"].props["policy"])
    assert [(one.rule, one.urn) for one in violations(list(held.values()))] == []
