"""Certificates for the tests, made anew for each run: a CA, and servers that are right or wrong in one way."""

import datetime
import ipaddress
import pathlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.utcnow().replace(microsecond=0)
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    file: pathlib.Path
    key_file: pathlib.Path
    authority: pathlib.Path  # that signed it


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A CA of its own."""

    def __init__(self, directory, name):
        self.directory = pathlib.Path(directory)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name)
        builder = self._builder(self.name, self.key, NOW - DAY, NOW + 365 * DAY)
        certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(self.key, hashes.SHA256())
        self.file = self._write(f"{name}.crt", certificate)

    def _write(self, name, thing):
        path = self.directory / name
        path.write_bytes(thing.public_bytes(serialization.Encoding.PEM))
        return path

    def _builder(self, subject, key, begin, end):
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
                .serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end))

    def server(self, name, hosts, begin=NOW - DAY, end=NOW + 30 * DAY):
        """A server's certificate for the hosts given."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts]
        certificate = (self._builder(_name(name), key, begin, end)
                       .add_extension(x509.SubjectAlternativeName(names), critical=False)
                       .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
                       .sign(self.key, hashes.SHA256()))
        file = self._write(f"{name}.crt", certificate)
        key_file = self.directory / f"{name}.key"
        key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                               serialization.NoEncryption()))
        key_file.chmod(0o600)
        return Certificate(file, key_file, self.file)


class Certificates:
    """What the tests of the upstream's TLS choose from."""

    def __init__(self, directory):
        here = ["localhost", "127.0.0.1"]
        self.authority = Authority(directory, "test-ca")
        self.good = self.authority.server("good", here)
        self.wrong_host = self.authority.server("wrong-host", ["elsewhere.example"])
        self.expired = self.authority.server("expired", here, NOW - 30 * DAY, NOW - DAY)
        self.unknown_ca = Authority(directory, "other-ca").server("unknown-ca", here)
