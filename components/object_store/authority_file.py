"""The CA in the operator's files: whether it can sign the issuers, before anything is changed."""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from components.settings import Certificate

_KEY = "config backstop:objectStore.certificate"
_SPKI = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def findings(certificate: Certificate, now: float) -> list[str]:
    """Every fault of the CA's two files; none where the CA lives on a host. `now`: Unix seconds.

    No sentence repeats anything of the key.
    """
    if certificate.ca_key_file is None or certificate.ca_certificate_file is None:
        return []
    key, authority = _key(certificate.ca_key_file), _certificate(certificate.ca_certificate_file)
    faults = [found for found in (key, authority) if isinstance(found, str)]
    if isinstance(key, str) or isinstance(authority, str):
        return faults
    named = f"{_KEY}.caCertificateFile: {certificate.ca_certificate_file}"
    if authority.public_key().public_bytes(*_SPKI) != key:
        faults.append(f"{named} does not belong to the key in caKeyFile: name a pair")
    if not _signs_issuers(authority):
        faults.append(
            f"{named} may not sign an issuer for each host: take a CA with basicConstraints "
            "CA:TRUE and no pathlen, or one of 1 or more"
        )
    begin, end = authority.not_valid_before_utc, authority.not_valid_after_utc
    if not begin <= datetime.datetime.fromtimestamp(now, datetime.UTC) <= end:
        faults.append(
            f"{named} is valid from {begin:%Y-%m-%d} to {end:%Y-%m-%d}, which is not now: renew "
            "the CA, or correct this machine's clock"
        )
    return faults


def _read(path: str) -> bytes | str:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        return f"{path} cannot be read ({error.strerror}): name the CA's file in PEM form"


def _key(path: str) -> bytes | str:
    """The public half of the key as DER, or the fault."""
    content = _read(path)
    if isinstance(content, str):
        return f"{_KEY}.caKeyFile: {content}"
    try:
        key = serialization.load_pem_private_key(content, None)
    except TypeError:
        return f"{_KEY}.caKeyFile: {path} is encrypted: name a file that needs no passphrase"
    except ValueError:
        return f"{_KEY}.caKeyFile: {path} holds no private key in PEM form: name the CA's key"
    return key.public_key().public_bytes(*_SPKI)


def _certificate(path: str) -> x509.Certificate | str:
    content = _read(path)
    if isinstance(content, str):
        return f"{_KEY}.caCertificateFile: {content}"
    try:
        return x509.load_pem_x509_certificate(content)
    except ValueError:
        return f"{_KEY}.caCertificateFile: {path} holds no certificate in PEM form: name the CA's"


def _signs_issuers(authority: x509.Certificate) -> bool:
    try:
        found = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    return found.ca and (found.path_length is None or found.path_length >= 1)
