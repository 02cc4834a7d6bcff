"""An issuer of OAuth tokens for tests: its keys, its JWK Set, and JWTs, good ones and bad ones."""

import base64
import json
import time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def encode(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def number(value, length=None):
    return encode(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


class Issuer:
    """Three keys, named by their algorithm; another `generation` has other names and other keys."""
    NAME, AUDIENCE = "https://issuer.example/", "https://gate.example"

    def __init__(self, generation=1):
        self.generation = generation
        self.keys = {"RS256": rsa.generate_private_key(65537, 2048), "ES256": ec.generate_private_key(ec.SECP256R1()),
                     "EdDSA": ed25519.Ed25519PrivateKey.generate()}

    def kid(self, algorithm):
        return f"{algorithm}-{self.generation}"

    def jwk(self, algorithm):
        public = self.keys[algorithm].public_key()
        if algorithm == "RS256":
            numbers = public.public_numbers()
            members = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        elif algorithm == "ES256":
            numbers = public.public_numbers()
            members = {"kty": "EC", "crv": "P-256", "x": number(numbers.x, 32), "y": number(numbers.y, 32)}
        else:
            members = {"kty": "OKP", "crv": "Ed25519", "x": encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw))}
        return {**members, "kid": self.kid(algorithm), "alg": algorithm, "use": "sig"}

    def jwks(self):
        return {"keys": [self.jwk(algorithm) for algorithm in self.keys]}

    def sign(self, algorithm, text):
        key = self.keys[algorithm]
        if algorithm == "RS256":
            return key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        if algorithm == "ES256":
            r, s = utils.decode_dss_signature(key.sign(text, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return key.sign(text)

    def token(self, subject, algorithm="ES256", header=None, **claims):
        """A token for an hour; a claim that is None is left out."""
        now = int(time.time())
        head = {"alg": algorithm, "kid": self.kid(algorithm), "typ": "at+jwt", **(header or {})}
        body = {"iss": self.NAME, "aud": self.AUDIENCE, "sub": subject, "iat": now, "exp": now + 3600, **claims}
        parts = [encode(json.dumps({name: value for name, value in part.items() if value is not None}).encode()) for part in (head, body)]
        text = ".".join(parts)
        return f"{text}.{encode(self.sign(algorithm, text.encode()))}"
