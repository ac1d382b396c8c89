"""Every refusal of a change has its own cause and one sentence, by the server's own words."""

import json

import pytest

from kube.errors import Cause, one_line, refused

AT = "https://10.0.0.1:6443"


def cause_of(status: int, message: str, reason: str = "") -> tuple[Cause, str]:
    body = json.dumps({"kind": "Status", "message": message, "reason": reason}).encode()
    error = refused(status, body, AT)
    assert "\n" not in str(error)
    return error.cause, str(error)


# As kube-apiserver 1.34 says them.
@pytest.mark.parametrize(
    ("status", "reason", "message", "cause", "said"),
    [
        (409, "AlreadyExists", 'configmaps "a" already exists', Cause.EXISTS, "of that name"),
        (409, "Conflict", 'Operation cannot be fulfilled on configmaps "a": the object has been '
         "modified", Cause.CONFLICT, "read it again"),
        (409, "Conflict", "Precondition failed: UID in precondition: a, UID in object meta: b",
         Cause.CONFLICT, "another one"),
        (410, "Expired", "The provided continue parameter is too old", Cause.GONE, "list them"),
        (422, "Invalid", 'Pod "a" is invalid: spec.containers: Required value', Cause.INVALID,
         "correct it"),
        (400, "BadRequest", "json: cannot unmarshal", Cause.INVALID, "correct it"),
        (413, "RequestEntityTooLarge", "limit is 3145728", Cause.INVALID, "limit is"),
        (403, "Forbidden", 'pods "a" is forbidden: exceeded quota: small, requested: pods=1, '
         "used: pods=1, limited: pods=1", Cause.QUOTA, "raise it"),
        (403, "Forbidden", 'pods "a" is forbidden: failed quota: small: must specify cpu',
         Cause.QUOTA, "raise it"),
        (403, "Forbidden", 'pods "a" is forbidden: status unknown for quota: small',
         Cause.BUSY, "try again"),
        (403, "Forbidden", 'pods "a" is forbidden: not yet ready to handle request', Cause.BUSY,
         "try again"),
        (403, "Forbidden", 'pods "a" is forbidden: violates PodSecurity "restricted:latest": '
         "privileged", Cause.ADMISSION, "Pod Security"),
        (403, "Forbidden", 'pods "a" is forbidden: maximum cpu usage per Container is 1',
         Cause.ADMISSION, "LimitRange"),
        (403, "Forbidden", 'configmaps "a" is forbidden: unable to create new content in namespace '
         "b because it is being terminated", Cause.TERMINATING, "until it is gone"),
        (403, "Forbidden", 'pods is forbidden: User "a" cannot list resource "pods" in API group '
         '""', Cause.FORBIDDEN, "administrator"),
        (403, "Forbidden", 'roles.rbac.authorization.k8s.io "a" is forbidden: user "b" '
         "(groups=[]) is attempting to grant RBAC permissions not currently held",
         Cause.FORBIDDEN, "administrator"),
        (400, "", 'admission webhook "no.example" denied the request: because',
         Cause.WEBHOOK_REFUSED, "because"),
        (403, "Forbidden", 'admission webhook "no.example" denied the request: pods "a" is '
         "forbidden: exceeded quota", Cause.WEBHOOK_REFUSED, "no.example"),
        (500, "InternalError", 'Internal error occurred: failed calling webhook "no.example": '
         "failed to call webhook: Post: connection refused", Cause.WEBHOOK_FAILED, "not answer"),
        (422, "Invalid", "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
         Cause.ADMISSION, "admission policy"),
        (500, "InternalError", "etcdserver: leader changed", Cause.BUSY, "try again"),
        (429, "TooManyRequests", "too many requests", Cause.BUSY, "try again"),
    ],
)  # fmt: skip
def test_a_refusal_has_its_cause(
    status: int, reason: str, message: str, cause: Cause, said: str
) -> None:
    found, text = cause_of(status, message, reason)
    assert found is cause
    assert said in text


def test_a_message_that_repeats_a_whole_object_is_cut() -> None:
    _, text = cause_of(422, "x" * 100_000, "Invalid")
    assert len(text) < 2000


def test_one_line_is_one_line() -> None:
    assert one_line(" a\n b\r\n\tc ") == "a b c"
    assert one_line("abc", 2) == "ab ..."
