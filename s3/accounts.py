"""Removes the users of a site that no state knows any more, and policies nobody declares.

A state that was lost took the secrets of its users with it: new users were made, and the old ones
still work. What is a site's is told by the marks of `s3.ownership`; a user that also has somebody
else's policy only loses ours. Access key IDs are never printed, only counted.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, TypeVar

from minio.minioadmin import MinioAdmin
from pydantic import Field, SecretStr, model_validator

from s3.client import Credential, StoreEndpoint, connect_admin
from s3.errors import SDK_ERRORS, classify
from s3.ownership import policy_owner
from s3.requests import Strict

_T = TypeVar("_T")


class Request(Strict):
    """The whole input of `python -m s3 retire`; `keep`: the access keys that stay in use."""

    schema_version: Literal[1] = Field(alias="schema")
    endpoint: str
    region: Annotated[str, Field(min_length=1)]
    ca_pem: str = Field(alias="caPem")
    access_key: SecretStr = Field(alias="accessKey")
    secret_key: SecretStr = Field(alias="secretKey")
    site: Annotated[str, Field(min_length=1)]
    policies: list[str]
    keep: Annotated[list[SecretStr], Field(min_length=1)]

    @model_validator(mode="after")
    def _usable(self) -> Self:
        self.store()  # raises ValueError
        return self

    def store(self) -> StoreEndpoint:
        return StoreEndpoint(self.endpoint, self.region, self.ca_pem)


@dataclass(frozen=True)
class Retirement:
    """What is to go: users to remove, policies to take from users who stay, policies to remove."""

    users: tuple[str, ...]
    detached: Mapping[str, tuple[str, ...]]
    policies: tuple[str, ...]


def plan(
    site: str,
    declared: Collection[str],
    keep: Collection[str],
    policies: Mapping[str, object],
    users: Mapping[str, Iterable[str]],
) -> Retirement:
    """What of the site is left over. `policies`: documents by name; `users`: policies by user."""
    ours = {name for name, document in policies.items() if policy_owner(document) == site}
    gone: list[str] = []
    detached: dict[str, tuple[str, ...]] = {}
    for user, names in sorted(users.items()):
        attached = set(names)
        if user in keep or not attached & ours:
            continue
        if attached <= ours:
            gone.append(user)
        else:
            detached[user] = tuple(sorted(attached & ours))
    return Retirement(tuple(gone), detached, tuple(sorted(ours - set(declared))))


def retire(request: Request) -> dict[str, object]:
    """Carries the plan out and says how much that was; raises StoreError if the store refuses."""
    store = request.store()
    credential = Credential(
        request.access_key.get_secret_value(), request.secret_key.get_secret_value()
    )
    admin = connect_admin(store, credential)

    def ask(call: Callable[[], _T]) -> _T:
        try:
            return call()
        except SDK_ERRORS as error:
            raise classify(error, store.url, "users of the site") from error

    found = plan(
        request.site,
        request.policies,
        [key.get_secret_value() for key in request.keep],
        ask(lambda: policies_of(admin)),
        ask(lambda: users_of(admin)),
    )
    for user in found.users:
        # Shut out at once; removing a user also ends its service accounts and sessions.
        ask(lambda user=user: admin.user_disable(user))  # type: ignore[misc]
        ask(lambda user=user: admin.user_remove(user))  # type: ignore[misc]
    for user, names in found.detached.items():
        ask(lambda user=user, names=names: admin.detach_policy(list(names), user=user))  # type: ignore[misc]
    for name in found.policies:
        ask(lambda name=name: admin.policy_remove(name))  # type: ignore[misc]
    return {
        "removedUsers": len(found.users),
        "detachedUsers": len(found.detached),
        "removedPolicies": list(found.policies),
    }


def policies_of(admin: MinioAdmin) -> dict[str, object]:
    """Every policy's document by name."""
    return dict(json.loads(admin.policy_list()))


def users_of(admin: MinioAdmin) -> dict[str, list[str]]:
    """The names of the policies attached to each user."""
    listed: dict[str, Any] = json.loads(admin.user_list())
    return {
        user: [name for name in str(told.get("policyName") or "").split(",") if name]
        for user, told in listed.items()
    }
