"""Stand-ins for Pulumi's language host and provider plugins, which are not on package registries.

They speak the engine's gRPC protocol through the Python SDK's own message types. An official plugin
that is installed always wins: these are put on PATH only after it was looked for.
"""
