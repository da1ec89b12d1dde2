-- how large each segment was after every build that changed it
with changes as (
    select * from {{ ref('segment_changes') }}
),

builds as (
    select
        segment,
        run_id,
        max(changed_at) as changed_at,
        max(change_number) as change_number,
        count(*) filter (where change = 'enter') as entered,
        count(*) filter (where change = 'exit') as exited
    from changes
    group by segment, run_id
)

select
    segment || ':' || run_id as segment_size_id,
    segment,
    run_id,
    changed_at,
    entered,
    exited,
    cast(sum(entered - exited) over (partition by segment order by change_number) as bigint) as members
from builds
