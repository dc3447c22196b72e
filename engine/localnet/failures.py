"""The errors of the JSON-RPC protocol as a Solana node words and numbers them."""

from typing import Any, Final

from engine.errors import Refusal

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
PREFLIGHT_FAILURE: Final = -32002
SIGNATURE_FAILURE: Final = -32003
UNSUPPORTED_VERSION: Final = -32015
MIN_CONTEXT_SLOT: Final = -32016


class RpcError(Refusal):
    """A request answered with a JSON-RPC error; `rpc_code` is the protocol's number, `rpc_data` its
    `data`.
    """

    code = "localnet_rpc"

    def __init__(self, rpc_code: int, message: str, rpc_data: Any = None) -> None:
        super().__init__(message)
        self.rpc_code = rpc_code
        self.rpc_data = rpc_data

    def body(self) -> dict[str, Any]:
        """The `error` member of the response."""
        error: dict[str, Any] = {"code": self.rpc_code, "message": self.detail}
        if self.rpc_data is not None:
            error["data"] = self.rpc_data
        return error


def invalid_params(message: str) -> RpcError:
    """The error for parameters that cannot be read."""
    return RpcError(INVALID_PARAMS, message)
