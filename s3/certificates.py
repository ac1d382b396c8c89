"""A store's CA and its server certificate, for a store that has no host to make them on.

The CA may certify the store's names and addresses only, and nothing below it; it never leaves the
state, and the store itself holds only a key of its own.
"""

import datetime
import ipaddress
from typing import Annotated, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import Field, SecretStr

from s3.requests import Strict
from s3.settings import BadRequestError

# Clocks of the cluster's nodes may be a little behind the machine that signs.
BACKDATED = datetime.timedelta(minutes=10)


class AuthorityRequest(Strict):
    """Input of `s3 authority`. `names`: DNS names and addresses that the CA may certify."""

    schema_version: Literal[1] = Field(alias="schema")
    site: Annotated[str, Field(min_length=1)]
    names: Annotated[tuple[str, ...], Field(min_length=1)]
    days: Annotated[int, Field(ge=1)]


class CertificateRequest(Strict):
    """Input of `s3 certificate`: the CA as `s3 authority` gave it, and what to certify."""

    schema_version: Literal[1] = Field(alias="schema")
    ca_pem: str = Field(alias="caPem")
    ca_key_pem: SecretStr = Field(alias="caKeyPem")
    names: Annotated[tuple[str, ...], Field(min_length=1)]
    days: Annotated[int, Field(ge=1)]


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _permitted(name: str) -> x509.GeneralName:
    """The same as a constraint: an address is a network of one."""
    try:
        return x509.IPAddress(ipaddress.ip_network(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    pem = serialization.Encoding.PEM
    # The server reads one PEM block, in this form; it knows no passphrase.
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {"certificate": certificate.public_bytes(pem).decode(), "key": private.decode()}


def authority(request: AuthorityRequest, now: datetime.datetime) -> dict[str, str]:
    """A new CA: {"certificate", "key"} in PEM form, bound to the request's names."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = f"Backstop {request.site} object store CA"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    end = now + datetime.timedelta(days=request.days)
    builder = (
        _builder(subject, name, key.public_key(), now - BACKDATED, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(
            x509.NameConstraints([_permitted(one) for one in request.names], None), critical=True
        )
    )
    return _pair(builder.sign(key, hashes.SHA256()), key)


def certificate(request: CertificateRequest, now: datetime.datetime) -> dict[str, str]:
    """A new server certificate and key, signed by the request's CA.

    Raises BadRequestError when the CA cannot sign it: no pair, or it ends before the certificate.
    """
    ca, ca_key = _loaded(request)
    end = now + datetime.timedelta(days=request.days)
    if end > ca.not_valid_after_utc:
        raise BadRequestError(
            f"caPem: the CA ends on {ca.not_valid_after_utc:%Y-%m-%d}, before a certificate of "
            f"{request.days} days would; renew the CA"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder("object store", ca.subject, key.public_key(), now - BACKDATED, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .add_extension(
            x509.SubjectAlternativeName([_name(one) for one in request.names]), critical=False
        )
    )
    return _pair(builder.sign(ca_key, hashes.SHA256()), key)


def _loaded(request: CertificateRequest) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        ca = x509.load_pem_x509_certificate(request.ca_pem.encode())
        key = serialization.load_pem_private_key(
            request.ca_key_pem.get_secret_value().encode(), None
        )
    except (ValueError, TypeError):
        raise BadRequestError("caPem, caKeyPem: no certificate and key in PEM form") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != ca.public_key():
        raise BadRequestError("caKeyPem: does not belong to caPem; give a pair")
    return ca, key
