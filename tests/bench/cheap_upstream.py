"""The cheap upstream as a process, pinned to the load's core; and a certificate for the one that speaks TLS."""

import http.client
import json
import ssl
import subprocess
import time

from contestants import accepts, free_port


def make_certificate(directory):
    """A self-signed certificate for localhost, valid for a day; the files of certificate and key."""
    certificate, key = directory / "upstream.pem", directory / "upstream.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", str(certificate),
                    "-keyout", str(key)], check=True, capture_output=True)
    return certificate, key


class Upstream:
    """Answers everything with a document of `size` bytes; counts. On one core, where one is given."""

    def __init__(self, build, size, core=None, certificate=None, key=None):
        self.certificate = certificate
        self.port = free_port()
        words = [] if core is None else ["taskset", "-c", str(core)]
        words += [str(build / "bench" / "upstream"), str(self.port), str(size)]
        if certificate:
            words += [str(certificate), str(key)]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not accepts(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the upstream does not start")
            time.sleep(0.01)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def count(self):
        """requests, mutations and connections up to now."""
        if self.certificate:
            context = ssl.create_default_context(cafile=str(self.certificate))
            connection = http.client.HTTPSConnection("localhost", self.port, timeout=10, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/bench/count")
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def settled(self):
        """The counts once they stand still: what the load left under way when it stopped has come through."""
        last = self.count()
        while True:
            time.sleep(0.05)
            now = self.count()
            if (now["requests"], now["mutations"]) == (last["requests"], last["mutations"]):
                return now
            last = now
