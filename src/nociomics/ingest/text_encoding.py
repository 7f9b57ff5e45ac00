"""Read a text file block by block as UTF-8 with line feeds, whatever it was written in."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from isal import igzip

from nociomics.ingest.content import CUT, GZIP, check_bgzf_end, read_bytes, refuse, truncated

BLOCK_BYTES = 8 << 20
_UNDEFINED = b"\x81\x8d\x8f\x90\x9d"
_MARKS_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class TextFile:
    """A text table on disk, after a first look at all of it.

    Attributes
    ----------
    encoding : {"utf-8", "cp1252", "utf-16"}
        What it was written in; Latin-1 is read as Windows-1252, which says more.
    returns : bool
        Whether there are carriage returns, alone or before line feeds.
    quotes : bool
        Whether there is any quotation mark.
    """

    path: Path
    shown: str
    encoding: str = "utf-8"
    returns: bool = False
    quotes: bool = False
    recoded: bytes | None = None

    def blocks(self) -> Iterator[bytes]:
        """Give the text as UTF-8 blocks with line feeds only; the last one ends with a line feed."""
        kept, last = b"", b"\n"
        for raw in _raw_blocks(self.path, self.shown, self.recoded):
            block = raw.decode("cp1252").encode() if self.encoding == "cp1252" else raw
            if self.returns:
                block = kept + block
                # A return at the end of a block may belong to a line feed that begins the next one.
                kept = b"\r" if block.endswith(b"\r") else b""
                block = block[: len(block) - len(kept)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            if block:
                last = block[-1:]
                yield block
        if kept or last != b"\n":
            yield b"\n"


def look_at(path: Path, shown: str, head: bytes) -> TextFile:
    """Find out how a text file is written.

    Parameters
    ----------
    path : Path
        The file, plain or gzipped.
    shown : str
        How messages name it.
    head : bytes
        Its first bytes, decompressed.

    Raises
    ------
    UnreadableTable
        When it holds zero bytes, mixes encodings or is a gzip file that is cut.
    """
    recoded = _from_utf16(path, shown, head)
    returns = quotes = False
    utf8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
    lines = 1
    for block in _raw_blocks(path, shown, recoded):
        if b"\x00" in block:
            raise _no_text(shown, lines + block.count(b"\n", 0, block.index(b"\x00")))
        lines += block.count(b"\n")
        returns = returns or b"\r" in block
        quotes = quotes or b'"' in block
        utf8 = _still_utf8(utf8, block)
    if utf8 is not None:
        utf8 = _still_utf8(utf8, b"", final=True)
    if utf8 is None:
        _refuse_mixed(path, shown)
    encoding = "utf-16" if recoded is not None else "utf-8" if utf8 is not None else "cp1252"
    return TextFile(path, shown, encoding, returns, quotes, recoded)


def _still_utf8(
    decoder: codecs.IncrementalDecoder | None, block: bytes, *, final: bool = False
) -> codecs.IncrementalDecoder | None:
    """Return the decoder after one more block, or None when the block is no UTF-8."""
    if decoder is None or (block.isascii() and not final and decoder.getstate()[0] == b""):
        return decoder
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return None
    return decoder


def _raw_blocks(path: Path, shown: str, recoded: bytes | None) -> Iterator[bytes]:
    with _opened(path, shown, recoded) as stream:
        first = True
        while True:
            try:
                block = stream.read(BLOCK_BYTES)
            except CUT as error:
                raise truncated(shown) from error
            except OSError as error:
                raise refuse(f"{shown}: cannot be read: {error.strerror}.") from error
            if not block:
                return
            if first and block.startswith(codecs.BOM_UTF8):
                block = block[len(codecs.BOM_UTF8) :]
            first = False
            yield block


def _opened(path: Path, shown: str, recoded: bytes | None) -> BinaryIO:
    if recoded is not None:
        return BytesIO(recoded)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise refuse(f"{shown}: cannot be read: {error.strerror}.") from error
    with stream:
        zipped = stream.read(2) == GZIP
    if not zipped:
        return path.open("rb")
    check_bgzf_end(path, shown)
    return cast("BinaryIO", igzip.open(path, "rb"))  # type: ignore[no-untyped-call]


def _from_utf16(path: Path, shown: str, head: bytes) -> bytes | None:
    """Recode UTF-16, with its mark or without one when most of every second byte of the beginning is zero."""
    encoding = "utf-16" if head.startswith(_MARKS_16) else None
    even, odd = head[0:512:2], head[1:512:2]
    if encoding is None and b"\x00" in (even[:1], odd[:1]):
        if 2 * odd.count(0) > len(odd) and 0 not in even:
            encoding = "utf-16-le"
        elif 2 * even.count(0) > len(even) and 0 not in odd:
            encoding = "utf-16-be"
    if encoding is None:
        return None
    try:
        return read_bytes(path, shown).decode(encoding).encode()
    except UnicodeDecodeError as error:
        raise refuse(f"{shown}: begins as UTF-16 but holds damaged characters. Save it again as UTF-8.") from error


def _no_text(shown: str, line: int) -> Exception:
    return refuse(
        f"{shown}: holds zero bytes (first: line {line}), so it is damaged, or not a table that can be read here (CSV, "
        "TSV, Excel or Parquet)."
    )


def _refuse_mixed(path: Path, shown: str) -> None:
    """Refuse a file that is neither all UTF-8 nor surely Windows-1252: its letters could not be trusted."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    letters = odd = lines = first = 0
    undefined = False
    for block in _raw_blocks(path, shown, None):
        text = decoder.decode(block)
        beyond = [letter for letter in text if letter > "\x7f"] if not text.isascii() else []
        wrong = [letter for letter in beyond if "\udc80" <= letter <= "\udcff"]
        letters += len(beyond) - len(wrong)
        if wrong and not odd:
            first = lines + text.count("\n", 0, text.index(wrong[0])) + 1
        odd += len(wrong)
        lines += text.count("\n")
        undefined = undefined or any(chr(0xDC00 + byte) in wrong for byte in _UNDEFINED)
    if letters or undefined:
        raise refuse(
            f"{shown}: {odd} bytes (first: line {first}) are not UTF-8 while other letters are, or stand for no letter "
            "at all. Save the file again as UTF-8.",
            odd,
        )
