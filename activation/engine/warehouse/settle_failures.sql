-- How often each row has failed. A run counts once, however often it is settled; a row that looks otherwise than when it failed begins anew.
delete from activation.sync_failures
where ref = $ref and key in (
    select key from outcomes where outcome = 'sent' or (outcome = 'skipped' and reason_code in ('ALREADY_SENT', 'NO_MATCH'))
);

create or replace temporary table failures_now as
select
    o.key, o.operation, md5(concat_ws('|', p.operation, coalesce(p.match_value, '∅'), coalesce(p.payload, '∅'))) as fingerprint,
    o.hash, o.hash_version, o.payload, o.match_value, o.profile_id, o.provider_id, o.message_id, o.outcome, o.reason_code, o.reason
from outcomes as o
join read_parquet($plan) as p using (row_number)
-- A record without an answer failed; a message without one is held. What a crash cut off is not the row's fault.
where o.key is not null and (o.outcome = 'rejected' or ($is_sync and o.outcome = 'unknown' and o.reason_code <> 'INTERRUPTED'));

create or replace temporary table failures_counted as
select
    n.*,
    case when b.fingerprint is distinct from n.fingerprint then 1 when b.run_id = $run_id then b.attempts else b.attempts + 1 end as attempts,
    case when b.fingerprint is distinct from n.fingerprint then $now else b.first_failed_at end as first_failed_at
from failures_now as n
left join (select * from activation.sync_failures where ref = $ref) as b using (key);

delete from activation.sync_failures where ref = $ref and key in (select key from failures_now);

insert into activation.sync_failures
select
    $ref, key, attempts, first_failed_at, $now, reason_code, reason,
    case when attempts >= $max_attempts or $now >= first_failed_at + to_seconds($max_age_seconds) and attempts > 1 then 'dead' else 'failing' end,
    $run_id, outcome, operation, fingerprint, hash, hash_version, payload, match_value, profile_id, provider_id, message_id
from failures_counted;
