-- every build adds who came and who went since the one before it
with members as (
    select * from {{ ref('segment_members') }}
),

merges as (
    select * from {{ ref('profile_merges') }}
),

before as (
    {% if is_incremental() %}
    select
        segment,
        profile_id,
        reason,
        change_number
    from {{ this }}
    qualify row_number() over (partition by segment, profile_id order by change_number desc) = 1 and change = 'enter'
    {% else %}
    select
        cast(null as varchar) as segment, cast(null as varchar) as profile_id, cast(null as varchar) as reason, cast(null as bigint) as change_number
    where false
    {% endif %}
),

entered as (
    select
        members.segment,
        members.profile_id,
        'enter' as change,
        case when merged.segment is null then members.reason else 'was in it under the id ' || merged.previous_id end as reason,
        merged.segment is not null as is_merge
    from members
    left join before using (segment, profile_id)
    left join (
        select before.segment, merges.profile_id, min(merges.previous_id) as previous_id
        from before
        join merges on before.profile_id = merges.previous_id
        group by before.segment, merges.profile_id
    ) as merged using (segment, profile_id)
    where before.segment is null
),

left_it as (
    select
        before.segment,
        before.profile_id,
        'exit' as change,
        coalesce('is one person with ' || merges.profile_id, 'no longer: ' || before.reason, 'no longer in it') as reason,
        merges.profile_id is not null as is_merge
    from before
    left join members using (segment, profile_id)
    left join (select distinct previous_id, profile_id from merges) as merges on before.profile_id = merges.previous_id
    where members.segment is null
),

changes as (
    select * from entered
    union all
    select * from left_it
)

select
    {% if is_incremental() %}(select coalesce(max(change_number), 0) from {{ this }}) + {% endif %}
    row_number() over (order by segment, change, profile_id) as change_number,
    *,
    {{ as_of() }} as changed_at,
    '{{ invocation_id }}' as run_id
from changes
{% if is_incremental() %}
-- a build about the past tells nothing new
where {{ as_of() }} >= (select coalesce(max(changed_at), {{ as_of() }}) from {{ this }})
{% endif %}
