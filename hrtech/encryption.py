"""Authenticated encryption of whole files: bytes and a key in, bytes out.

AES-256-GCM in segments, after the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-
Encryption and its Nonce-Reuse Misuse-Resistance, CRYPTO 2015). Each file has a key of its own, derived by HKDF-SHA256
(RFC 5869) from the lake's key and 32 random bytes, so nonces may count from zero and never meet, however many files
one key protects. Segments of 16 MiB keep each message far below the limits of GCM; their order, number and end are
part of the nonces, so none can be dropped, swapped or cut off.

A file is bound to what it is by *associated data*, which is authenticated and not stored: the same bytes under
another name do not open.

Not here: where keys come from (`resources.keys`) and which files are encrypted (`resources.lake_files`).

Layout: magic and version (5 bytes), mark of the key (8), salt (32), then the segments, each with a tag of 16 bytes.
"""

import secrets
from typing import Final

MAGIC: Final = b"HRTE\x01"
SEGMENT: Final = 16 * 2**20
_MARK: Final = 8
_SALT: Final = 32
_TAG: Final = 16
_HEADER: Final = len(MAGIC) + _MARK + _SALT
_KEY: Final = 32


class DecryptionError(ValueError):
    """A file does not open; the message says why as far as it can be known, never what is in it."""


def is_encrypted(data: bytes) -> bool:
    """Tell whether bytes (the first five suffice) are a file that `encrypt` made, in this or another version."""
    return data[:4] == MAGIC[:4]


def encrypt(data: bytes, key: bytes, associated: bytes) -> bytes:
    """Encrypt one file.

    Args:
        data: Its content, of any length.
        key: 32 secret bytes.
        associated: What the file is, such as its path in the lake; needed again to open it.

    Returns:
        Header and ciphertext: 45 bytes more, and 16 for each started segment of 16 MiB.

    Raises:
        ValueError: The key has another length.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    header = MAGIC + _derive(key, b"", b"mark", _MARK) + secrets.token_bytes(_SALT)
    cipher = AESGCM(_file_key(key, header))
    plain = memoryview(data)
    count = max(1, -(-len(plain) // SEGMENT))
    parts = [header]
    for number in range(count):
        segment = plain[number * SEGMENT : (number + 1) * SEGMENT]
        parts.append(cipher.encrypt(_nonce(number, count), segment, header + associated))
    return b"".join(parts)


def decrypt(data: bytes, key: bytes, associated: bytes) -> bytes:
    """Open a file that `encrypt` made.

    Args:
        data: The encrypted file.
        key: The key it was encrypted with.
        associated: The same as when it was encrypted.

    Raises:
        DecryptionError: Not an encrypted file, another version, another key, or a file that was changed, cut off
            or moved.
        ValueError: The key is not 32 bytes long.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    header = data[:_HEADER]
    _check_header(header, key)
    cipher = AESGCM(_file_key(key, header))
    sealed = memoryview(data)[_HEADER:]
    step = SEGMENT + _TAG
    count = max(1, -(-len(sealed) // step))
    try:
        return b"".join(
            cipher.decrypt(
                _nonce(number, count), sealed[number * step : (number + 1) * step], header + associated
            )
            for number in range(count)
        )
    except InvalidTag:
        raise DecryptionError(
            "the key is right, but the file was changed, cut off, or moved here from another place"
        ) from None


def _check_header(header: bytes, key: bytes) -> None:
    if not is_encrypted(header):
        raise DecryptionError("it is not an encrypted file")
    if header[:5] != MAGIC:
        raise DecryptionError(f"it has format {header[4:5].hex() or 'none'}, which this version cannot read")
    if len(header) < _HEADER:
        raise DecryptionError("it was cut off within its header")
    if header[5 : 5 + _MARK] != _derive(key, b"", b"mark", _MARK):
        raise DecryptionError("it was encrypted with another key")


def _file_key(key: bytes, header: bytes) -> bytes:
    return _derive(key, header[-_SALT:], b"file", _KEY)


def _derive(key: bytes, salt: bytes, purpose: bytes, length: int) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    if len(key) != _KEY:
        raise ValueError(f"The key has {len(key)} bytes instead of {_KEY}.")
    return HKDF(SHA256(), length, salt or None, b"hrtech encryption 1, " + purpose).derive(key)


def _nonce(number: int, count: int) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if number == count - 1 else b"\x00")
