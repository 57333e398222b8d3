"""A mail: its subject, text and HTML. Mail programs know tables and inline styles."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from opseer_common.rendering import Line
from opseer_notifier.domain.letter import Letter, Section, shortened
from opseer_notifier.domain.renderers.plain import plain

_SUBJECT = 150
_FONT = "font-family:-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif"
_COLOURS = {"good": "#1a7f37", "bad": "#b42318", "even": "#57606a"}
_CELL = "padding:6px 12px 6px 0;border-bottom:1px solid #e5e7eb"
_LABEL = "font-weight:400;white-space:nowrap"


@dataclass(frozen=True, slots=True)
class Mail:
    """The parts of a mail; the first two are plain text."""

    subject: str
    text: str
    html: str


def mail(letter: Letter, unsubscribe_url: str | None = None) -> Mail:
    """Return the letter as a mail, with a link that ends such mails."""
    subject = " · ".join(part for part in (letter.title, letter.subtitle) if part)
    one_line = " ".join(subject.split())
    return Mail(
        subject=shortened(one_line, _SUBJECT),
        text=plain(letter) + _text_foot(unsubscribe_url),
        html=_html(letter, unsubscribe_url),
    )


def _text_foot(unsubscribe_url: str | None) -> str:
    return f"\nNo more of these: {unsubscribe_url}\n" if unsubscribe_url else ""


def _html(letter: Letter, unsubscribe_url: str | None) -> str:
    """Return a page that needs nothing from elsewhere."""
    parts = [
        f'<h1 style="font-size:20px;margin:0 0 4px">{escape(letter.title)}</h1>',
        f'<p style="margin:0 0 16px;color:#57606a">{escape(letter.subtitle)}</p>',
    ]
    if letter.intro:
        words = escape(letter.intro).replace("\n", "<br>")
        parts.append(f'<p style="margin:0 0 16px">{words}</p>')
    parts += [_section(section) for section in letter.sections]
    if letter.url:
        link = escape(letter.url)
        parts.append(f'<p style="margin:16px 0 0"><a href="{link}">Open Opseer</a></p>')
    if unsubscribe_url:
        link = escape(unsubscribe_url)
        parts.append(
            '<p style="margin:24px 0 0;font-size:12px;color:#57606a">'
            f'<a href="{link}">No more of these mails</a></p>'
        )
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(letter.title)}</title></head>\n"
        f'<body style="margin:0;padding:24px;{_FONT};color:#1f2328">\n'
        f"{body}\n</body></html>\n"
    )


def _section(section: Section) -> str:
    rows = "".join(_row(row) for row in section.rows)
    table = (
        '<table role="presentation" cellspacing="0" style="border-collapse:collapse;'
        f'font-size:14px;margin:0 0 16px">\n{rows}</table>'
    )
    heading = (
        f'<h2 style="font-size:16px;margin:16px 0 4px">{escape(section.heading)}</h2>'
    )
    note = (
        f'<p style="font-size:12px;color:#57606a">{escape(section.footnote)}</p>'
        if section.footnote
        else ""
    )
    return f"{heading}\n{table}{note}"


def _row(row: Line) -> str:
    colour = _COLOURS[row.mood]
    return (
        f'<tr><th align="left" scope="row" style="{_CELL};{_LABEL}">'
        f"{escape(row.label)}</th>"
        f'<td align="right" style="{_CELL};font-weight:600">{escape(row.value)}</td>'
        f'<td style="{_CELL};color:{colour}">{escape(row.note)}</td></tr>\n'
    )
