"""Senders that prove themselves by a JSON web token."""

import base64
import copy
import hashlib
import hmac
import json
import os
import string
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sender import Request, Sender, headers, put, random_text


def in_base64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class JsonWebToken(Sender):
    """PyJWT judges here, in the place of a vendor's own library."""

    def token(self, request):
        raise NotImplementedError

    def with_token(self, request, token):
        raise NotImplementedError

    def changes(self):
        def part(number, change):
            """Another header (0) or other claims (1) under the same signature."""

            def changed(request, chance):
                parts = self.token(request).split(".")
                value = json.loads(base64.urlsafe_b64decode(parts[number] + "=="))
                parts[number] = in_base64(json.dumps(value | change).encode())
                return self.with_token(request, ".".join(parts))

            return changed

        def unsigned(request, chance):
            header, claims, signature = self.token(part(0, {"alg": "none"})(request, chance)).split(".")
            return self.with_token(request, f"{header}.{claims}.{chance.choice(['', signature])}")

        def another_character(request, chance):
            token = self.token(request)
            # The last ones of a part may have bits that mean nothing.
            places = [at for at in range(len(token) - 3) if "." not in token[at : at + 3]]
            at = chance.choice(places)
            other = chance.choice([c for c in string.ascii_letters if c != token[at]])
            return self.with_token(request, token[:at] + other + token[at + 1 :])

        def another_number_of_parts(request, chance):
            token = self.token(request)
            return self.with_token(request, chance.choice([token.rsplit(".", 1)[0], token + ".", token + "." + token]))

        return {
            "no algorithm": unsigned,
            "another algorithm": part(0, {"alg": "HS384"}),
            "another claim": part(1, {"sub": "somebody else"}),
            "another character of the token": another_character,
            "another number of parts": another_number_of_parts,
        }


class MessageBird(JsonWebToken):
    """A shared secret; address and body are in the token as hashes."""

    header = "MessageBird-Signature-JWT"
    algorithms = ["HS256", "HS384", "HS512"]

    def hashes(self, request):
        known = {"url_hash": hashlib.sha256((self.address + request.query).encode()).hexdigest()}
        return known | ({"payload_hash": hashlib.sha256(request.body).hexdigest()} if request.body else {})

    def sign(self, body, at, chance):
        request = Request({}, body, chance.choice(["", "?a=1&b=2"]))
        claims = {"iss": "MessageBird", "nbf": at - 300, "exp": at + 300} | self.hashes(request)
        return self.with_token(request, jwt.encode(claims, self.secret, chance.choice(self.algorithms)))

    def judge(self, request):
        claims = jwt.decode(
            self.token(request),
            self.secret,
            self.algorithms,
            issuer="MessageBird",
            leeway=1,
            options={"require": ["nbf", "exp"]},
        )
        return {name: claims[name] for name in ("url_hash", "payload_hash") if name in claims} == self.hashes(request)

    def token(self, request):
        return request.headers[self.header]

    def with_token(self, request, token):
        return put(request, headers=request.headers | {self.header: token})

    def changes(self):
        def another_address(request, chance):
            return put(request, query=(request.query or "?") + "&c=3")

        def too_early(request, chance):
            claims = jwt.decode(self.token(request), options={"verify_signature": False})
            claims |= {"nbf": int(time.time()) + 1000, "exp": int(time.time()) + 2000}
            return self.with_token(request, jwt.encode(claims, self.secret, "HS256"))

        return (
            super().changes()
            | Sender.changes(self)
            | {"another address": another_address, "too early": too_early}
            | headers(self.header)
        )


class Canvas(JsonWebToken):
    """A key pair, of which the public half stands in a set of keys in a file; the body is the token, with the event."""

    def __init__(self, secret, address):
        super().__init__(secret, address)
        with open(os.path.join(os.path.dirname(__file__), "jwks.json")) as file:
            self.keys = jwt.PyJWKSet.from_json(file.read())

    def stranger(self):
        other = copy.copy(self)
        other.secret = rsa.generate_private_key(65537, 2048)
        return other

    def body(self, chance):
        account = {"root_account_uuid": "ours"}
        return json.dumps({"metadata": account, "body": {"text": random_text(chance, 1500)}}).encode()

    def sign(self, body, at, chance):
        names = [{}, {"kid": "canvas-1"}]
        token = jwt.PyJWS().encode(body, self.secret, "RS256", headers=chance.choice(names))
        return Request({"Content-Type": "application/jwt"}, token.encode())

    def judge(self, request):
        token = self.token(request)
        name = jwt.get_unverified_header(token).get("kid")
        key = self.keys[name] if name else self.keys.keys[0]
        claims = jwt.decode(token, key, ["RS256"], options={"verify_exp": False})
        return claims["metadata"]["root_account_uuid"] == "ours"

    def token(self, request):
        return request.body.decode()

    def with_token(self, request, token):
        return put(request, body=token.encode())

    def changes(self):
        def signed_with_the_public_key(request, chance):
            """As if the key that everybody can read were a shared secret."""
            claims = self.token(request).split(".")[1]
            signed = in_base64(b'{"alg":"HS256","typ":"JWT"}') + "." + claims
            public = self.keys.keys[0].key.public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            code = hmac.digest(public, signed.encode(), "sha256")
            return self.with_token(request, signed + "." + in_base64(code))

        def of_another_school(request, chance):
            return self.sign(b'{"metadata": {"root_account_uuid": "theirs"}}', 0, chance)

        def another_key(request, chance):
            claims = base64.urlsafe_b64decode(self.token(request).split(".")[1] + "==")
            token = jwt.PyJWS().encode(claims, self.secret, "RS256", headers={"kid": "canvas-2"})
            return self.with_token(request, token)

        return super().changes() | {
            "signed with the public key": signed_with_the_public_key,
            "of another school": of_another_school,
            "of a key that is not in the set": another_key,
        }
