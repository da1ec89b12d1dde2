with members as (
    select * from {{ ref('segment_members') }}
),

sizes as (
    select segment, count(*) as members
    from members
    group by segment
),

in_both as (
    select
        members.segment,
        other.segment as other_segment,
        count(*) as people
    from members
    join members as other using (profile_id)
    group by members.segment, other.segment
)

select
    one.segment || ':' || other.segment as segment_overlap_id,
    one.segment,
    other.segment as other_segment,
    one.members,
    coalesce(in_both.people, 0) as people,
    coalesce(in_both.people, 0) / one.members as share
from sizes as one
cross join sizes as other
left join in_both
    on one.segment = in_both.segment
    and other.segment = in_both.other_segment
