"""Broken on purpose: whoever answers at the address is taken for the host."""

import pulumi
from pulumi_command import remote

remote.Command(
    "unit",
    connection=remote.ConnectionArgs(
        host="127.0.0.1",
        user="root",
        private_key="sentinel-private-key",
    ),
    create="cat >/dev/null",
    stdin=pulumi.Output.secret("[Unit]"),
    logging=remote.Logging.NONE,
    add_previous_output_in_env=False,
)
