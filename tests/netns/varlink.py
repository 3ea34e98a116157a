# SPDX-License-Identifier: GPL-2.0-or-later
"""A Varlink client of its own, and a reader of interface definitions that checks replies by them:
what other programs would have to go by."""
import json
import re
import socket

TOKEN = re.compile(r"\s*(?:#[^\n]*|(->|\[\]|\[string\]|[():,?]|[A-Za-z][A-Za-z0-9_.-]*))")


class Interface:
    """The definition as {"methods": {name: (in, out)}, "errors": {name: type}, "types": {...}}."""

    def __init__(self, text):
        self.tokens, at = [], 0
        while at < len(text.rstrip()):
            m = TOKEN.match(text, at)
            assert m, f"no Varlink: {text[at:at + 40]!r}"
            at = m.end()
            if m.group(1):
                self.tokens.append(m.group(1))
        self.types, self.methods, self.errors = {}, {}, {}
        self._take("interface")
        self.name = self._take()
        while self.tokens:
            word, name = self._take(), self._take()
            assert re.fullmatch("[A-Z][A-Za-z0-9]*", name), name
            assert name not in self.types | self.methods | self.errors, f"{name} twice"
            if word == "method":
                arguments = self._type()
                self._take("->")
                self.methods[name] = (arguments, self._type())
            else:
                {"type": self.types, "error": self.errors}[word][name] = self._type()

    def _take(self, expected=None):
        token = self.tokens.pop(0)
        assert expected in (None, token), f"{token} instead of {expected}"
        return token

    def _type(self):
        token = self._take()
        if token == "?":
            return ("optional", self._type())
        if token == "[]":
            return ("array", self._type())
        if token == "[string]":
            return ("map", self._type())
        if token != "(":
            return ("name", token)
        fields, words = {}, []
        while self.tokens[0] != ")":
            field = self._take()
            assert re.fullmatch("[A-Za-z](_?[A-Za-z0-9])*", field), field
            words.append(field)
            if self.tokens[0] == ":":
                self._take(":")
                fields[field] = self._type()
            if self.tokens[0] == ",":
                self._take(",")
        self._take(")")
        assert len(fields) in (0, len(words)), words
        return ("enum", words) if words and not fields else ("struct", fields)

    def check(self, value, kind, path=""):
        """An AssertionError says where a value is not of its type."""
        what, inner = kind
        if what == "optional":
            if value is not None:
                self.check(value, inner, path)
        elif what == "array":
            assert isinstance(value, list), f"{path}: {value!r} is no array"
            for i, v in enumerate(value):
                self.check(v, inner, f"{path}[{i}]")
        elif what == "map":
            assert isinstance(value, dict), f"{path}: {value!r} is no map"
            for k, v in value.items():
                self.check(v, inner, f"{path}.{k}")
        elif what == "enum":
            assert value in inner, f"{path}: {value!r} is none of {inner}"
        elif what == "struct":
            assert isinstance(value, dict), f"{path}: {value!r} is no object"
            assert not value.keys() - inner.keys(), f"{path}: also {value.keys() - inner.keys()}"
            for k, t in inner.items():
                assert k in value or t[0] == "optional", f"{path}: no {k}"
                self.check(value.get(k), t, f"{path}.{k}")
        elif inner in self.types:
            self.check(value, self.types[inner], path)
        else:
            python = {"string": str, "int": int, "bool": bool, "float": (int, float)}[inner]
            assert isinstance(value, python) and (inner == "bool" or not isinstance(value, bool)), \
                f"{path}: {value!r} is no {inner}"


class Error(Exception):
    def __init__(self, name, parameters):
        super().__init__(f"{name} {parameters}")
        self.name, self.parameters = name, parameters


class Client:
    """Checks everything that comes by the interface, once it is known."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.buffer, self.interface = b"", None
        self.interface = Interface(self.call("org.varlink.service.GetInterfaceDescription",
                                             interface="io.allowsync")["description"])

    def send(self, method, more=False, **parameters):
        call = {"method": method if "." in method else f"io.allowsync.{method}",
                "parameters": parameters, "more": more}
        self.socket.sendall(json.dumps(call).encode() + b"\0")

    def receive(self, method):
        """(parameters, continues); raises Error."""
        while b"\0" not in self.buffer:
            got = self.socket.recv(65536)
            assert got, "the connection was closed"
            self.buffer += got
        frame, self.buffer = self.buffer.split(b"\0", 1)
        reply = json.loads(frame.decode())
        assert not reply.keys() - {"parameters", "continues", "error"}
        parameters = reply.get("parameters") or {}
        name = reply.get("error")
        if name:
            if self.interface and name.startswith("io.allowsync."):
                self.interface.check(parameters, self.interface.errors[name.split(".")[-1]], name)
            raise Error(name, parameters)
        if self.interface and "." not in method:
            self.interface.check(parameters, self.interface.methods[method][1], method)
        return parameters, reply.get("continues", False)

    def call(self, method, **parameters):
        self.send(method, **parameters)
        reply, continues = self.receive(method)
        assert not continues
        return reply

    def list(self, method, **parameters):
        self.send(method, more=True, **parameters)
        replies, continues = [], True
        while continues:
            reply, continues = self.receive(method)
            replies.append(reply)
        return replies

    def close(self):
        self.socket.close()
