"""Vendors' own published libraries as judges of the gateway's verification and of its signing.

    judges.py sign GATEWAY PUBLIC_URL SEED COUNT   signs random requests, changes some, and posts them to the gateway
    judges.py listen                               verifies what is posted to it, on a port that it prints

Both read a JSON object from standard input: the secret of each sender, by the name of its source. A request that the
library signed must be accepted by the gateway; one that was changed afterwards must be refused by both.

The libraries are loaded without the packages around them, which would pull in clients and their dependencies.
"""

import base64
import copy
import dataclasses
import datetime
import hashlib
import hmac
import http.client
import http.server
import importlib
import json
import os
import random
import string
import sys
import sysconfig
import threading
import time
import types
import urllib.parse

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa


def library(module):
    """A module of an installed package, without running the package's own `__init__`."""
    package = module.split(".", 1)[0]
    if package not in sys.modules:
        bare = types.ModuleType(package)
        bare.__path__ = [os.path.join(sysconfig.get_paths()["purelib"], package)]
        sys.modules[package] = bare
    return importlib.import_module(module)


@dataclasses.dataclass(frozen=True)
class Request:
    """A request as it travels; `query` is empty or begins with a question mark."""

    headers: dict
    body: bytes
    query: str = ""


class Sender:
    """A vendor: makes requests with its library, and judges them with it."""

    def __init__(self, secret, address):
        self.secret = secret
        self.address = address

    def stranger(self):
        """The same sender with another secret."""
        other = copy.copy(self)
        other.secret = self.secret[:-1] + ("A" if self.secret[-1] != "A" else "B")
        return other

    def body(self, chance):
        return random_text(chance).encode()

    def sign(self, body, at, chance):
        """An honest request at a time in seconds."""
        raise NotImplementedError

    def judge(self, request):
        """Whether the library takes a request as genuine. It may raise, which is a no."""
        raise NotImplementedError

    def changes(self):
        """Ways to change a request, by name."""
        return {
            "a bit of the body": flip_body,
            "a longer body": lambda request, chance: put(request, body=request.body + b" "),
        }


class StandardWebhooks(Sender):
    prefix = "webhook"

    def library(self):
        return library("standardwebhooks.webhooks").Webhook(self.secret)

    def sign(self, body, at, chance):
        identifier = f"msg_{chance.getrandbits(64):x}"
        moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
        return Request(
            {
                f"{self.prefix}-id": identifier,
                f"{self.prefix}-timestamp": str(at),
                f"{self.prefix}-signature": self.library().sign(identifier, moment, body.decode()),
            },
            body,
        )

    def judge(self, request):
        self.library().verify(request.body, request.headers, json_parse=False)
        return True

    def changes(self):
        return super().changes() | headers(f"{self.prefix}-id", f"{self.prefix}-timestamp", f"{self.prefix}-signature")


class Svix(StandardWebhooks):
    prefix = "svix"

    def library(self):
        return library("svix.webhooks").Webhook(self.secret)

    def judge(self, request):
        self.library().verify(request.body, request.headers)
        return True


class Stripe(Sender):
    def sign(self, body, at, chance):
        signing = library("stripe._webhook").WebhookSignature
        header = signing.generate_signature_header(body.decode(), self.secret, at)
        return Request({"Stripe-Signature": header}, body)

    def judge(self, request):
        signing = library("stripe._webhook").WebhookSignature
        header = request.headers.get("Stripe-Signature")
        return signing.verify_header(request.body, header, self.secret, 300)

    def changes(self):
        return super().changes() | headers("Stripe-Signature")


class Twilio(Sender):
    def library(self):
        return library("twilio.request_validator").RequestValidator(self.secret)

    def body(self, chance):
        names = ["".join(chance.choices(string.ascii_letters, k=chance.randint(1, 8))) for _ in range(chance.randint(1, 9))]
        fields = {name: random_text(chance, 200) for name in names}
        return urllib.parse.urlencode(fields).encode()

    def sign(self, body, at, chance):
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        if chance.random() < 0.3:
            body = json.dumps({"text": random_text(chance)}, ensure_ascii=False).encode()
            kind = {"Content-Type": "application/json"}
            query = "?bodySHA256=" + hashlib.sha256(body).hexdigest()
            signature = self.library().compute_signature(self.address + query, {})
        else:
            query = chance.choice(["", "?a=1&b=2", "?q=x%20y"])
            signature = self.library().compute_signature(self.address + query, form(body))
        return Request(kind | {"X-Twilio-Signature": signature}, body, query)

    def judge(self, request):
        is_form = request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        parameters = form(request.body) if is_form else request.body.decode()
        signature = request.headers.get("X-Twilio-Signature", "")
        return self.library().validate(self.address + request.query, parameters, signature)

    def changes(self):
        # A bit may change how a form is written without changing the form, so its fields are changed.
        def another_field(request, chance):
            return put(request, body=request.body + b"&extra=1")

        def another_value(request, chance):
            return put(request, body=request.body + b"0")

        def another_address(request, chance):
            return put(request, query=(request.query or "?") + "&c=3")

        return {
            "another field": another_field,
            "another value": another_value,
            "another address": another_address,
        } | headers("X-Twilio-Signature")


class Slack(Sender):
    def sign(self, body, at, chance):
        verifier = library("slack_sdk.signature").SignatureVerifier(self.secret)
        signature = verifier.generate_signature(timestamp=str(at), body=body)
        return Request({"X-Slack-Request-Timestamp": str(at), "X-Slack-Signature": signature}, body)

    def judge(self, request):
        verifier = library("slack_sdk.signature").SignatureVerifier(self.secret)
        return verifier.is_valid_request(request.body, request.headers)

    def changes(self):
        return super().changes() | headers("X-Slack-Request-Timestamp", "X-Slack-Signature")


class HubSpot(Sender):
    def library(self):
        return library("hubspot.utils.signature").Signature

    def sign(self, body, at, chance):
        query = chance.choice(["", "?a=1", "?a=1&b=x+y"])
        at = str(at * 1000 + chance.randint(0, 999))
        signature = self.library().get_signature(
            self.secret, body.decode(), "v3", self.address + query, "POST", at
        )
        return Request({"X-HubSpot-Request-Timestamp": at, "X-HubSpot-Signature-v3": signature}, body, query)

    def judge(self, request):
        return self.library().is_valid(
            request.headers.get("X-HubSpot-Signature-v3", ""),
            self.secret,
            request.body.decode(),
            self.address + request.query,
            "POST",
            "v3",
            request.headers.get("X-HubSpot-Request-Timestamp"),
        )

    def changes(self):
        def another_address(request, chance):
            return put(request, query=(request.query or "?") + "&c=3")

        return (
            super().changes()
            | {"another address": another_address}
            | headers("X-HubSpot-Request-Timestamp", "X-HubSpot-Signature-v3")
        )


class HubSpotVersion1(HubSpot):
    def sign(self, body, at, chance):
        signature = self.library().get_signature(self.secret, body.decode(), "v1")
        return Request({"X-HubSpot-Signature-Version": "v1", "X-HubSpot-Signature": signature}, body)

    def judge(self, request):
        signature = request.headers.get("X-HubSpot-Signature", "")
        return self.library().is_valid(signature, self.secret, request.body.decode(), signature_version="v1")

    def changes(self):
        return Sender.changes(self) | headers("X-HubSpot-Signature")


class Square(Sender):
    """Its library only verifies, so it judges the gateway's signing and not the other way round."""

    sign = None

    def judge(self, request):
        return library("square.utils.webhooks_helper").verify_signature(
            request_body=request.body.decode(),
            signature_header=request.headers.get("x-square-hmacsha256-signature", ""),
            signature_key=self.secret,
            notification_url=self.address + request.query,
        )


class WithPrivateKey(Sender):
    """Of these the libraries only verify, so `cryptography` signs; the secret is a private key in PEM."""

    def __init__(self, secret, address):
        super().__init__(secret, address)
        self.private = serialization.load_pem_private_key(secret.encode(), None)


class SendGrid(WithPrivateKey):
    def stranger(self):
        other = copy.copy(self)
        other.private = ec.generate_private_key(ec.SECP256R1())
        return other

    def sign(self, body, at, chance):
        signature = self.private.sign(str(at).encode() + body, ec.ECDSA(hashes.SHA256()))
        return Request(
            {
                "X-Twilio-Email-Event-Webhook-Timestamp": str(at),
                "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            },
            body,
        )

    def judge(self, request):
        der = self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        verifier = library("sendgrid.helpers.eventwebhook").EventWebhook(base64.b64encode(der).decode())
        return verifier.verify_signature(
            request.body.decode(),
            request.headers["X-Twilio-Email-Event-Webhook-Signature"],
            request.headers["X-Twilio-Email-Event-Webhook-Timestamp"],
        )

    def changes(self):
        return super().changes() | headers(
            "X-Twilio-Email-Event-Webhook-Timestamp", "X-Twilio-Email-Event-Webhook-Signature"
        )


class StandardWebhooksEd25519(WithPrivateKey):
    """The specification's own libraries do not have key pairs yet, so `cryptography` verifies, too."""

    def stranger(self):
        other = copy.copy(self)
        other.private = ed25519.Ed25519PrivateKey.generate()
        return other

    def text(self, known, body):
        return f"{known['webhook-id']}.{known['webhook-timestamp']}.".encode() + body

    def body(self, chance):
        return chance.randbytes(chance.randint(0, 3000))

    def sign(self, body, at, chance):
        known = {"webhook-id": f"msg_{chance.getrandbits(64):x}", "webhook-timestamp": str(at)}
        signature = self.private.sign(self.text(known, body))
        return Request(known | {"webhook-signature": "v1a," + base64.b64encode(signature).decode()}, body)

    def judge(self, request):
        version, signature = request.headers["webhook-signature"].split(",")
        text = self.text(request.headers, request.body)
        self.private.public_key().verify(base64.b64decode(signature), text)
        return version == "v1a"

    def changes(self):
        return super().changes() | headers("webhook-id", "webhook-timestamp", "webhook-signature")


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


SENDERS = {
    "standard-webhooks": StandardWebhooks,
    "svix": Svix,
    "stripe": Stripe,
    "twilio": Twilio,
    "slack": Slack,
    "hubspot-v3": HubSpot,
    "hubspot-v1": HubSpotVersion1,
    "square": Square,
    "sendgrid": SendGrid,
    "standard-webhooks-ed25519": StandardWebhooksEd25519,
    "messagebird": MessageBird,
    "canvas-live-events": Canvas,
}


# --- Random requests and changes --------------------------------------------------------------------------------------


def random_text(chance, most=2000):
    """Nothing, control characters, letters of many scripts, JSON, or much of something."""
    kind = chance.randint(0, 9)
    if kind == 0:
        return ""
    length = chance.randint(1, most)
    if kind == 1:
        return "".join(chr(chance.randint(0, 127)) for _ in range(length))
    if kind == 2 and most >= 2000:
        return chance.choice("añ€😀") * chance.randint(20_000, 150_000)
    text = "".join(chance.choice("aZ09 áñüÇ漢字العر😀\u200d\u0301\n\"'&=+%") for _ in range(length))
    if kind in (3, 4):
        return text
    spaces = {"indent": 2} if kind == 5 else {"separators": (",", ":")}
    return json.dumps({"id": length, "text": text, "list": [1, None, 2.50]}, ensure_ascii=kind == 6, **spaces)


def put(request, **parts):
    return dataclasses.replace(request, **parts)


def flip_body(request, chance):
    """One bit of the lower seven, so that most texts stay texts."""
    if not request.body:
        return put(request, body=b"\0")
    body = bytearray(request.body)
    body[chance.randrange(len(body))] ^= 1 << chance.randrange(7)
    return put(request, body=bytes(body))


def headers(*names):
    """Ways to change headers: one character, none at all, or those of no value."""

    def change(name):
        def another_character(request, chance):
            value = request.headers[name]
            # Of base64 the last characters may have bits that mean nothing to a library.
            places = [at for at in range(len(value) - 3) if value[at].isalnum()]
            at = chance.choice(places[-20:])
            other = chance.choice([c for c in "0123456789" if c != value[at]])
            return put(request, headers=request.headers | {name: value[:at] + other + value[at + 1 :]})

        def missing(request, chance):
            return put(request, headers={key: value for key, value in request.headers.items() if key != name})

        def empty(request, chance):
            return put(request, headers=request.headers | {name: ""})

        return {f"another {name}": another_character, f"no {name}": missing, f"an empty {name}": empty}

    ways = {}
    for name in names:
        ways |= change(name)
    return ways


def form(body):
    return dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))


def is_genuine(sender, request):
    """The library's verdict; what makes it stumble is no."""
    try:
        return bool(sender.judge(request))
    except Exception:
        return False


# --- The two commands -------------------------------------------------------------------------------------------------


def sign_all(gateway, public, seed, count, secrets):
    results = {}

    def work(name):
        try:
            results[name] = sign_for(name, gateway, public, seed, count, secrets[name])
        except Exception as error:
            results[name] = {"accepted": 0, "refused": 0, "wrong": [f"{type(error).__name__}: {error}"]}

    threads = [threading.Thread(target=work, args=(name,)) for name in secrets if SENDERS[name].sign]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(results))


def sign_for(name, gateway, public, seed, count, secret):
    chance = random.Random(f"{seed} {name}")
    path = f"/webhooks/{name}"
    sender = SENDERS[name](secret, public + path)
    stranger = sender.stranger()
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(gateway).netloc, timeout=60)
    result = {"accepted": 0, "refused": 0, "wrong": []}

    def expect(what, request, is_good):
        if is_genuine(sender, request) != is_good:
            result["wrong"].append(f"{what}: the library itself says {not is_good} ({request.headers})")
            return
        connection.request("POST", path + request.query, request.body, request.headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != (200 if is_good else 401):
            shown = request.body[:200]
            result["wrong"].append(f"{what}: {answer.status} {text!r} to {request.query} {request.headers} {shown!r}")
        else:
            result["accepted" if is_good else "refused"] += 1

    for _ in range(count):
        now = int(time.time())
        body = sender.body(chance)
        request = sender.sign(body, now - chance.randint(-200, 200), chance)
        expect("as it was signed", request, True)
        ways = sender.changes()
        what = chance.choice(sorted(ways) + ["another secret", "long ago"])
        if what == "another secret":
            changed = stranger.sign(body, now, chance)
        elif what == "long ago":
            changed = sender.sign(body, now - chance.randint(400, 100_000), chance)
            if is_genuine(sender, changed):
                continue  # The library does not look at the time.
        else:
            changed = ways[what](request, chance)
        expect(what, changed, False)
    return result


def listen(secrets):
    senders = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path, question, query = self.path.partition("?")
            name = path.rsplit("/", 1)[-1]
            # As vendors' examples read headers: by the names that the documentation writes.
            given = Capitalised(self.headers.items())
            request = Request(given, body, question + query)
            status = 200 if is_genuine(senders[name], request) else 401
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_port}"
    for name, secret in secrets.items():
        senders[name] = SENDERS[name](secret, f"{address}/webhooks/{name}")
    print(server.server_port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()  # The end of the input is the end of the program.


class Capitalised(dict):
    """Headers that are found whatever their capitals."""

    def __init__(self, pairs):
        super().__init__((name.lower(), value) for name, value in pairs)

    def __getitem__(self, name):
        return super().__getitem__(name.lower())

    def get(self, name, default=None):
        return super().get(name.lower(), default)


def main(arguments):
    secrets = json.loads(sys.stdin.readline())
    if arguments[0] == "sign":
        gateway, public, seed, count = arguments[1:]
        sign_all(gateway, public, seed, int(count), secrets)
    else:
        listen(secrets)


if __name__ == "__main__":
    main(sys.argv[1:])
