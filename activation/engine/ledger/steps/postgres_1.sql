-- The ledger: what was tried and what came of it. An intent is written before a call and its outcome after; an intent without an
-- outcome is `unknown`.

create table plans (
    plan_hash text primary key, ref text not null, file text not null, created_at text not null, counts text not null
);

create table runs (
    run_id text primary key, ref text not null, kind text not null, destination text not null, channel text not null,
    plan_hash text not null, status text not null check (status in ('delivering', 'delivered', 'settled')),
    result text not null default 'running', as_of text not null, started_at text not null, finished_at text,
    overridden_by text, override_reason text
);
create index runs_by_ref on runs (ref, status);

-- One run of a sync at a time. `token` grows with every holder: who holds an older one writes nothing any more.
create table leases (
    ref text primary key, token bigint not null, holder text not null, run_id text, expires_at double precision not null
);

-- One row per plan row that was tried by itself. `outcome` is null between intent and answer.
create table deliveries (
    run_id text not null, row_number bigint not null, batch bigint not null, attempt bigint not null, intended_at double precision not null,
    outcome text, code text, reason text, provider_id text, answered_at double precision,
    primary key (run_id, row_number)
) with (fillfactor = 70);

-- One row per message ever intended: who may not get it again.
create table messages (
    message_id text primary key, ref text not null, profile_id text, channel text not null, purpose text not null, run_id text not null,
    state text not null check (state in ('intended', 'sent', 'rejected', 'unknown')), intended_at double precision not null, as_of text not null
) with (fillfactor = 80);
create index messages_by_run on messages (run_id);

create table buckets (name text primary key, tokens double precision not null, updated_at double precision not null);

create table circuits (destination text primary key, open_until double precision not null, code text not null, reason text not null);
