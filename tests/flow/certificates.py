"""Certificates for the tests, made anew for each run: a CA, and servers that are right or wrong in one way."""

import datetime
import ipaddress
import pathlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.utcnow().replace(microsecond=0)
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    file: pathlib.Path
    key_file: pathlib.Path
    authority: pathlib.Path  # that signed it
    parsed: x509.Certificate = None


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(text):
    """A name in the policy's notation."""
    kind, _, value = text.partition(":")
    return {"uri": x509.UniformResourceIdentifier, "dns": x509.DNSName, "email": x509.RFC822Name}[kind](value)


class Authority:
    """A CA of its own."""

    def __init__(self, directory, name):
        self.directory = pathlib.Path(directory)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name)
        builder = self._builder(self.name, self.key, NOW - DAY, NOW + 365 * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA256())
        self.file = self._write(f"{name}.crt", self.certificate)

    def _write(self, name, thing):
        path = self.directory / name
        path.write_bytes(thing.public_bytes(serialization.Encoding.PEM))
        return path

    def _builder(self, subject, key, begin, end):
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
                .serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end))

    def server(self, name, hosts, begin=NOW - DAY, end=NOW + 30 * DAY, key=None):
        """A server's certificate for the hosts given."""
        names = [x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts]
        return self._issue(name, names, ExtendedKeyUsageOID.SERVER_AUTH, begin, end, key)

    def client(self, name, names, begin=NOW - DAY, end=NOW + 30 * DAY, usage=ExtendedKeyUsageOID.CLIENT_AUTH):
        """A client's certificate with names in the policy's notation, or as they are to stand there (x509.GeneralName)."""
        return self._issue(name, [_general(text) if isinstance(text, str) else text for text in names], usage, begin, end)

    def _issue(self, name, names, usage, begin, end, key=None):
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_name(name), key, begin, end)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        # Where scanners look for both; nobody listens there.
        builder = builder.add_extension(x509.AuthorityInformationAccess([x509.AccessDescription(
            AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier("http://127.0.0.1:9/ocsp"))]), critical=False)
        certificate = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False).sign(self.key, hashes.SHA256())
        file = self._write(f"{name}.crt", certificate)
        key_file = self.directory / f"{name}.key"
        key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                               serialization.NoEncryption()))
        key_file.chmod(0o600)
        return Certificate(file, key_file, self.file, certificate)

    def chain(self, certificate, name):
        """The same certificate with the authority's own behind it."""
        path = self.directory / name
        path.write_bytes(certificate.file.read_bytes() + self.file.read_bytes())
        return Certificate(path, certificate.key_file, self.file, certificate.parsed)

    def crl(self, name, *revoked, until=NOW + DAY):
        """A list of what was revoked, in a file."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(NOW - 2 * DAY).next_update(until)
        for certificate in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(certificate.parsed.serial_number).revocation_date(NOW - DAY).build())
        return self._write(name, builder.sign(self.key, hashes.SHA256()))

    def ocsp(self, name, certificate, until=NOW + DAY, revoked=False, signer=None):
        """An OCSP response on the certificate, in a file; signed by another authority, where `signer` is given."""
        signer = signer or self
        builder = ocsp.OCSPResponseBuilder().add_response(
            certificate.parsed, self.certificate, hashes.SHA1(), ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
            NOW - 2 * DAY, until, NOW - DAY if revoked else None, None)
        response = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, signer.certificate).sign(signer.key, hashes.SHA256())
        path = self.directory / name
        path.write_bytes(response.public_bytes(serialization.Encoding.DER))
        return path


class Certificates:
    """What the tests of the upstream's TLS choose from."""

    def __init__(self, directory):
        here = ["localhost", "127.0.0.1"]
        self.authority = Authority(directory, "test-ca")
        self.good = self.authority.server("good", here, end=NOW + 90 * DAY)
        self.wrong_host = self.authority.server("wrong-host", ["elsewhere.example"])
        self.expired = self.authority.server("expired", here, NOW - 30 * DAY, NOW - DAY)
        self.other = Authority(directory, "other-ca")
        self.unknown_ca = self.other.server("unknown-ca", here)
