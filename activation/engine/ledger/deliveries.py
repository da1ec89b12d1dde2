"""Intents and outcomes inside one transaction. A message is claimed by its id before it leaves, so it cannot leave twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from activation.engine.ledger.entries import Entry, Intent, LotIntent, LotRecorded, Recorded
from activation.engine.ledger.store import Statement, Transaction

CLAIM = Statement(
    "insert into messages values (?, ?, ?, ?, ?, ?, 'intended', ?, ?) on conflict (message_id) do nothing",
    "insert into messages select a, b, c, d, e, f, 'intended', g, h from unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::text[], "
    "?::text[], ?::double precision[], ?::text[]) as t(a, b, c, d, e, f, g, h) on conflict (message_id) do nothing",
)
SEEN = Statement(
    "select message_id, state, run_id, intended_at from messages where message_id in (select value from json_each(?)) "
    "and not (run_id = ? and state = 'intended')",
    "select message_id, state, run_id, intended_at from messages where message_id = any(?::text[]) "
    "and not (run_id = ? and state = 'intended') order by message_id for update",
)
# The vendor's window for repeats runs from the first intent.
CLAIM_AGAIN = Statement(
    "update messages set state = 'intended', run_id = ?, as_of = ?, intended_at = case state when 'rejected' then ? else intended_at end "
    "where message_id = ?",
    "update messages m set state = 'intended', run_id = t.a, as_of = t.b, intended_at = case m.state when 'rejected' then t.c else m.intended_at end "
    "from unnest(?::text[], ?::text[], ?::double precision[], ?::text[]) as t(a, b, c, d) where m.message_id = t.d",
)
INTEND = Statement(
    "insert into deliveries (run_id, row_number, batch, attempt, intended_at) values (?, ?, ?, 1, ?) on conflict (run_id, row_number) "
    "do update set attempt = deliveries.attempt + 1, batch = excluded.batch, intended_at = excluded.intended_at",
    "insert into deliveries (run_id, row_number, batch, attempt, intended_at) select a, b, c, 1, d from unnest(?::text[], ?::bigint[], "
    "?::bigint[], ?::double precision[]) as t(a, b, c, d) on conflict (run_id, row_number) "
    "do update set attempt = deliveries.attempt + 1, batch = excluded.batch, intended_at = excluded.intended_at",
)
# A row that left in a lot gets its line when it gets an answer of its own; its batch is that of the lot whose rows it is among.
ANSWER = Statement(
    "insert into deliveries (run_id, row_number, outcome, code, reason, provider_id, answered_at, intended_at, batch, attempt) "
    "values (?, ?, ?, ?, ?, ?, ?, ?, -1, 1) on conflict (run_id, row_number) do update set outcome = excluded.outcome, code = excluded.code, "
    "reason = excluded.reason, provider_id = excluded.provider_id, answered_at = excluded.answered_at",
    "insert into deliveries (run_id, row_number, outcome, code, reason, provider_id, answered_at, intended_at, batch, attempt) "
    "select a, b, c, d, e, f, g, h, -1, 1 from unnest(?::text[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[], ?::double precision[], "
    "?::double precision[]) as t(a, b, c, d, e, f, g, h) on conflict (run_id, row_number) do update set outcome = excluded.outcome, "
    "code = excluded.code, reason = excluded.reason, provider_id = excluded.provider_id, answered_at = excluded.answered_at",
)
MARK = Statement(
    "update messages set state = ? where message_id = ? and run_id = ?",
    "update messages m set state = t.a from unnest(?::text[], ?::text[], ?::text[]) as t(a, b, c) where m.message_id = t.b and m.run_id = t.c",
)
SETTLE = Statement(
    "update messages set state = ? where message_id = ?",
    "update messages m set state = t.a from unnest(?::text[], ?::text[]) as t(a, b) where m.message_id = t.b",
)
FORGET = Statement("delete from messages where message_id = ?", "delete from messages where message_id = any(?::text[])")
BLANK = Statement(
    "update deliveries set provider_id = null, reason = null where run_id = ? and row_number = ?",
    "update deliveries d set provider_id = null, reason = null from unnest(?::text[], ?::bigint[]) as t(a, b) where d.run_id = t.a and d.row_number = t.b",
)
INTEND_LOT = Statement(
    "insert into lots (run_id, batch, first_row, last_row, rows, intended_at) values (?, ?, ?, ?, ?, ?) on conflict (run_id, batch) do nothing",
    "insert into lots (run_id, batch, first_row, last_row, rows, intended_at) select * from unnest(?::text[], ?::bigint[], ?::bigint[], "
    "?::bigint[], ?::bigint[], ?::double precision[]) on conflict (run_id, batch) do nothing",
)
ANSWER_LOT = Statement(
    "update lots set outcome = ?, code = ?, reason = ?, answered_at = ? where run_id = ? and batch = ?",
    "update lots l set outcome = t.a, code = t.b, reason = t.c, answered_at = t.d from unnest(?::text[], ?::text[], ?::text[], "
    "?::double precision[], ?::text[], ?::bigint[]) as t(a, b, c, d, e, f) where l.run_id = t.e and l.batch = t.f",
)
INTERRUPTED = "outcome = 'unknown', code = 'INTERRUPTED', reason = 'The process ended between the request and its answer.', answered_at = ?"


def write(db: Transaction, run: Mapping[str, str], entries: Sequence[Entry]) -> dict[int, Recorded]:
    """Write intents and outcomes. Rows that must not leave come back with their outcome: a message that was sent, or may have been.

    Outcomes of rows intended earlier are written first, so that a claim sees them; those of rows intended just here come last.
    """
    now = db.now
    intents = [item for item in entries if isinstance(item, Intent)]
    outcomes = [item for item in entries if isinstance(item, Recorded)]
    begun = {intent.row_number for intent in intents} if outcomes else set()
    _record(db, run["run_id"], [item for item in outcomes if item.row_number not in begun], now)
    refused = _intend(db, run, intents, now) if intents else {}
    _record(db, run["run_id"], [item for item in outcomes if item.row_number in begun], now)
    _lots(db, run["run_id"], entries, now)
    return refused


def _intend(db: Transaction, run: Mapping[str, str], intents: Sequence[Intent], now: float) -> dict[int, Recorded]:
    run_id = run["run_id"]
    refused = _claim(db, run, [intent for intent in intents if intent.message_id is not None], now)
    rows = {intent.row_number: (run_id, intent.row_number, intent.batch, now) for intent in intents}
    db.many(INTEND, list(rows.values()))
    _record(db, run_id, list(refused.values()), now)
    return refused


def _claim(db: Transaction, run: Mapping[str, str], intents: Sequence[Intent], now: float) -> dict[int, Recorded]:
    """Claim messages for this run; the refusals of those that must not leave."""
    if not intents:
        return {}
    ref, run_id, channel, purpose, as_of = run["ref"], run["run_id"], run["channel"], run["purpose"], run["as_of"]
    claims = {i.message_id: (i.message_id, ref, i.profile_id, channel, purpose, run_id, now, as_of) for i in intents}
    # In the order of their ids, so that two that claim the same messages never wait for each other.
    ids = sorted(id for id in claims if id is not None)
    if db.many(CLAIM, [claims[id] for id in ids]) == len(ids):
        return {}
    seen = {row["message_id"]: row for row in db.among(SEEN, ids, (run_id,))}
    refused: dict[int, Recorded] = {}
    for intent in intents:
        row = seen.get(intent.message_id)
        if row is None or row["state"] == "rejected":
            continue
        if row["state"] == "sent":
            refused[intent.row_number] = Recorded(
                intent.row_number, "skipped", "ALREADY_SENT", "This message was sent in an earlier run.", None, intent.message_id
            )
        # Without a window no clock is asked: another's claim may be younger than this moment.
        elif intent.resend_within <= 0 or now - row["intended_at"] >= intent.resend_within:
            refused[intent.row_number] = Recorded(
                intent.row_number, "unknown", "HELD", "An earlier attempt may have arrived; it is not repeated.", None, intent.message_id
            )
    free = seen.keys() - {refusal.message_id for refusal in refused.values()}
    db.many(CLAIM_AGAIN, [(run_id, as_of, now, id) for id in sorted(free)])
    return refused


def _record(db: Transaction, run_id: str, outcomes: Sequence[Recorded], now: float) -> None:
    if not outcomes:
        return
    rows = {o.row_number: (run_id, o.row_number, o.outcome, o.code, _text(o.reason), o.provider_id, now, now) for o in outcomes}
    db.many(ANSWER, list(rows.values()))
    states = {o.message_id: (_state(o), o.message_id, run_id) for o in outcomes if o.message_id is not None and _state(o)}
    if states:
        db.many(MARK, list(states.values()))


def _text(said: str) -> str:
    """What a vendor said, in characters that a database takes."""
    return said.replace("\0", "\ufffd").encode("utf-8", "replace").decode() if said else said


def _state(outcome: Recorded) -> str | None:
    """What an outcome says of its message; nothing where the message was not this run's to send."""
    if outcome.code in {"ALREADY_SENT", "HELD"}:
        return None
    # A message that surely did not leave (skipped) may be claimed again.
    return {"sent": "sent", "rejected": "rejected", "unknown": "unknown", "skipped": "rejected"}.get(outcome.outcome)


def _lots(db: Transaction, run_id: str, entries: Sequence[Entry], now: float) -> None:
    intents = [(run_id, e.batch, e.first_row, e.last_row, e.rows, now) for e in entries if isinstance(e, LotIntent)]
    if intents:
        db.many(INTEND_LOT, intents)
    answers = [(e.outcome, e.code, _text(e.reason), now, run_id, e.batch) for e in entries if isinstance(e, LotRecorded)]
    if answers:
        db.many(ANSWER_LOT, answers)


def close_interrupted(db: Transaction, run_id: str) -> int:
    """Everything of a dead run that has no outcome is `unknown`. Returns how many rows that are."""
    now = db.now
    db.execute("update messages set state = 'unknown' where run_id = ? and state = 'intended'", (run_id,))
    closed = db.execute(f"update deliveries set {INTERRUPTED} where run_id = ? and outcome is null", (now, run_id))
    open_lots = db.rows("select coalesce(sum(rows), 0) from lots where run_id = ? and outcome is null", (run_id,))[0][0]
    answered = db.rows(
        "select count(*) from lots l join deliveries d on d.run_id = l.run_id and d.row_number between l.first_row and l.last_row "
        "where l.run_id = ? and l.outcome is null",
        (run_id,),
    )[0][0]
    db.execute(f"update lots set {INTERRUPTED} where run_id = ? and outcome is null", (now, run_id))
    return int(closed + open_lots - answered)
