-- The state of a sync that is keyed by profile_id follows the merges of `merges_now`. May be run again at any time.

-- Every row of the state of a person who was known by another id; the first `place` is the record that goes on being theirs: the one
-- that today's source row addresses, else today's own, else the one acknowledged last.
create or replace temporary table merge_members as
with people as (
    select distinct merges_now.profile_id as person
    from activation.sync_snapshot as state
    join merges_now on state.key = merges_now.previous_id
    where state.ref = $ref
),

ids as (
    select person, person as id from people
    union all
    select people.person, merges_now.previous_id from merges_now join people on merges_now.profile_id = people.person
),

today as (
    select key, any_value(match_value) as match_value from source_matches where key in (select person from people) group by key
)

select
    ids.person,
    state.key as old_key,
    lower(state.match_value) as record,
    state.provider_id,
    state.state,
    lower(today.match_value) as wanted,
    row_number() over (
        partition by ids.person
        order by
            coalesce(lower(state.match_value) = lower(today.match_value), false) desc,
            state.key = ids.person desc,
            state.state = 'acknowledged' desc,
            state.acknowledged_at desc,
            state.key
    ) as place
from activation.sync_snapshot as state
join ids on state.key = ids.id
left join today on ids.person = today.key
where state.ref = $ref and state.state <> 'merged';

-- Who goes on: moved to the id of today. Where the record cannot become today's (another one is addressed, and this one is to be taken away)
-- nobody does, and today's is added anew.
create or replace temporary table merge_survivors as
select person, old_key, record, provider_id
from merge_members
where place = 1 and (old_key = person or wanted is null or record = wanted or $on_merged = 'nothing');

-- The others' records stay in the state as `merged` until they are removed over there; where nothing is to be done, or it is one record, not at all.
create or replace temporary table merge_losers as
select
    members.person,
    members.old_key,
    -- today's own row makes room for the one that goes on
    case when members.old_key = members.person then survivors.old_key else members.old_key end as new_key,
    $on_merged <> 'nothing'
    and members.state in ('acknowledged', 'unconfirmed')
    and members.record is not null
    and row_number() over (partition by members.record order by members.place, members.old_key) = 1 as is_removed
from merge_members as members
left join merge_survivors as survivors using (person)
where survivors.old_key is distinct from members.old_key;

delete from activation.sync_snapshot as state
using merge_losers as losers
where state.ref = $ref and state.key = losers.old_key and state.state <> 'merged' and not losers.is_removed;

create or replace temporary table merge_moves as
select old_key, person as new_key, person, null as new_state from merge_survivors where old_key <> person
union all
select old_key, new_key, person, 'merged' from merge_losers where is_removed;

update activation.sync_snapshot as state
set
    key = moves.new_key,
    profile_id = moves.person,
    state = coalesce(moves.new_state, state.state),
    -- Compared anew by what it holds, unless nobody knows that.
    hash_version = case when state.hash_version = 'uncertain' then 'uncertain' else 'rekeyed' end,
    hash = null
from merge_moves as moves
where state.ref = $ref and state.key = moves.old_key and state.state <> 'merged';

-- People who were parted again: their record may still be there.
update activation.sync_snapshot
set state = 'unconfirmed', hash = null, hash_version = 'uncertain', profile_id = key
where ref = $ref and state = 'merged' and key not in (select previous_id from merges_now);

-- Nobody's record of today is ever removed because it was somebody else's too.
delete from activation.sync_snapshot as state
where
    state.ref = $ref
    and state.state = 'merged'
    and (
        $on_merged = 'nothing'
        or lower(state.match_value) in (select lower(match_value) from source_matches where match_value is not null)
        or exists (
            from activation.sync_snapshot as other
            where
                other.ref = $ref
                and other.state <> 'merged'
                and (lower(other.match_value) = lower(state.match_value) or other.provider_id = state.provider_id)
        )
    );
