"""A key's terms and the configured defaults."""

from __future__ import annotations

from dataclasses import fields

from pointsman.vocabulary import KeyTerms


def merged(own: KeyTerms, defaults: KeyTerms) -> KeyTerms:
    """A key's own terms, with the defaults where it has none."""
    return KeyTerms(
        **{
            each.name: getattr(own if getattr(own, each.name) is not None else defaults, each.name)
            for each in fields(KeyTerms)
        }
    )
