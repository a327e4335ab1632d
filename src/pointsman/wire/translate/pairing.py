"""Every call with its result right behind it, as all providers demand, whatever a client's history looks like."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

from pointsman.wire.translate.conversation import Call, Message, Part, Result, Text
from pointsman.wire.translate.media import plain
from pointsman.wire.translate.names import safe

NO_RESULT = "(no result)"


def paired(messages: Sequence[Message]) -> list[Message]:
    """The turns in which each turn with calls is followed by one that begins with all their results, in order.

    Ids are made such as every provider takes, and unique. A call that was never answered gets an error as its result;
    a result without a call becomes words. Turns of one role that follow each other become one.
    """
    waiting: dict[str, deque[Result]] = defaultdict(deque)
    n_calls: dict[str, int] = defaultdict(int)
    for message in messages:
        for part in message.parts:
            if isinstance(part, Result):
                waiting[part.call_id].append(part)
            elif isinstance(part, Call):
                n_calls[part.id] += 1
    taken: dict[str, int] = defaultdict(int)
    out: list[Message] = []
    for message in messages:
        kept: list[Part] = []
        results: list[Part] = []
        for part in message.parts:
            if isinstance(part, Call):
                n = taken[part.id] = taken[part.id] + 1
                unique = safe(part.id if n == 1 else f"{part.id}_{n}")
                kept.append(Call(unique, part.name, part.arguments, part.cache))
                results.append(_result(unique, waiting[part.id]))
            elif isinstance(part, Result):
                if n_calls[part.call_id] == 0:
                    kept.append(Text(f"Result of a tool called earlier: {plain(part.parts)}"))
            else:
                kept.append(part)
        _add(out, message.role, kept)
        _add(out, "user", results)
    return out


def _result(call_id: str, found: deque[Result]) -> Result:
    if not found:
        return Result(call_id, [Text(NO_RESULT)], is_error=True)
    first = found.popleft()
    return Result(call_id, first.parts, first.is_error, first.cache)


def _add(out: list[Message], role: str, parts: list[Part]) -> None:
    if not parts:
        return
    if out and out[-1].role == role and role != "system":
        out[-1].parts += parts
    else:
        out.append(Message(role, parts))
