"""Vendors' own published libraries as judges of the gateway's verification and of its signing.

    judges.py sign GATEWAY PUBLIC_URL SEED COUNT   signs random requests, changes some, and posts them to the gateway
    judges.py listen                               verifies what is posted to it, on a port that it prints

Both read a JSON object from standard input: the secret of each sender, by the name of its source. A request that the
library signed must be accepted by the gateway; one that was changed afterwards must be refused by both.

The libraries are loaded without the packages around them, which would pull in clients and their dependencies.
"""

import base64
import copy
import datetime
import hashlib
import http.client
import http.server
import json
import random
import string
import sys
import threading
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from sender import Request, Sender, form, headers, library, put, random_text
from tokens import Canvas, MessageBird


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
