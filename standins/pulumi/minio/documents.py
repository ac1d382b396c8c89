"""Policy documents: equality by meaning, the official plugin's text form, the canned ACL policies.

The server rewrites a document it is given (order of actions, a single value as a list), so texts
are compared by meaning, as the official plugin does.
"""

import json
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_SETS = ("Action", "NotAction", "Resource", "NotResource")
_PRINCIPALS = ("Principal", "NotPrincipal")


def parse(document: str) -> dict[str, Json] | None:
    """The document as an object, or None when it is not a JSON object."""
    try:
        parsed: Json = json.loads(document)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def equivalent(one: str, other: str) -> bool:
    """True when two documents allow and deny the same; texts that are no JSON compare as texts."""
    first, second = parse(one), parse(other)
    if first is None or second is None:
        return one.strip() == other.strip()
    return _meaning(first) == _meaning(second)


def pretty(document: str) -> str:
    """The text form the official plugin keeps in the state: the server's order, indented by 1."""
    return json.dumps(json.loads(document), indent=1, ensure_ascii=False)


def compact(document: str) -> str:
    """The form the official plugin keeps of a bucket policy: sorted keys, no white space."""
    return json.dumps(json.loads(document), sort_keys=True, separators=(",", ":"))


def _as_list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _strings(value: Json) -> list[str]:
    return sorted({_scalar(item) for item in _as_list(value)})


def _scalar(value: Json) -> str:
    # Condition values: true and "true" mean the same to the server.
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _principal(value: Json) -> Json:
    if isinstance(value, str):
        value = {"AWS": [value]}
    if isinstance(value, dict):
        return {kind: list[Json](_strings(names)) for kind, names in value.items()}
    return value


def _condition(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    return {
        operator: {key: list[Json](_strings(item)) for key, item in keys.items()}
        for operator, keys in value.items()
        if isinstance(keys, dict)
    }


def _statement(statement: Json) -> Json:
    if not isinstance(statement, dict):
        return statement
    meaning: dict[str, Json] = {}
    for key, value in statement.items():
        if value is None or value in ("", [], {}):
            continue
        if key in _SETS:
            meaning[key] = list[Json](_strings(value))
        elif key in _PRINCIPALS:
            meaning[key] = _principal(value)
        elif key == "Condition":
            meaning[key] = _condition(value)
        else:
            meaning[key] = value
    return meaning


def _meaning(document: dict[str, Json]) -> tuple[Json, list[str], str]:
    statements = _as_list(document.get("Statement") or [])
    return (
        document.get("Version") or "2012-10-17",
        sorted(json.dumps(_statement(item), sort_keys=True) for item in statements),
        str(document.get("ID") or document.get("Id") or ""),
    )


def _anonymous(actions: list[str], *resources: str) -> dict[str, Json]:
    return {
        "Effect": "Allow",
        "Principal": {"AWS": ["*"]},
        "Action": list[Json](actions),
        "Resource": list[Json](resources),
    }


_LIST = ["s3:GetBucketLocation", "s3:ListBucket"]
_LIST_UPLOADS = "s3:ListBucketMultipartUploads"
_WRITE = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts"]

_ACL_ACTIONS: dict[str, tuple[list[str], list[str]]] = {
    # acl: (actions on the bucket, actions on its objects)
    "public-read": (_LIST, ["s3:GetObject"]),
    "public-write": (["s3:GetBucketLocation", _LIST_UPLOADS], [*_WRITE, "s3:PutObject"]),
    "public-read-write": (
        [*_LIST, _LIST_UPLOADS],
        [*_WRITE, "s3:GetObject", "s3:PutObject"],
    ),
}
_PUBLIC = "public"
ACLS = ("private", *_ACL_ACTIONS, _PUBLIC)


def acl_document(acl: str, bucket: str) -> str:
    """The anonymous-access policy of an ACL; empty for `private`. Raises KeyError if unknown."""
    if acl == "private":
        return ""
    arn = f"arn:aws:s3:::{bucket}"
    statements: list[Json]
    if acl == _PUBLIC:
        statements = [_anonymous(["s3:*"], arn, f"{arn}/*")]
    else:
        on_bucket, on_objects = _ACL_ACTIONS[acl]
        statements = [_anonymous(on_bucket, arn), _anonymous(on_objects, f"{arn}/*")]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def acl_of(document: str, bucket: str) -> str:
    """The ACL whose policy `document` is; any other document counts as `private`."""
    for acl in ACLS[1:]:
        if equivalent(acl_document(acl, bucket), document):
            return acl
    return ACLS[0]
