"""A stack's state with everything replaced that is random or tells the time."""

import json
from typing import Any

from tests.engine.server_view import in_order
from tests.engine.site import STACK, EngineSite, shown

_CREDENTIAL = "-credential"
_POLICY = "minio:index/iamPolicy:IamPolicy"
_PLAINTEXT = "plaintext"
# Fields of a resource that say how it came to be rather than what it is.
_HISTORY = {
    "created", "modified", "id", "importID", "sequenceNumber", "sourcePosition", "stackTrace",
}  # fmt: skip
_BUCKET = "minio:index/s3Bucket:S3Bucket"
# What only the run knows that made the bucket; one that found it there does not read it.
_OF_ITS_MAKER = {"__defaults", "acl", "bucketPrefix", "forceDestroy", "objectLocking", "quota"}
# A drill's receipt has a run id, times and durations.
_RECEIPT_HOLDERS = {"drill-store", "drill-kube-objects", "drill-volumes"}


def exported(site: EngineSite) -> dict[str, Any]:
    """The deployment as the engine exports it, with secrets shown."""
    done = site.pulumi("stack", "export", "--show-secrets", "-s", STACK)
    assert done.returncode == 0, shown(done)
    deployment: dict[str, Any] = json.loads(done.stdout)["deployment"]
    return deployment


def name_of(resource: dict[str, Any]) -> str:
    return str(resource["urn"]).rsplit("::", 1)[-1]


def state(site: EngineSite) -> dict[str, Any]:
    """Resources by URN, generated values replaced by their meaning, and what is pending."""
    deployment = exported(site)
    resources = deployment.get("resources") or []
    seen = {r["urn"]: _of_resource(r) for r in resources if not r.get("delete")}
    text = json.dumps(seen, sort_keys=True)
    for value, meaning in _generated(resources).items():
        text = text.replace(value, meaning)
    return {
        "resources": json.loads(text),
        "pending": [op["resource"]["urn"] for op in deployment.get("pending_operations") or []],
        "condemned": [r["urn"] for r in resources if r.get("delete")],
    }


def _generated(resources: list[dict[str, Any]]) -> dict[str, str]:
    """Access keys and secrets that Commands of the program drew, with what each is."""
    return {
        value: f"<{key} of {name}>"
        for name, pair in _pairs(resources).items()
        for key, value in pair.items()
    }


def _pairs(resources: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    found = {}
    for resource in resources:
        name = name_of(resource)
        if name.endswith(_CREDENTIAL) and not resource.get("delete"):
            found[name] = json.loads(json.loads(resource["outputs"]["stdout"][_PLAINTEXT]))
    return found


def _of_resource(resource: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in resource.items() if key not in _HISTORY}
    if "provider" in kept:
        kept["provider"] = str(kept["provider"]).rsplit("::", 1)[0]
    kept["dependencies"] = sorted(kept.get("dependencies") or [])
    needs = kept.get("propertyDependencies") or {}
    kept["propertyDependencies"] = {key: sorted(urns or []) for key, urns in needs.items()}
    outputs = dict(kept.get("outputs") or {})
    if str(resource["type"]) == _POLICY:
        outputs["policy"] = in_order(json.loads(outputs["policy"]))
    if str(resource["type"]) == _BUCKET:
        given = kept.get("inputs") or {}
        kept["inputs"] = {key: one for key, one in given.items() if key not in _OF_ITS_MAKER}
        outputs = {key: one for key, one in outputs.items() if key not in _OF_ITS_MAKER}
    for key in ("id", "drills", "verdict"):
        outputs.pop(key, None)
    if name_of(resource) in _RECEIPT_HOLDERS:
        outputs.pop("stdout", None)
        outputs.pop("stderr", None)
    kept["outputs"] = outputs
    return kept


def generated_values(site: EngineSite, part: str) -> set[str]:
    """Every `accessKey` or `secretKey` that the state holds, to look where they must not be."""
    return {pair[part] for pair in _pairs(exported(site).get("resources") or []).values()}


def differences(left: Any, right: Any, path: str = "") -> list[str]:
    """Where two states differ, one line each: a whole state is too long to be read."""
    if isinstance(left, dict) and isinstance(right, dict):
        return [
            line
            for key in sorted({*left, *right})
            for line in differences(left.get(key), right.get(key), f"{path}/{key}")
        ]
    return [] if left == right else [f"{path}: {left!r} != {right!r}"]
