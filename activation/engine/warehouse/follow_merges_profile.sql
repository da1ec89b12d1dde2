-- The state of a sync that is keyed by something else only says whose each row is.
update activation.sync_snapshot as state
set profile_id = merges_now.profile_id
from merges_now
where state.ref = $ref and state.profile_id = merges_now.previous_id;
