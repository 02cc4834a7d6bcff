"""testssl.sh at a listener with TLS: protocols, ciphers, forward secrecy, certificate, vulnerabilities; with an ECDSA and with an RSA
certificate. Fails on any finding above LOW, and when something was not tested.

    tls.py [--keep DIRECTORY]

A minute for each certificate. PORTCULLIS_BUILD says which build to run.
"""

import argparse
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "flow"))

import world  # noqa: E402
from certificates import Certificates  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: E402
from processes import Gate, Sandbox  # noqa: E402

LIMIT = 600  # seconds for one scan
ABOVE_LOW = {"MEDIUM", "HIGH", "CRITICAL", "FATAL"}
# What a scan that went through all of it has found out, among much else.
EXPECTED = {"SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3", "ALPN", "cipherlist_NULL", "cipherlist_aNULL", "cipherlist_EXPORT",
            "cipherlist_LOW", "cipherlist_3DES_IDEA", "cipherlist_STRONG", "cipher_order", "PFS", "PFS_ECDHE_curves", "OCSP_stapling", "cert_chain_of_trust", "cert_trust", "heartbleed", "CCS", "ticketbleed", "ROBOT", "secure_renego",
            "secure_client_renego", "CRIME_TLS", "BREACH", "POODLE_SSL", "fallback_SCSV", "SWEET32", "FREAK", "DROWN", "LOGJAM", "BEAST", "LUCKY13",
            "RC4"}


def scan(directory, name, gate):
    """All findings of testssl.sh."""
    findings = directory / f"{name}.testssl.json"
    said = directory / f"{name}.testssl.txt"
    words = ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--ip", "127.0.0.1", f"--add-ca={gate.certificate.authority}",
             "--jsonfile", findings, f"localhost:{gate.port}"]
    with open(said, "w", encoding="utf-8") as out:
        subprocess.run(words, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
    return json.loads(findings.read_text())


def judge(name, findings):
    """Prints what was found; is all well?"""
    bad = [finding for finding in findings if finding["severity"] in ABOVE_LOW]
    untested = EXPECTED - {finding["id"] for finding in findings}
    counts = {}
    for finding in findings:
        counts[finding["severity"]] = counts.get(finding["severity"], 0) + 1
    print(f"{name}: {len(findings)} findings: " + ", ".join(f"{count} {severity}" for severity, count in sorted(counts.items())))
    for finding in findings:
        if finding["severity"] not in ("OK", "INFO"):
            print(f"  {finding['severity']} {finding['id']}: {finding['finding']}")
    if untested:
        print(f"  not tested: {', '.join(sorted(untested))}")
    return not bad and not untested


def run(directory):
    made = Certificates(directory)
    chosen = {"ecdsa": made.good, "rsa": made.authority.server("rsa", ["localhost", "127.0.0.1"], end=made.good.parsed.not_valid_after,
                                                               key=rsa.generate_private_key(65537, 3072))}
    started = [Sandbox(directory, fixtures=world.FIXTURES).start()]
    try:
        for name, certificate in chosen.items():
            config = {"tls": {"ocsp_response": str(made.authority.ocsp(f"{name}.ocsp", certificate))}}
            chained = made.authority.chain(certificate, f"{name}.chain.crt")
            started.append(Gate(directory, started[0], world.policy(), config, certificate=chained, name=name).start())
        with concurrent.futures.ThreadPoolExecutor() as pool:
            found = list(pool.map(lambda gate: scan(directory, gate.name, gate), started[1:]))
        return all([judge(name, findings) for name, findings in zip(chosen, found)])
    finally:
        for process in reversed(started):
            process.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=pathlib.Path, help="a directory for what testssl.sh says")
    arguments = parser.parse_args()
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        return run(arguments.keep)
    with tempfile.TemporaryDirectory() as directory:
        return run(pathlib.Path(directory))


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
