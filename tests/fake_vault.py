"""A server that speaks the part of Vault's documented HTTP API which the signer uses, with its refusals.

It knows tokens with policies and times to live, the transit engine's ed25519 keys with versions, sealing and rate
limits. Policies are read from the files under deploy/vault: what they do not allow is 403 here as well.
"""

import base64
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from solders.keypair import Keypair

POLICY: Final = Path(__file__).parents[1] / "deploy" / "vault" / "signer.hcl"
_BLOCK: Final = re.compile(r'path "([^"]+)" \{(.*?)^\}', re.DOTALL | re.MULTILINE)
_ALLOWED: Final = re.compile(r"allowed_parameters\s*=\s*\{(.*?)\}", re.DOTALL)
_PAIR: Final = re.compile(r'"(\w+)"\s*=\s*(\[.*?\])')


@dataclass
class Rule:
    """One path of a policy: what may be done there, with which parameters (no values listed: any)."""

    pattern: re.Pattern[str]
    capabilities: list[str]
    allowed: dict[str, list[Any]] | None
    required: list[str]


@dataclass
class Token:
    """A token: what it may do, and until when (`time.monotonic`; None for ever)."""

    rules: list[Rule]
    ttl_s: float
    renewable: bool = True
    ends_s: float | None = None
    renewals: int = 0


@dataclass
class Key:
    """A transit key with its versions; `newest` signs when no version is asked for."""

    versions: dict[int, Keypair]
    kind: str = "ed25519"
    exportable: bool = False
    least: int = 0

    @property
    def newest(self) -> int:
        return max(self.versions)


@dataclass
class Vault:
    """What the server holds; tests set its state."""

    tokens: dict[str, Token] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    sealed: bool = False
    busy: bool = False
    silent_s: float = 0.0
    """How long an answer takes."""
    together: threading.Barrier | None = None
    """Signatures are answered when so many have been asked for at once, or fail."""
    answer_with: tuple[int, bytes] | None = None
    """What is answered instead."""
    forge: bool = False
    """Whether signatures are another key's."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def grant(self, token: str, ttl_s: float = 3600.0, renewable: bool = True, policy: Path = POLICY) -> None:
        """A token with that policy."""
        self.tokens[token] = Token(rules_of(policy.read_text()), ttl_s, renewable, time.monotonic() + ttl_s)

    def signs(self) -> int:
        """How many sign requests came in."""
        return sum(path.startswith("transit/sign/") for _, path in self.asked)


def rules_of(policy: str) -> list[Rule]:
    """The rules of a policy file."""
    rules = []
    for path, body in _BLOCK.findall(policy):
        allowed = _ALLOWED.search(body)
        pairs = {name: json.loads(values) for name, values in _PAIR.findall(allowed[1])} if allowed else None
        required = re.search(r"required_parameters\s*=\s*(\[.*?\])", body)
        capabilities = re.search(r"capabilities\s*=\s*(\[.*?\])", body)
        assert capabilities is not None, path
        pattern = re.compile("[^/]+".join(map(re.escape, path.split("+"))))
        rules.append(Rule(pattern, json.loads(capabilities[1]), pairs, json.loads(required[1]) if required else []))
    return rules


class Refused(Exception):
    """An answer that is an error: status and messages."""

    def __init__(self, status: int, *errors: str) -> None:
        super().__init__(status, *errors)
        self.status, self.errors = status, list(errors)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    vault: Vault

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._serve(json.loads(raw) if raw else {})

    def _serve(self, body: dict[str, Any]) -> None:
        path = self.path.removeprefix("/v1/")
        self.vault.asked.append((self.command, path))
        time.sleep(self.vault.silent_s)
        if self.vault.together is not None and path.startswith("transit/sign/"):
            try:
                self.vault.together.wait()
            except threading.BrokenBarrierError:
                self._answer(504, b"")
                return
        if self.vault.answer_with is not None:
            self._answer(*self.vault.answer_with)
            return
        try:
            answer = self._decide(path, body)
        except Refused as refused:
            self._answer(refused.status, json.dumps({"errors": refused.errors}).encode())
        else:
            self._answer(200 if answer else 204, json.dumps(answer).encode() if answer else b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _decide(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        vault = self.vault
        if vault.sealed:
            raise Refused(503, "Vault is sealed")
        if vault.busy:
            raise Refused(429, 'request path "transit/sign": rate limit quota exceeded')
        token = vault.tokens.get(self.headers.get("X-Vault-Token", ""))
        if token is None or (token.ends_s is not None and time.monotonic() > token.ends_s):
            raise Refused(403, "permission denied")
        self._permit(token, path, body)
        if path == "auth/token/lookup-self":
            left_s = 0 if token.ends_s is None else max(0, int(token.ends_s - time.monotonic()))
            return {"data": {"ttl": left_s, "renewable": token.renewable}}
        if path == "auth/token/renew-self":
            if not token.renewable:
                raise Refused(400, "lease is not renewable")
            token.ends_s, token.renewals = time.monotonic() + token.ttl_s, token.renewals + 1
            return {"auth": {"lease_duration": int(token.ttl_s), "renewable": True}}
        _, action, name = path.split("/")
        return {"keys": self._key, "sign": self._sign}[action](name, body)

    def _permit(self, token: Token, path: str, body: dict[str, Any]) -> None:
        wanted = {"read"} if self.command == "GET" else {"update", "create"}
        for rule in token.rules:
            if rule.pattern.fullmatch(path) and wanted & set(rule.capabilities):
                allowed = rule.allowed
                known = allowed is None or all(
                    name in allowed and (not allowed[name] or value in allowed[name]) for name, value in body.items()
                )
                if known and (self.command == "GET" or all(name in body for name in rule.required)):
                    return
        raise Refused(403, "1 error occurred:\n\t* permission denied\n\n")

    def _key(self, name: str, body: dict[str, Any]) -> dict[str, Any] | None:
        if not re.fullmatch(r"\w([\w.-]*\w)?", name):
            raise Refused(404)
        if self.command == "POST" and name not in self.vault.keys:
            kind, exportable = body.get("type", "aes256-gcm96"), body.get("exportable", False)
            self.vault.keys[name] = Key({1: Keypair()}, kind, exportable)
        key = self.vault.keys.get(name)
        if key is None:
            raise Refused(404)
        told = {"type": key.kind, "exportable": key.exportable, "derived": False, "allow_plaintext_backup": False}
        public = {
            str(version): {"public_key": base64.b64encode(bytes(pair.pubkey())).decode(), "name": key.kind}
            for version, pair in key.versions.items()
        }
        return {"data": {"name": name, "keys": public, "latest_version": key.newest, **told}}

    def _sign(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        key = self.vault.keys.get(name)
        if key is None:
            raise Refused(400, "signing key not found")
        version = body.get("key_version") or key.newest
        if version not in key.versions or version < key.least:
            raise Refused(400, "requested version for signing is not usable")
        pair = Keypair() if self.vault.forge else key.versions[version]
        items = body.get("batch_input") or [{"input": body["input"]}]
        results = [{"signature": _signature(pair, version, base64.b64decode(item["input"]))} for item in items]
        return {"data": {"batch_results": results} if "batch_input" in body else results[0]}


def _signature(pair: Keypair, version: int, message: bytes) -> str:
    return f"vault:v{version}:" + base64.b64encode(bytes(pair.sign_message(message))).decode()


@contextmanager
def running_vault() -> Iterator[Vault]:
    """The server while the block runs; there is no token yet."""
    vault = Vault()
    handler = type("Handler", (_Handler,), {"vault": vault})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    vault.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield vault
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
