"""One VM's own certificate authority: its keys live in this process's memory and nowhere else."""

from __future__ import annotations

import datetime
import os
import ssl
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import KeyUsage

_KEPT_CONTEXTS = 64
_VALID = datetime.timedelta(days=2)
_SKEW = datetime.timedelta(days=1)


class Authority:
    """Vouches to one guest for the hosts that the broker stands in for. Made anew for every VM."""

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - heavy

        self._key = ec.generate_private_key(ec.SECP256R1())
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()
        self._name = f"Deskmate VM {os.urandom(4).hex()}"
        self._certificate = self._sign(self._name, authority=True)

    @property
    def pem(self) -> str:
        """The certificate that the guest is to trust."""
        return self._certificate.decode("ascii")

    def context(self, host: str) -> ssl.SSLContext:
        """Return the server's TLS context for a host. A client that asks for another name is refused."""
        if host in self._contexts:
            self._contexts.move_to_end(host)
            return self._contexts[host]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.sni_callback = _only(host)
        self._load(context, self._sign(host, authority=False))
        self._contexts[host] = context
        if len(self._contexts) > _KEPT_CONTEXTS:
            self._contexts.popitem(last=False)
        return context

    def _sign(self, name: str, *, authority: bool) -> bytes:
        from cryptography import x509  # noqa: PLC0415
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
        from cryptography.x509.oid import NameOID  # noqa: PLC0415

        def named(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])

        public = (self._key if authority else self._leaf_key).public_key()
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(self._name))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _SKEW)
            .not_valid_after(now + _VALID)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
            .add_extension(_usage(authority=authority), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )  # fmt: skip
        if not authority:
            names = x509.SubjectAlternativeName([x509.DNSName(name)])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _load(self, context: ssl.SSLContext, certificate: bytes) -> None:
        """Load a certificate and the key by way of a file without a name, in memory."""
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

        key = self._leaf_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        fd = os.memfd_create("certificate", os.MFD_CLOEXEC)
        try:
            os.write(fd, certificate + key)
            context.load_cert_chain(f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)


def _usage(*, authority: bool) -> KeyUsage:
    from cryptography import x509  # noqa: PLC0415

    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _only(host: str) -> Callable[[ssl.SSLObject, str | None, ssl.SSLContext], int | None]:
    """Return the check that a client names the host it asked the proxy for, or none."""

    def check(tls: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> int | None:
        same = name is None or name.lower().removesuffix(".") == host
        return None if same else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    return check
