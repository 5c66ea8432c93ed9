import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from hrtech import encryption
from hrtech.encryption import DecryptionError, decrypt, encrypt, is_encrypted

KEY = bytes(range(32))
NAME = b"restricted/cases/records.parquet"


@pytest.fixture
def small_segments(monkeypatch):
    monkeypatch.setattr(encryption, "SEGMENT", 64)


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_what_was_encrypted_opens(data, associated):
    sealed = encrypt(data, KEY, associated)
    assert is_encrypted(sealed)
    assert len(sealed) == 45 + 16 + len(data)
    assert decrypt(sealed, KEY, associated) == data


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 127, 128, 129, 640])
def test_files_of_several_segments_open(small_segments, size):
    data = bytes(i % 251 for i in range(size))
    sealed = encrypt(data, KEY, NAME)
    assert len(sealed) == 45 + size + 16 * max(1, -(-size // 64))
    assert decrypt(sealed, KEY, NAME) == data


def test_one_file_opened_by_the_standards_alone():
    sealed = encrypt(b"records", KEY, NAME)
    header, body = sealed[:45], sealed[45:]
    key = HKDF(SHA256(), 32, header[13:], b"hrtech encryption 1, file").derive(KEY)
    assert AESGCM(key).decrypt(bytes(11) + b"\x01", body, header + NAME) == b"records"


def test_nothing_of_the_content_shows_and_no_two_files_are_alike():
    data = b"Maria Lopez " * 1000
    first, second = encrypt(data, KEY, NAME), encrypt(data, KEY, NAME)
    assert b"Maria" not in first
    assert first[13:] != second[13:]
    assert KEY not in first


@settings(max_examples=300)
@given(st.data())
def test_any_changed_byte_is_noticed(data):
    sealed = bytearray(encrypt(b"x" * 50, KEY, NAME))
    position = data.draw(st.integers(0, len(sealed) - 1))
    sealed[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DecryptionError):
        decrypt(bytes(sealed), KEY, NAME)


def test_every_shortened_file_is_noticed(small_segments):
    sealed = encrypt(b"x" * 200, KEY, NAME)
    for length in range(len(sealed)):
        with pytest.raises(DecryptionError):
            decrypt(sealed[:length], KEY, NAME)
    with pytest.raises(DecryptionError):
        decrypt(sealed + b"\x00", KEY, NAME)


def test_swapped_repeated_and_dropped_segments_are_noticed(small_segments):
    sealed = encrypt(bytes(range(192)), KEY, NAME)
    header, a, b, c = sealed[:45], sealed[45:125], sealed[125:205], sealed[205:]
    assert decrypt(header + a + b + c, KEY, NAME) == bytes(range(192))
    for order in ((b, a, c), (a, c), (a, b), (a, a, c), (c,), (a, b, b), (a, b, c, c)):
        with pytest.raises(DecryptionError, match="changed, cut off, or moved"):
            decrypt(header + b"".join(order), KEY, NAME)


def test_segments_of_another_file_are_noticed(small_segments):
    one, other = encrypt(b"1" * 128, KEY, NAME), encrypt(b"2" * 128, KEY, NAME)
    with pytest.raises(DecryptionError, match="changed, cut off, or moved"):
        decrypt(one[:125] + other[125:], KEY, NAME)


def test_a_moved_file_another_key_and_other_files_are_told_apart():
    sealed = encrypt(b"x", KEY, NAME)
    with pytest.raises(DecryptionError, match="changed, cut off, or moved"):
        decrypt(sealed, KEY, b"released/cases/records.parquet")
    with pytest.raises(DecryptionError, match="another key"):
        decrypt(sealed, KEY[::-1], NAME)
    with pytest.raises(DecryptionError, match="not an encrypted file"):
        decrypt(b"PAR1", KEY, NAME)
    with pytest.raises(DecryptionError, match="format 02"):
        decrypt(sealed[:4] + b"\x02" + sealed[5:], KEY, NAME)


def test_a_key_of_another_length_is_refused():
    with pytest.raises(ValueError, match="31 bytes instead of 32"):
        encrypt(b"", KEY[:31], b"")
