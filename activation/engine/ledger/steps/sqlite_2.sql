-- Lots: many rows that leave in one call, in one line. A row with an answer of its own stands in `deliveries` and wins.
create table lots (
    run_id text not null, batch integer not null, first_row integer not null, last_row integer not null, rows integer not null,
    intended_at real not null, outcome text, code text, reason text, answered_at real,
    primary key (run_id, batch)
) strict, without rowid;

-- Messages in the order they came, found by id and by run: ids are random, and a table in their order is written all over.
create table messages_in_order (
    message_id text primary key, ref text not null, profile_id text, channel text not null, purpose text not null, run_id text not null,
    state text not null check (state in ('intended', 'sent', 'rejected', 'unknown')), intended_at real not null, as_of text not null
) strict;
insert into messages_in_order select * from messages order by intended_at;
drop table messages;
alter table messages_in_order rename to messages;
create index messages_by_run on messages (run_id);
