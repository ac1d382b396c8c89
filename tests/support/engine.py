"""The real Pulumi engine for one test: a backend, a home and plugins of its own.

Plugins are the official ones where they are on PATH, and the stand-ins where they are absent.
"""

import datetime
import os
import shutil
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).resolve().parents[2]


def _search_path() -> str:
    """PATH with engine and helm, and with the stand-in plugins where official ones are absent."""
    from lab.tools import find  # noqa: PLC0415  (the lab is needed by these tests only)

    engine, helm = find("pulumi"), find("helm")
    if engine is None or helm is None:
        pytest.skip("the pinned engine or helm is not built: run `python -m lab tools pulumi helm`")
    absent = [
        str(folder)
        for folder in sorted((ROOT / "standins" / "pulumi" / "bin").iterdir())
        if shutil.which(folder.name) is None
    ]
    return os.pathsep.join([str(engine.parent), str(helm.parent), *absent, os.environ["PATH"]])


def write_authority(path: Path) -> None:
    """Writes the certificate of a throw-away CA, for the provider reads one when it starts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "throw-away")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def engine_environment(folder: Path) -> dict[str, str]:
    """The environment of an engine whose state is in `folder`; skips the test without an engine."""
    path = _search_path()
    state = folder / "state"
    state.mkdir(exist_ok=True)
    return {
        "PATH": path,
        "HOME": str(folder),
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_BACKEND_URL": f"file://{state}",
        "PULUMI_CONFIG_PASSPHRASE": "only for this test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DEBUG_COMMANDS": "true",  # makes --event-log available
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "BACKSTOP_PYTHON": sys.executable,
    }
