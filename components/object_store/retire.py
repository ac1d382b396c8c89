"""The last step on a store that has been used before: users of the site that no state knows.

With a state its secrets are lost. Its users still work, so they are removed as soon as the new ones
are proven: after the drill, and after every consumer that was given a new credential.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components import command
from components.object_store.endpoint import StoreEndpoint


@dataclass
class RetiredUsersArgs:
    """`policies`: the names of all that the site declares. `live`: the credentials in use.

    `after`: what proves or consumes them; nothing is removed before that is done.
    """

    site: str
    endpoint: StoreEndpoint
    policies: Sequence[str]
    live: Sequence[pulumi.Output[dict[str, str]]]
    after: Sequence[pulumi.Resource]


def request(args: RetiredUsersArgs) -> pulumi.Output[str]:
    """What `s3 retire` reads from stdin (secret: it holds the administrator)."""
    endpoint = args.endpoint
    return pulumi.Output.all(
        endpoint.ca_pem, endpoint.root_user, endpoint.root_password, pulumi.Output.all(*args.live)
    ).apply(
        lambda values: json.dumps(
            {
                "schema": 1,
                "site": args.site,
                "endpoint": endpoint.url,
                "region": endpoint.region,
                "caPem": values[0],
                "accessKey": values[1],
                "secretKey": values[2],
                "policies": list(args.policies),
                "keep": [pair["accessKey"] for pair in values[3]],
            },
            sort_keys=True,
        )
    )


def retire_users(
    args: RetiredUsersArgs, opts: pulumi.ResourceOptions | None = None
) -> pulumi.Resource:
    """Registers the step. It runs once a state: later users are the state's, and the engine's to
    remove, which must not find them gone.
    """
    once = pulumi.ResourceOptions(depends_on=list(args.after), ignore_changes=["stdin"])
    return command.on_operator(
        "retired-users",
        "sh ./run.sh s3 retire",
        stdin=request(args),
        opts=pulumi.ResourceOptions.merge(opts, once),
    )
