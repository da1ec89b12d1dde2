-- What the destination acknowledged becomes the state; nothing else does.
delete from activation.sync_snapshot
where ref = $ref and key in (
    select key from outcomes
    where (outcome = 'sent' or (outcome = 'skipped' and reason_code = 'ALREADY_SENT') or (outcome = 'unknown' and $holds)
        or reason_code in ('HELD', 'QUIET_HOURS_DROPPED')
        -- What is not there any more need not be removed again.
        or (operation = 'remove' and outcome = 'skipped' and reason_code = 'NO_MATCH')) and key is not null
);

insert into activation.sync_snapshot
select
    $ref, key, hash, $hash_version, payload, match_value, profile_id, provider_id, $now, $run_id,
    case when outcome = 'withheld' then 'dropped' when outcome = 'unknown' then 'held' else 'acknowledged' end
from outcomes
where operation <> 'remove' and key is not null and (
    outcome = 'sent' or (outcome = 'skipped' and reason_code = 'ALREADY_SENT') or (outcome = 'unknown' and $holds)
    or reason_code in ('HELD', 'QUIET_HOURS_DROPPED')
);
