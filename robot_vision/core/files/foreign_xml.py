"""Untrusted XML within limits: no document types, and so no custom entities.

The standard library's expat, since defusedxml has had no release since 2021. The dangers of XML
start with a document type: entities that expand to gigabytes or name files.
"""

from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers.expat import ExpatError, ParserCreate

from robot_vision.core.errors import ForeignFileError
from robot_vision.core.files.foreign import read_text

MOST_XML_BYTES = 16 * 2**20
_DEEPEST = 32


def read_xml(path: Path, *, most_bytes: int = MOST_XML_BYTES) -> Element:
    """The root element of an XML file; raises `ForeignFileError` naming the file and the fault."""
    return parse_xml(read_text(path, most_bytes=most_bytes), what=str(path))


def parse_xml(text: str, *, what: str) -> Element:
    """The root element of XML; raises `ForeignFileError` naming `what` and the fault."""
    builder, depth = TreeBuilder(), 0
    parser = ParserCreate(encoding="utf-8")
    parser.buffer_text = True

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise ForeignFileError(f"{what}: XML is nested deeper than {_DEEPEST} elements")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(name: str, *_: object) -> None:
        raise ForeignFileError(
            f"{what}: XML with a document type ({name[:40]!r}), which is not read; remove it"
        )

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        # Re-encoded: text has no byte order mark and may declare another encoding.
        parser.Parse(text.encode("utf-8"), True)
    except (ExpatError, UnicodeEncodeError) as error:
        raise ForeignFileError(f"{what}: expected XML, but {error}") from error
    return builder.close()
