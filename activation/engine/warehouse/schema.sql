-- What Sluice itself keeps in the warehouse. Everything here may be run again at any time.
-- `raw` is what landed, as it came; `activation` is what left, and what became of it. dbt reads both as sources.

create schema if not exists raw;
create schema if not exists activation;
create sequence if not exists raw.batch_numbers;

-- Lines that could not land, with where they stood and why.
create table if not exists raw.quarantine (
    _source varchar, _batch_id varchar, _file varchar, _line bigint, reason varchar, content varchar, _landed_at timestamp
);

-- Files that landed, by content and by how they were read, so that the same file is not read twice.
create table if not exists raw.files (
    _source varchar, file varchar, sha256 varchar, declared varchar, bytes bigint, rows bigint, landed bigint, duplicates bigint, quarantined bigint,
    _batch_id varchar, _landed_at timestamp
);

-- Every field ever seen in a source, with its type. A field that changes type has two rows.
create table if not exists raw.fields (
    _source varchar, field varchar, type varchar, first_seen_at timestamp, first_batch_id varchar
);

-- One row per run of a sync or send.
create table if not exists activation.sync_runs (
    run_id varchar primary key, ref varchar, kind varchar, destination varchar, channel varchar, plan_hash varchar,
    started_at timestamp, finished_at timestamp, status varchar, as_of timestamp,
    planned bigint, sent bigint, rejected bigint, withheld bigint, unknown bigint, skipped bigint, invalid bigint,
    add_planned bigint, add_attempted bigint, add_succeeded bigint, add_failed bigint,
    change_planned bigint, change_attempted bigint, change_succeeded bigint, change_failed bigint,
    remove_planned bigint, remove_attempted bigint, remove_succeeded bigint, remove_failed bigint,
    overridden_by varchar, override_reason varchar
);

-- One row per row of every plan: what was to happen and the one outcome it had.
create table if not exists activation.sync_changelog (
    -- the same words again and again, and others: told so, DuckDB does not try out every compression, which takes time and memory
    run_id varchar using compression 'dict_fsst', ref varchar using compression 'dict_fsst', kind varchar using compression 'dict_fsst',
    destination varchar using compression 'dict_fsst', channel varchar using compression 'dict_fsst', purpose varchar using compression 'dict_fsst',
    row_number bigint, key varchar using compression 'zstd', profile_id varchar using compression 'zstd', operation varchar using compression 'dict_fsst',
    outcome varchar using compression 'dict_fsst', reason_code varchar using compression 'dict_fsst', reason varchar using compression 'dict_fsst',
    message_id varchar using compression 'zstd', provider_id varchar using compression 'zstd', recorded_at timestamp
);

-- One row per sync and key: what the destination last acknowledged. Sends keep one row per person who got, or may have got, the message.
create table if not exists activation.sync_snapshot (
    ref varchar using compression 'dict_fsst', key varchar using compression 'zstd',
    -- fingerprint of what was acknowledged, and how it was made; `uncertain`: nobody knows what the destination holds
    hash ubigint, hash_version varchar using compression 'dict_fsst', payload varchar using compression 'zstd', match_value varchar using compression 'zstd',
    profile_id varchar using compression 'zstd', provider_id varchar using compression 'zstd', acknowledged_at timestamp, run_id varchar using compression 'dict_fsst',
    -- acknowledged (without a hash: a later change may have arrived); unconfirmed: a record that may be there, planned again;
    -- held: a message that may have arrived, not repeated; dropped: not to be sent any more;
    -- merged: of a sync, the record of a profile that was found to be another's, to be removed; of a send, who had it under another id
    state varchar using compression 'dict_fsst'
);

-- One row per person and holdout or experiment: the arm that was drawn when the person was first asked about, never drawn again.
create table if not exists activation.assignments (
    name varchar, profile_id varchar, arm varchar, assigned_at timestamp, run_id varchar
);

-- One row per sync and key whose last attempt failed: how often, since when, why, and what would be acknowledged had it arrived.
create table if not exists activation.sync_failures (
    ref varchar, key varchar, attempts bigint, first_failed_at timestamp, last_failed_at timestamp, code varchar, reason varchar,
    -- failing: planned again; dead: failed too often, not planned until it changes; discarded: a person said that it never leaves
    state varchar,
    run_id varchar, outcome varchar, operation varchar, fingerprint varchar, hash ubigint, hash_version varchar, payload varchar,
    match_value varchar, profile_id varchar, provider_id varchar, message_id varchar
);

-- One row per sync and mapped column: the type it had when the sync last ran.
create table if not exists activation.sync_columns (ref varchar, column_name varchar, type varchar);

-- One row per decision of a person about a held message or a dead row.
create table if not exists activation.sync_decisions (
    ref varchar, key varchar, message_id varchar, run_id varchar, state varchar, decision varchar, decided_by varchar, why varchar,
    decided_at timestamp
);

-- One row per person that was forgotten: that it was done, by whom and why, and nothing by which the person could be known.
create table if not exists activation.erasures (
    erasure_id varchar, erased_at timestamp, erased_by varchar, why varchar,
    -- HMAC of the identifier that was named, with the project's key: whoever has both can tell that it was this person
    identifier_hash varchar,
    -- JSON: rows by place; outcome by sync
    counts varchar, destinations varchar
);

create or replace view activation.sync_rejections as
select * from activation.sync_changelog where outcome in ('rejected', 'invalid');

create or replace view activation.sends as
select * from activation.sync_runs where kind = 'send';

create or replace view activation.deliveries as
select * from activation.sync_changelog where message_id is not null;
