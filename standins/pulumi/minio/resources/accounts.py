"""What the server tells about a user: its status, its policies, its groups."""

import json
import secrets
import string
from dataclasses import dataclass

from standins.pulumi.minio.errors import NO_USER, StoreError
from standins.pulumi.minio.store import Store

_SECRET_CHARACTERS = 40


@dataclass(frozen=True)
class Account:
    """A user of the server. `status` is `enabled` or `disabled`."""

    status: str
    policies: tuple[str, ...]
    groups: tuple[str, ...]


def find(store: Store, name: str, doing: str) -> Account | None:
    """The user, or None if the server says that there is none. Raises StoreError otherwise."""
    try:
        with store.calling(doing, name):
            answer = json.loads(store.admin.user_info(name))
    except StoreError as error:
        if error.code != NO_USER:
            raise
        return None
    return Account(
        status=str(answer.get("status", "")),
        policies=tuple(filter(None, str(answer.get("policyName") or "").split(","))),
        groups=tuple(answer.get("memberOf") or ()),
    )


def new_secret() -> str:
    """A secret key for a user without one: letters and digits, safe in any file format."""
    alphabet = string.ascii_letters + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(_SECRET_CHARACTERS))
