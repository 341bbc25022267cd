"""What all senders have in common: requests, random texts for their bodies, and ways to change a request."""

import copy
import dataclasses
import importlib
import json
import os
import sys
import sysconfig
import types
import urllib.parse


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
