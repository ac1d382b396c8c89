"""Stand-ins: what replaces a part that cannot be downloaded, in plain sight."""
