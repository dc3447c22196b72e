"""The sign-in text and its proof, without any I/O."""

import base58
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.accounts import siws
from engine.identifiers import Address

ASKED = siws.SignInInput(
    domain="blitz.example",
    address=None,
    statement="Sign in.",
    uri="https://blitz.example",
    version="1",
    chain_id="solana:mainnet",
    nonce="0123456789abcdef",
    issued_at="2026-01-01T00:00:00.000Z",
    expiration_time="2026-01-01T00:05:00.000Z",
)
P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def address_of(key: Ed25519PrivateKey) -> Address:
    return Address(base58.b58encode(key.public_key().public_bytes_raw()).decode())


def test_the_text_has_the_fields_in_the_order_of_the_standard() -> None:
    assert siws.message(ASKED, "ADDRESS") == (
        "blitz.example wants you to sign in with your Solana account:\n"
        "ADDRESS\n"
        "\n"
        "Sign in.\n"
        "\n"
        "URI: https://blitz.example\n"
        "Version: 1\n"
        "Chain ID: solana:mainnet\n"
        "Nonce: 0123456789abcdef\n"
        "Issued At: 2026-01-01T00:00:00.000Z\n"
        "Expiration Time: 2026-01-01T00:05:00.000Z"
    )


def test_the_stored_input_comes_back_as_it_was() -> None:
    assert siws.from_json(ASKED.json()) == ASKED
    assert "address" not in ASKED.json()
    assert {"chainId", "issuedAt", "expirationTime"} <= ASKED.json().keys()


def test_only_the_keys_own_signature_over_the_same_bytes_is_a_proof() -> None:
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    text = siws.message(ASKED, address_of(key)).encode()
    signature = key.sign(text)
    assert siws.is_signed(address_of(key), text, signature)
    assert not siws.is_signed(address_of(key), text + b" ", signature)
    assert not siws.is_signed(address_of(other), text, signature)
    assert not siws.is_signed(address_of(key), text, other.sign(text))
    for cut in (b"", signature[:63], signature + b"\0", bytes(64)):
        assert not siws.is_signed(address_of(key), text, cut)


def test_a_signature_with_the_group_order_added_is_no_second_proof() -> None:
    key, order = Ed25519PrivateKey.generate(), 2**252 + 27742317777372353535851937790883648493
    signature = key.sign(b"text")
    doubled = signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert not siws.is_signed(address_of(key), b"text", doubled)


def _encodings_of_small_order() -> list[bytes]:
    """Every 32-byte text that decodes to a point of order 1, 2, 4 or 8, computed from the curve's equation."""
    found = []
    for y in small_order_ys():
        for value in range(y, 2**255, P):
            found += [(value | sign << 255).to_bytes(32, "little") for sign in (0, 1)]
    return found


def small_order_ys() -> set[int]:
    root = pow(2, (P - 1) // 4, P)  # a square root of -1
    # Order 8: doubling gives a point with y = 0, so x^2 = -y^2, and then D y^4 + 2 y^2 - 1 = 0.
    ys = {0, 1, P - 1}
    discriminant = pow(1 + D, (P + 3) // 8, P)
    for square_root in (discriminant, discriminant * root % P):
        if square_root * square_root % P != (1 + D) % P:
            continue
        for sign in (1, -1):
            squared = (sign * square_root - 1) * pow(D, -1, P) % P
            y = pow(squared, (P + 3) // 8, P)
            ys |= {found for found in (y, y * root % P, -y % P, -y * root % P) if found * found % P == squared}
    return ys


def test_the_eight_torsion_has_five_heights() -> None:
    assert len(small_order_ys()) == 5


@pytest.mark.parametrize("encoded", _encodings_of_small_order(), ids=lambda encoded: encoded.hex()[:8])
def test_a_key_that_anybody_can_sign_for_is_weak(encoded: bytes) -> None:
    address = Address(base58.b58encode(encoded).decode())
    assert siws.is_weak(address)
    identity_signature = bytes([1]) + bytes(63)
    assert not siws.is_signed(address, b"anything", identity_signature)


def test_the_domain_of_a_text_is_read_from_its_first_line_only() -> None:
    assert siws.domain_of(siws.message(ASKED, "A")) == "blitz.example"
    assert siws.domain_of("hello\n" + siws.message(ASKED, "A")) is None
    assert siws.domain_of("") is None
