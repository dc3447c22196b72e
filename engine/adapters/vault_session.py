"""A signed-in session with Vault: the token and its renewal, time limits, and what Vault's refusals mean here."""

import logging
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Final

import hvac
import requests
from hvac import exceptions as said
from requests.adapters import HTTPAdapter

from engine.errors import Unavailable

log = logging.getLogger(__name__)

CONNECT_S: Final = 2.0
ANSWER_S: Final = 5.0
RENEW_AGAIN_S: Final = 5.0
LONGEST_PAUSE_S: Final = 3_600.0
"""A token is renewed when a third of its time is over, and looked at this often whatever its time."""

FORBIDDEN_MODE: Final = stat.S_IRWXG | stat.S_IRWXO


class KeysUnavailable(Unavailable):
    """Vault is out of reach, or has no answer; nothing was signed."""

    code: ClassVar[str] = "keys_unavailable"


class KeysSealed(KeysUnavailable):
    """Vault is sealed or not set up."""

    code = "keys_sealed"


class KeysBusy(KeysUnavailable):
    """Vault's rate limit is reached."""

    code = "keys_busy"


class KeysForbidden(KeysUnavailable):
    """Vault refuses the token: it has expired, was revoked, or lacks a right."""

    code = "keys_forbidden"


class UnsafeTokenFile(RuntimeError):
    """The token's file must not be used: others can read it, or it is empty."""


class VaultSession:
    """One token's session, used by any number of threads."""

    def __init__(self, url: str, token_file: Path, ca_file: str = "", connections: int = 16) -> None:
        """Read the token; nothing is asked yet.

        Raises:
            UnsafeTokenFile: for a file that others may read, or an empty one.
            OSError: there is no such file.
        """
        self._token_file = token_file
        self._token = read_token(token_file)
        self._replacing = threading.Lock()
        session = requests.Session()
        session.trust_env = False  # no proxy and no other certificates than ours, whatever the environment says
        session.mount(url, HTTPAdapter(pool_connections=1, pool_maxsize=connections, pool_block=True))
        session.verify = ca_file or True
        self._client = hvac.Client(
            url,
            self._token,
            verify=ca_file or True,
            timeout=(CONNECT_S, ANSWER_S),
            allow_redirects=False,
            session=session,
        )
        self._session = session
        self._closed = threading.Event()
        self._renewing = threading.Thread(target=self._renew_until_closed, name="vault-renewal", daemon=True)

    @property
    def transit(self) -> Any:
        """hvac's calls of the transit engine, to be made through `ask`."""
        return self._client.secrets.transit

    def open(self) -> None:
        """Keep the token renewed from now on."""
        self._renewing.start()

    def close(self) -> None:
        """Let the token expire by itself and drop the connections."""
        self._closed.set()
        if self._renewing.is_alive():
            self._renewing.join(ANSWER_S + CONNECT_S)
        self._session.close()

    def check(self) -> None:
        """Raises `KeysUnavailable` when the token is not good for anything now."""
        self.ask(self._client.auth.token.lookup_self)

    def ask(self, call: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
        """The `data` of Vault's answer to one of hvac's calls.

        A refused token is read again from its file, where an operator may have put a new one.

        Raises:
            KeysUnavailable: there is no answer; its subclass says why.
            hvac.exceptions.InvalidRequest, hvac.exceptions.InvalidPath: Vault understood and says no.
        """
        refused = self._token
        try:
            return self._asked(call, arguments)
        except KeysForbidden:
            self._read_token_again()
            if self._token == refused:
                raise
        return self._asked(call, arguments)

    def _asked(self, call: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = call(**arguments)
        except (said.InvalidRequest, said.InvalidPath):
            raise
        except (said.Forbidden, said.Unauthorized) as error:
            raise KeysForbidden("Vault refuses the signer's token.", reason=_told(error)) from error
        except (said.VaultDown, said.VaultNotInitialized) as error:
            raise KeysSealed("Vault is sealed.", reason=_told(error)) from error
        except said.RateLimitExceeded as error:
            raise KeysBusy("Vault's rate limit is reached.", reason=_told(error)) from error
        except (said.VaultError, requests.RequestException) as error:
            raise KeysUnavailable("Vault does not answer.", reason=_told(error)) from error
        if isinstance(answer, requests.Response) and answer.status_code == requests.codes.no_content:
            return {}
        if not isinstance(answer, dict):  # no JSON, or a redirection
            raise KeysUnavailable("Vault's answer is none.")
        return dict(answer.get("data") or {}) | dict(answer.get("auth") or {})

    def _read_token_again(self) -> None:
        """Use the file's token from now on. Of several threads that were refused at once, one finds it new."""
        try:
            token = read_token(self._token_file)
        except (OSError, UnsafeTokenFile) as error:
            log.error("alert=vault_token the token's file cannot be used: %s", error)
            return
        with self._replacing:
            if token != self._token:
                self._client.token = token
                self._token = token  # last: whoever reads it asks with this one or a newer
                log.info("a new Vault token is used")

    def _renew_until_closed(self) -> None:
        pause_s = 0.0
        while not self._closed.wait(pause_s):
            try:
                pause_s = self._renew()
            except KeysUnavailable as error:
                log.error("alert=vault_token the token is not renewed: %s %s", error, error.data)
                pause_s = RENEW_AGAIN_S
            except Exception:
                log.exception("alert=vault_token the token is not renewed")
                pause_s = RENEW_AGAIN_S

    def _renew(self) -> float:
        """Renew the token; seconds until it must be done again."""
        token = self.ask(self._client.auth.token.lookup_self)
        if token.get("renewable"):
            left_s = self.ask(self._client.auth.token.renew_self)["lease_duration"]
        else:
            left_s = token["ttl"]
            if left_s:
                log.warning("alert=vault_token the token cannot be renewed and ends in %s s", left_s)
        return min(max(left_s / 3, 1.0), LONGEST_PAUSE_S) if left_s else LONGEST_PAUSE_S


def read_token(path: Path) -> str:
    """The token in a file that only its owner can read.

    Raises:
        UnsafeTokenFile: others can read it, or it is empty.
        OSError: it cannot be read.
    """
    with path.open() as file:
        if os.fstat(file.fileno()).st_mode & FORBIDDEN_MODE:
            raise UnsafeTokenFile(f"{path} must be readable by its owner only: chmod 600 it")
        token = file.read().strip()
    if not token or not token.isprintable():
        raise UnsafeTokenFile(f"{path} does not hold a token")
    return token


def _told(error: Exception) -> str:
    """What happened, without the request: it holds the token."""
    listed = getattr(error, "errors", None)
    return ", ".join(map(str, listed))[:200] if listed else type(error).__name__
