"""The Secret of a target: its keys, stripped, and nothing that Longhorn would refuse."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.longhorn import credentials
from tests.support.recorder import CA_PEM

PAIR = {"accessKey": "ABC", "secretKey": "SENTINEL"}
SOUND = {
    "AWS_ACCESS_KEY_ID": "ABC",
    "AWS_SECRET_ACCESS_KEY": "SENTINEL",
    "AWS_ENDPOINTS": "https://10.0.0.5:9091",
    "AWS_CERT": CA_PEM.strip(),
}


def test_the_store_is_reached_with_key_endpoint_and_ca() -> None:
    assert credentials.data(PAIR, endpoint=SOUND["AWS_ENDPOINTS"], ca_pem=CA_PEM) == SOUND


def test_what_a_public_store_does_not_need_is_left_out() -> None:
    assert set(credentials.data(PAIR)) == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert credentials.data(PAIR, host_style=True)["VIRTUAL_HOSTED_STYLE"] == "true"


@given(st.sampled_from(["", " ", "\n", "\r\n", "\t"]), st.sampled_from(["", " ", "\n\n"]))
def test_white_space_around_a_value_is_taken_off(before: str, after: str) -> None:
    pair = {key: f"{before}{value}{after}" for key, value in PAIR.items()}
    found = credentials.data(
        pair, endpoint=f"{before}https://a:1{after}", ca_pem=f"{before}{CA_PEM}{after}"
    )
    assert all(value == value.strip() for value in found.values())
    assert list(credentials.faults(found)) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"AWS_ACCESS_KEY_ID": ""}, "AWS_ACCESS_KEY_ID is empty"),
        ({"AWS_SECRET_ACCESS_KEY": "SENTINEL\n"}, "AWS_SECRET_ACCESS_KEY begins or ends"),
        ({"AWS_SECRET_ACCESS_KEY": "SENT\nINEL"}, "AWS_SECRET_ACCESS_KEY holds a line's end"),
        ({"AWS_CERT": CA_PEM}, "AWS_CERT begins or ends"),
        ({"AWS_CERT": "SENTINEL"}, "AWS_CERT is no certificate"),
        ({"AWS_CERT": "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----"}, "AWS_CERT"),
        ({"AWS_ENDPOINTS": "http://10.0.0.5:9091"}, "AWS_ENDPOINTS is no https://host:port"),
        ({"AWS_ENDPOINTS": "https://10.0.0.5:x"}, "AWS_ENDPOINTS is no https://host:port"),
        ({"AWS_ENDPOINTS": "https://10.0.0.5:9091/a"}, "AWS_ENDPOINTS is no https://host:port"),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "HTTPS_PROXY is no key that a target needs"),
        ({"VIRTUAL_HOSTED_STYLE": "yes"}, "VIRTUAL_HOSTED_STYLE must be true or false"),
    ],
)
def test_what_would_fail_later_is_said_now_without_a_value(
    changed: Mapping[str, str], said: str
) -> None:
    found = list(credentials.faults({**SOUND, **changed}))
    assert len(found) == 1
    assert said in found[0]
    assert "SENTINEL" not in found[0]


def test_several_certificates_may_stand_one_after_the_other() -> None:
    several = f"# the root\n{CA_PEM}\n# the issuer\n{CA_PEM}".strip()
    assert list(credentials.faults({**SOUND, "AWS_CERT": several})) == []


def test_a_fault_of_what_is_given_is_raised() -> None:
    with pytest.raises(ValueError, match="AWS_CERT"):
        credentials.data(PAIR, ca_pem="no PEM")
