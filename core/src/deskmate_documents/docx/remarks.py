"""Comments on a Word document: new ones at words, answers in their thread, threads settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deskmate.errors import ToolInputError
from deskmate_documents.docx.commenting import CommentWriter
from deskmate_documents.docx.cutting import cut
from deskmate_documents.docx.marking import Marker
from deskmate_documents.docx.reading import open_body
from deskmate_documents.docx.wml import accepted_text, body_paragraphs
from deskmate_documents.opc import Element, Package


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A comment to make. `paragraph` and `find`: where a new one goes, `find` "" for the whole paragraph.

    `reply_to`: id of the comment that it answers instead. `resolve`: settles that thread; then `text` may be empty.
    """

    text: str = ""
    paragraph: int = 0
    find: str = ""
    reply_to: str = ""
    resolve: bool = False


def add_remarks(
    source: Path, target: Path, remarks: Sequence[Remark], *, author: str, date: str
) -> int:
    """Write `source` with comments; the text and everybody's changes and comments stay. Returns how many.

    Raises:
        ToolInputError: the source cannot be read, or a remark has no place or no text; nothing is written then.
    """
    package = Package(source)
    main, root = open_body(package)
    marker = Marker([root], author, date)
    comments = CommentWriter(package, main, root, marker)
    paragraphs = body_paragraphs(root)
    for number, remark in enumerate(remarks, 1):
        if not (remark.text.strip() or (remark.reply_to and remark.resolve)):
            raise ToolInputError(f"Remark {number} has no text.")
        if remark.reply_to:
            if remark.text.strip():
                comments.reply(remark.reply_to, remark.text)
            if remark.resolve:
                comments.resolve(remark.reply_to)
        else:
            comments.add(_runs(paragraphs, remark, number), remark.text)
    package.write_xml(main, root)
    comments.save()
    package.save(target)
    return len(remarks)


def _runs(paragraphs: Sequence[Element], remark: Remark, number: int) -> list[Element]:
    """Return the runs that hold the words which a remark is about."""
    if not 1 <= remark.paragraph <= len(paragraphs):
        raise ToolInputError(
            f"Remark {number}: there is no paragraph {remark.paragraph}; the document has {len(paragraphs)}."
        )
    paragraph = paragraphs[remark.paragraph - 1]
    text = accepted_text(paragraph)
    count = text.count(remark.find) if remark.find else 1
    if count != 1 or not text:
        found = (
            "does not occur" if count == 0 else f"occurs {count} times" if text else "has no words"
        )
        raise ToolInputError(
            f"Remark {number}: {remark.find[:80]!r} {found} in paragraph {remark.paragraph}, "
            f"which reads {text[:160]!r}."
        )
    start = text.index(remark.find) if remark.find else 0
    end = start + len(remark.find) if remark.find else len(text)
    runs = [
        segment.run
        for segment in cut(paragraph, (start, end))
        if segment.start < end and segment.end > start
    ]
    if not runs:
        raise ToolInputError(f"Remark {number}: its words are not in ordinary text.")
    return runs
