"""Commands and copies on another host, from the inputs of a resource. Blocking."""

from collections.abc import Mapping
from typing import cast

from standins.pulumi.command import channel, copying, ssh
from standins.pulumi.command.connection import Connection, from_inputs
from standins.pulumi.command.local import failure, previous_outputs
from standins.pulumi.command.output import Output
from standins.pulumi.plugin import PluginError
from standins.pulumi.values import WireArchive, WireAsset


class RemoteHosts:
    """Work on hosts for one resource: `status` gets lines of progress, `warn` warnings."""

    def __init__(self, sessions: ssh.Sessions, *, status: ssh.Notify, warn: ssh.Notify) -> None:
        self._sessions = sessions
        self._status = status
        self._warn = warn

    def run(
        self,
        name: str,
        inputs: Mapping[str, object],
        last_state: Mapping[str, object],
        output: Output,
    ) -> None:
        """Run the command `name` of these inputs. Raises PluginError if it fails."""
        connection = self._connection(inputs)
        with ssh.connected(connection, self._sessions, self._status) as transport:
            status = channel.run(
                transport,
                str(inputs[name]),
                environment=cast("Mapping[str, str]", inputs.get("environment") or {}),
                previous=previous_outputs(inputs, last_state),
                stdin=str(inputs.get("stdin") or ""),
                output=output,
                warn=self._warn,
            )
            output.finish()
            address = connection.target.address
            if status == -1:
                raise PluginError(
                    f"the {name} command on {address} ended without an exit status: it was killed, "
                    "the connection was lost, or the update was cancelled"
                )
            if status != 0:
                raise PluginError(failure(name, status, output, f" on {address}"))

    def copy_content(self, inputs: Mapping[str, object]) -> None:
        connection = self._connection(inputs)
        source = cast("WireAsset | WireArchive", inputs["source"])
        with ssh.connected(connection, self._sessions, self._status) as transport:
            copying.copy_content(transport, source, str(inputs["remotePath"]))

    def copy_file(self, inputs: Mapping[str, object]) -> None:
        connection = self._connection(inputs)
        with ssh.connected(connection, self._sessions, self._status) as transport:
            copying.copy_file(transport, str(inputs["localPath"]), str(inputs["remotePath"]))

    def _connection(self, inputs: Mapping[str, object]) -> Connection:
        connection = from_inputs(cast("Mapping[str, object]", inputs["connection"]))
        for endpoint in (connection.target, connection.proxy):
            if endpoint is not None and self._sessions.first_unverified(endpoint):
                self._warn(
                    f"the host key of {endpoint.address} is not verified: set connection.hostKey, "
                    "or anybody at that address can read what is sent"
                )
        return connection
