"""A certificate authority for `slack.com`, new at every start, which only the MCP server for Slack trusts."""

import datetime as dt
import ssl
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_HOURS_BEFORE = 1
_DAYS_VALID = 30


class Authority:
    """A certificate authority for a set of host names; its key is discarded after one signature.

    Args:
        hosts: host names, which may start with `*.`.

    Attributes:
        certificate: the CA certificate that clients must trust, PEM.
        server: TLS context of a server with these host names; it negotiates only HTTP/1.1.
    """

    def __init__(self, hosts: tuple[str, ...]) -> None:
        authority_key = ec.generate_private_key(ec.SECP256R1())
        # Clients on Python 3.13 require the identifiers of both keys (RFC 5280, section 4.2.1).
        own_key = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
        issuer = _name("twin: stand-in for Slack, not for the internet")
        authority = (
            _certificate(issuer, issuer, authority_key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(own_key, critical=False)
            .sign(authority_key, hashes.SHA256())
        )
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        certificate = (
            _certificate(_name(hosts[0]), issuer, key.public_key())
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own_key), critical=False
            )
            .sign(authority_key, hashes.SHA256())
        )
        self.certificate = authority.public_bytes(serialization.Encoding.PEM)
        self.server = _server_context(certificate, key)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=_HOURS_BEFORE))
        .not_valid_after(now + dt.timedelta(days=_DAYS_VALID))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _server_context(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # The ssl module can load a key only from a file. The file is deleted immediately, and only its owner can
    # read it.
    with TemporaryDirectory() as folder:
        path = Path(folder) / "slack.pem"
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context.load_cert_chain(path)
    return context
