-- What the destination acknowledged becomes the state; of what may have arrived the state says that it is not known.
delete from activation.sync_snapshot
where ref = $ref and key in (
    select key from outcomes
    where key is not null and (
        outcome = 'sent' or (outcome = 'skipped' and reason_code = 'ALREADY_SENT') or (outcome = 'unknown' and $holds)
        or reason_code in ('HELD', 'QUIET_HOURS_DROPPED')
        or (outcome = 'unknown' and $is_sync and operation = 'add')
        -- What is not there any more need not be removed again.
        or (operation = 'remove' and outcome = 'skipped' and reason_code = 'NO_MATCH')
    )
);

insert into activation.sync_snapshot
select
    $ref, key,
    case when outcome = 'unknown' and $is_sync then null else hash end,
    case when outcome = 'unknown' and $is_sync then 'uncertain' else hash_version end, payload, match_value, profile_id, provider_id, $now, $run_id,
    case
        when outcome = 'withheld' then 'dropped'
        when outcome = 'unknown' and $is_sync then 'unconfirmed'
        when outcome = 'unknown' then 'held'
        else 'acknowledged'
    end
from outcomes
where operation <> 'remove' and key is not null and (
    outcome = 'sent' or (outcome = 'skipped' and reason_code = 'ALREADY_SENT') or (outcome = 'unknown' and $holds)
    or reason_code in ('HELD', 'QUIET_HOURS_DROPPED')
    or (outcome = 'unknown' and $is_sync and operation = 'add')
);
