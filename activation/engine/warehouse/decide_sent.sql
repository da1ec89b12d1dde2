-- Of `chosen`: the state is what it would be, had the destination acknowledged it.
update activation.sync_snapshot set state = 'acknowledged', acknowledged_at = $now
where ref = $ref and state in ('held', 'dropped') and key in (select key from chosen where not is_failure);

delete from activation.sync_snapshot where ref = $ref and key in (select key from chosen where is_failure);

insert into activation.sync_snapshot
select ref, key, hash, hash_version, payload, match_value, profile_id, provider_id, $now, run_id, 'acknowledged'
from activation.sync_failures
where ref = $ref and operation <> 'remove' and key in (select key from chosen where is_failure);

delete from activation.sync_failures where ref = $ref and key in (select key from chosen where is_failure);
