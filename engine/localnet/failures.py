"""Errors as a Solana node words and numbers them: those of the JSON-RPC protocol and those of transactions."""

from typing import Any, Final

import orjson
from solders.rpc.responses import GetSignatureStatusesResp, RpcResponseContext
from solders.transaction_status import TransactionConfirmationStatus, TransactionErrorType, TransactionStatus

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

_ERROR_TEXTS: Final = {
    "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    "AlreadyProcessed": "This transaction has already been processed",
    "BlockhashNotFound": "Blockhash not found",
    "InsufficientFundsForFee": "Insufficient funds for fee",
}


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


def error_json(error: TransactionErrorType | None) -> Any:
    """A transaction error in the RPC's JSON form."""
    if error is None:
        return None
    status = TransactionStatus(0, None, None, error, TransactionConfirmationStatus.Processed)
    told = orjson.loads(GetSignatureStatusesResp([status], RpcResponseContext(0)).to_json())
    return told["result"]["value"][0]["err"]


def error_text(told: Any) -> str:
    """A transaction error in JSON form as the sentence that clients look for in preflight failures."""
    if isinstance(told, str):
        return _ERROR_TEXTS.get(told, told)
    failed = told.get("InstructionError") if isinstance(told, dict) else None
    if failed is None:
        return orjson.dumps(told).decode()
    index, reason = failed
    if isinstance(reason, dict) and "Custom" in reason:
        return f"Error processing Instruction {index}: custom program error: {reason['Custom']:#x}"
    return f"Error processing Instruction {index}: {reason}"


def status_json(error: Any) -> dict[str, Any]:
    """The deprecated `status` member that clients still parse."""
    return {"Ok": None} if error is None else {"Err": error}
