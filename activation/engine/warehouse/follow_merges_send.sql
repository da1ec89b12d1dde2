-- The state of a send follows the merges of `merges_now`. May be run again at any time.
-- Rows are never moved: an id that had the message keeps its row, so that parting the people again sends it to neither. The person of
-- today gets a row of state `merged`, which says that the message went to an id they had before.

-- A message that was released (it surely did not arrive) is due again.
delete from activation.sync_snapshot as derived
where
    derived.ref = $ref
    and derived.state = 'merged'
    and not exists (
        from activation.sync_snapshot as origin
        where
            origin.ref = $ref
            and origin.state <> 'merged'
            and origin.run_id = derived.run_id
            and origin.match_value is not distinct from derived.match_value
    );

insert into activation.sync_snapshot
select
    state.ref, merges_now.profile_id as key, state.hash, state.hash_version, state.payload, state.match_value, merges_now.profile_id, state.provider_id,
    state.acknowledged_at, state.run_id, 'merged'
from activation.sync_snapshot as state
join merges_now on state.key = merges_now.previous_id
where
    state.ref = $ref
    and state.state <> 'merged'
    and merges_now.profile_id not in (select key from activation.sync_snapshot where ref = $ref)
qualify
    row_number() over (
        partition by merges_now.profile_id
        order by case state.state when 'acknowledged' then 1 when 'held' then 2 else 3 end, state.acknowledged_at, state.key
    ) = 1;

update activation.sync_snapshot as state
set profile_id = merges_now.profile_id
from merges_now
where state.ref = $ref and state.key = merges_now.previous_id and state.profile_id is distinct from merges_now.profile_id;
