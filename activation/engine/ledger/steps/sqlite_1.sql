-- The ledger: what was tried and what came of it. A transactional database apart from the warehouse, small, and never lost.
-- An intent is written before a call and its outcome after; an intent without an outcome is `unknown`.

create table if not exists plans (
    plan_hash text primary key, ref text not null, file text not null, created_at text not null, counts text not null
) strict;

create table if not exists runs (
    run_id text primary key, ref text not null, kind text not null, destination text not null, channel text not null,
    plan_hash text not null, status text not null check (status in ('delivering', 'delivered', 'settled')),
    result text not null default 'running', as_of text not null, started_at text not null, finished_at text,
    overridden_by text, override_reason text
) strict;
create index if not exists runs_by_ref on runs (ref, status);

-- One run of a sync at a time. `token` grows with every holder: who holds an older one writes nothing any more.
create table if not exists leases (
    ref text primary key, token integer not null, holder text not null, run_id text, expires_at real not null
) strict;

-- One row per plan row that was tried. `outcome` is null between intent and answer.
create table if not exists deliveries (
    run_id text not null, row_number integer not null, batch integer not null, attempt integer not null, intended_at real not null,
    outcome text, code text, reason text, provider_id text, answered_at real,
    primary key (run_id, row_number)
) strict, without rowid;

-- One row per message ever intended: who may not get it again.
create table if not exists messages (
    message_id text primary key, ref text not null, profile_id text, channel text not null, purpose text not null, run_id text not null,
    state text not null check (state in ('intended', 'sent', 'rejected', 'unknown')), intended_at real not null, as_of text not null
) strict, without rowid;
create index if not exists messages_by_profile on messages (profile_id, as_of);

create table if not exists buckets (name text primary key, tokens real not null, updated_at real not null) strict;

create table if not exists circuits (destination text primary key, open_until real not null, code text not null, reason text not null) strict;
