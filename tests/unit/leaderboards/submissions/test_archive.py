import io
import struct
import zipfile
from pathlib import Path

import pytest

from anisora.harness.errors import DataError
from anisora.leaderboards.submissions.archive import MOST_BYTES, MOST_MEMBER_BYTES, read_archive

NAMES = frozenset({"a", "b"})
GIVEN = {"a": b"alpha", "b": b"beta" * 1000}


def write(path: Path, members: list[tuple[zipfile.ZipInfo | str, bytes]], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for info, content in members:
            archive.writestr(info, content)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "given.zip"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_come_back(path: Path, method: int) -> None:
    assert read_archive(write(path, list(GIVEN.items()), method), NAMES) == GIVEN


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../a", r"'../a' leads out of its folder by `..`"),
        ("x/../../etc/passwd", r"leads out of its folder"),
        ("..\\a", r"leads out of its folder"),
        ("/etc/passwd", r"'/etc/passwd' is an absolute path"),
        ("C:/a", r"'C:/a' is an absolute path"),
        ("x\\a", r"is an absolute path or has a backslash"),
        ("readme.txt", r"'readme.txt' does not belong into a bundle; expected only a, b"),
        ("a/", r"'a/' does not belong"),
        ("a\x00.txt", r"'a\\x00.txt' does not belong"),
        ("x" * 5000, r"'x{80}\.\.\.' does not belong"),
    ],
)
def test_a_name_that_does_not_belong_is_refused_by_name(path: Path, name: str, told: str) -> None:
    info = zipfile.ZipInfo("?" * len(name.encode()))
    write(path, [*GIVEN.items(), (info, b"x")])
    content = path.read_bytes().replace(b"?" * len(name.encode()), name.encode())
    path.write_bytes(content)
    with pytest.raises(DataError, match=told):
        read_archive(path, NAMES)


def test_a_member_that_is_there_twice_is_refused(path: Path) -> None:
    write(path, [("a", b"1"), ("b", b"2"), ("c", b"3")])
    path.write_bytes(path.read_bytes().replace(b"c", b"a"))
    with pytest.raises(DataError, match=r"'a' is there twice"):
        read_archive(path, NAMES)


def test_a_member_that_lacks_is_told(path: Path) -> None:
    with pytest.raises(DataError, match=r"lacks the member `b`"):
        read_archive(write(path, [("a", b"1")]), NAMES)


def test_a_name_that_is_not_utf8_is_refused(path: Path) -> None:
    write(path, [("a", b"1"), ("b", b"2"), ("é", b"3")])
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xfe"))
    with pytest.raises(DataError, match=r"whose name is not UTF-8"):
        read_archive(path, NAMES)


def test_a_link_is_refused(path: Path) -> None:
    link = zipfile.ZipInfo("b")
    link.create_system = 3
    link.external_attr = 0o120777 << 16
    with pytest.raises(DataError, match=r"'b' is a link or a special file"):
        read_archive(write(path, [("a", b"1"), (link, b"/etc/passwd")]), NAMES)


def test_another_compression_is_refused(path: Path) -> None:
    with pytest.raises(DataError, match=r"'a' is compressed by method 14; expected 0 \(stored\) or 8"):
        read_archive(write(path, list(GIVEN.items()), zipfile.ZIP_LZMA), NAMES)


def directory_entry(content: bytes, name: bytes) -> int:
    """Return where the directory's entry of a member begins."""
    at = content.index(b"PK\x01\x02")
    while content[at + 46 : at + 46 + len(name)] != name:
        at = content.index(b"PK\x01\x02", at + 1)
    return at


def declare(path: Path, name: bytes, size: int, *, local: bool = True) -> None:
    """Let the headers of a member tell another size than it has."""
    content = bytearray(path.read_bytes())
    entry = directory_entry(bytes(content), name)
    struct.pack_into("<L", content, entry + 24, size)
    if local:
        (offset,) = struct.unpack_from("<L", content, entry + 42)
        struct.pack_into("<L", content, offset + 22, size)
    path.write_bytes(bytes(content))


def test_a_member_that_declares_too_much_is_refused_unread(path: Path) -> None:
    write(path, list(GIVEN.items()), zipfile.ZIP_DEFLATED)
    declare(path, b"b", 4_000_000_000)
    with pytest.raises(DataError, match=r"'b' declares 4,000,000,000 bytes; expected at most 67,108,864"):
        read_archive(path, NAMES)


def test_a_member_that_declares_ten_gigabytes_is_refused_unread(path: Path) -> None:
    info = zipfile.ZipInfo("b")
    write(path, [("a", b"1"), (info, b"2")])
    content = bytearray(path.read_bytes())
    entry = directory_entry(bytes(content), b"b")
    struct.pack_into("<L", content, entry + 24, 0xFFFFFFFF)
    struct.pack_into("<H", content, entry + 30, 12)  # sizes of more than 32 bits stand in an extra field
    extra = struct.pack("<HHQ", 1, 8, 10_000_000_000)
    content[entry + 47 : entry + 47] = extra
    end = content.index(b"PK\x05\x06")
    (size,) = struct.unpack_from("<L", content, end + 12)
    struct.pack_into("<L", content, end + 12, size + len(extra))
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"'b' declares 10,000,000,000 bytes; expected at most 67,108,864"):
        read_archive(path, NAMES)


def test_all_members_together_are_limited(path: Path) -> None:
    names = frozenset("abcde")
    write(path, [(name, b"x" * 1000) for name in sorted(names)])
    for name in sorted(names):
        declare(path, name.encode(), MOST_MEMBER_BYTES)
    content = bytearray(path.read_bytes())
    for name in sorted(names):  # as if they were stored: the ratio is not what is refused
        struct.pack_into("<L", content, directory_entry(bytes(content), name.encode()) + 20, MOST_MEMBER_BYTES)
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"declares 335,544,320 bytes in all; expected at most 209,715,200"):
        read_archive(path, names)


def test_a_bomb_is_refused_by_its_ratio(path: Path) -> None:
    write(path, [("a", b"1"), ("b", bytes(50 << 20))], zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match=r"'b' declares 52,428,800 bytes in [\d,]+; expected at most 100 times"):
        read_archive(path, NAMES)


def test_a_bomb_in_a_bomb_is_refused_by_its_ratio(path: Path, tmp_path: Path) -> None:
    inner = write(tmp_path / "inner.zip", [("x", bytes(30 << 20))], zipfile.ZIP_DEFLATED).read_bytes()
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_STORED) as archive:
        for at in range(200):
            archive.writestr(f"{at}", inner)
    write(path, [("a", b"1"), ("b", outer.getvalue())], zipfile.ZIP_DEFLATED)
    with pytest.raises(DataError, match=r"'b' declares [\d,]+ bytes in [\d,]+; expected at most 100 times"):
        read_archive(path, NAMES)


@pytest.mark.parametrize("size", [10, 60_000_000])
def test_a_header_that_lies_about_the_size_is_caught(path: Path, size: int) -> None:
    write(
        path, [("a", b"1"), ("b", bytes(range(256)) * 4000)], zipfile.ZIP_STORED if size > 10 else zipfile.ZIP_DEFLATED
    )
    declare(path, b"b", size)
    with pytest.raises(DataError, match=rf"'?`?b'?`? (is not the {size:,} bytes|has [\d,]+ bytes|declares {size:,})"):
        read_archive(path, NAMES)


def test_what_its_header_hides_is_not_read(path: Path) -> None:
    """A member of 50 MB that declares ten bytes: no more than a piece of it is ever decompressed."""
    write(path, [("a", b"1"), ("b", bytes(50 << 20))], zipfile.ZIP_DEFLATED)
    declare(path, b"b", 10)
    with pytest.raises(DataError, match=r"`b` is not the 10 bytes that its header declares: Bad CRC-32"):
        read_archive(path, NAMES)


def test_a_changed_byte_is_caught(path: Path) -> None:
    write(path, list(GIVEN.items()))
    path.write_bytes(path.read_bytes().replace(b"alpha", b"alphb"))
    with pytest.raises(DataError, match=r"`a` is not the 5 bytes that its header declares: Bad CRC-32"):
        read_archive(path, NAMES)


def test_every_cut_is_refused(path: Path) -> None:
    content = write(path, list(GIVEN.items())).read_bytes()
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"Bundle `.*given.zip` (is no zip file|does not end as)"):
            read_archive(path, NAMES)


def test_a_comment_and_a_huge_directory_are_refused(path: Path) -> None:
    content = write(path, list(GIVEN.items())).read_bytes()
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"hello"
    with pytest.raises(DataError, match=r"does not end as a zip file does"):
        read_archive(path, NAMES)
    path.write_bytes(content[:-22] + b"PK\x06\x07" + bytes(16) + content[-22:])
    with pytest.raises(DataError, match=r"format for huge files"):
        read_archive(path, NAMES)
    write(path, [(f"{at:060}", b"") for at in range(1000)])
    with pytest.raises(DataError, match=r"has a directory of 1\d\d,\d\d\d bytes"):
        read_archive(path, NAMES)


def test_a_file_that_is_too_large_is_not_opened(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(DataError, match=r"has 209,715,201 bytes; expected at most 209,715,200"):
        read_archive(path, NAMES)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read: No such file"):
        read_archive(tmp_path / "nothing.zip", NAMES)
    with pytest.raises(DataError, match=r"is no file; expected a file"):
        read_archive(tmp_path, NAMES)


def test_an_encrypted_member_is_refused(path: Path) -> None:
    content = bytearray(write(path, list(GIVEN.items())).read_bytes())
    content[directory_entry(bytes(content), b"a") + 8] |= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"'a' is encrypted"):
        read_archive(path, NAMES)
