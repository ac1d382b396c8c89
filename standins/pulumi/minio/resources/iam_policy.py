"""IamPolicy: a policy document under a name, to be attached to users."""

from standins.pulumi.minio import documents
from standins.pulumi.minio.errors import NO_POLICY, StoreError
from standins.pulumi.minio.resources.base import Found, unique_id
from standins.pulumi.minio.store import Store
from standins.pulumi.minio.values import UNKNOWN, Props, text

_UNNAMED_PREFIX = "terraform-"


class IamPolicy:
    """See `base.Resource`. A policy of that name that exists is overwritten, as officially."""

    def create(self, store: Store, planned: Props) -> Found:
        name = (
            unique_id(text(planned, "namePrefix") or _UNNAMED_PREFIX)
            if planned.get("name") is UNKNOWN
            else text(planned, "name")
        )
        _put(store, name, planned, "unable to create policy")
        return Found(name, _state(store, name, planned, "unable to read policy"))

    def read(self, store: Store, resource_id: str, state: Props) -> Found | None:
        known: Props = state or {"namePrefix": None}
        try:
            found = _state(store, resource_id, known, "unable to read policy")
        except StoreError as error:
            if error.code != NO_POLICY:
                raise
            return None
        # The server lists actions in another order each time; that is no change.
        if documents.equivalent(text(known, "policy"), text(found, "policy")):
            found["policy"] = known["policy"]
        return Found(resource_id, found)

    def update(self, store: Store, resource_id: str, state: Props, planned: Props) -> Props:  # noqa: ARG002  (the protocol's)
        _put(store, resource_id, planned, "unable to update policy")
        return _state(store, resource_id, planned, "unable to read policy")

    def delete(self, store: Store, resource_id: str, state: Props) -> None:  # noqa: ARG002  (the protocol's)
        try:
            with store.calling("unable to delete policy", resource_id):
                store.admin.policy_remove(resource_id)
        except StoreError as error:
            if error.code != NO_POLICY:
                raise


def _put(store: Store, name: str, planned: Props, doing: str) -> None:
    with store.calling(doing, name):
        store.admin.policy_add(name, policy=documents.parse(text(planned, "policy")))


def _state(store: Store, name: str, known: Props, doing: str) -> Props:
    with store.calling(doing, name):
        document = store.admin.policy_info(name)
        return {**known, "name": name, "policy": documents.pretty(document)}
