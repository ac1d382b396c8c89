"""IamUserPolicyAttachment: one policy on one user; other policies of the user are left alone."""

from standins.pulumi.minio.errors import NO_POLICY, NO_USER, POLICY_UNCHANGED, StoreError
from standins.pulumi.minio.resources import accounts
from standins.pulumi.minio.resources.base import Found, unique_id
from standins.pulumi.minio.store import Store
from standins.pulumi.minio.values import Props, text


class IamUserPolicyAttachment:
    """See `base.Resource`. The server adds and takes away single policies, so nothing races."""

    def create(self, store: Store, planned: Props) -> Found:
        user, policy = text(planned, "userName"), text(planned, "policyName")
        try:
            with store.calling("unable to Set User policy", f"{user} {policy}"):
                store.admin.attach_policy([policy], user=user)
        except StoreError as error:
            if error.code != POLICY_UNCHANGED:
                raise
        return Found(unique_id(f"{user}-"), planned)

    def read(self, store: Store, resource_id: str, state: Props) -> Found | None:
        if not state:
            resource_id, state = _imported(resource_id)
        account = accounts.find(store, text(state, "userName"), "failed to load user Infos")
        if account is None or text(state, "policyName") not in account.policies:
            return None
        return Found(resource_id, state)

    def update(self, store: Store, resource_id: str, state: Props, planned: Props) -> Props:  # noqa: ARG002  (the protocol's)
        return planned  # both properties replace: there is nothing that could be updated

    def delete(self, store: Store, resource_id: str, state: Props) -> None:  # noqa: ARG002  (the protocol's)
        user, policy = text(state, "userName"), text(state, "policyName")
        try:
            with store.calling("unable to delete user policy", f"{user} {policy}"):
                store.admin.detach_policy([policy], user=user)
        except StoreError as error:
            if error.code not in (POLICY_UNCHANGED, NO_USER, NO_POLICY):
                raise


def _imported(resource_id: str) -> tuple[str, Props]:
    user, slash, policy = resource_id.partition("/")
    if not (user and slash and policy):
        raise StoreError(
            f"unexpected format of ID ({resource_id!r}), expected <user-name>/<policy_name>"
        )
    return unique_id(f"{user}-"), {"policyName": policy, "userName": user}
