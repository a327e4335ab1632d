"""Pictures and documents inside JSON: `data:` URLs, and words in place of what cannot be sent."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64

from pointsman.wire.translate.conversation import File, Image, Part, Text

LEFT_OUT_IMAGE = "[an image was left out here: it is kept by another provider]"
LEFT_OUT_FILE = "[a file was left out here: it is kept by another provider or cannot be read by this one]"


def data_url(media_type: str | None, data: str) -> str:
    """Bytes in base64 as a URL (RFC 2397)."""
    return f"data:{'application/octet-stream' if media_type is None else media_type};base64,{data}"


def split_data_url(url: str) -> tuple[str, str] | None:
    """Media type and base64 of a `data:` URL, None for any other URL."""
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return None
    return head[len("data:") : -len(";base64")].partition(";")[0], data


def image_of(url: str, *, detail: str | None = None) -> Image:
    """The picture at a URL, or in it."""
    split = split_data_url(url)
    if split is None:
        return Image(url=url, detail=detail)
    return Image(media_type=split[0], data=split[1], detail=detail)


def file_of(file_data: str, name: str | None) -> File:
    """The document in `file_data`: a `data:` URL, or bare base64 of a PDF; a text is unpacked."""
    split = split_data_url(file_data)
    if split is None:
        return File(name=name, media_type="application/pdf", data=file_data)
    if split[0].startswith("text/") or split[0] == "application/json":
        try:
            return File(name=name, media_type=split[0], text=b64decode(split[1], validate=True).decode())
        except (NotBase64, UnicodeDecodeError):
            pass
    return File(name=name, media_type=split[0], data=split[1])


def plain(parts: list[Part]) -> str:
    """The words of parts, joined by line ends; pictures and files give none."""
    return "\n".join(
        part.text
        for part in parts
        if (isinstance(part, Text) or (isinstance(part, File) and part.text is not None)) and part.text
    )
