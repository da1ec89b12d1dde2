with reasons as (
    select * from {{ ref('int_suppression_reasons') }}
),

ranked as (
    select
        *,
        row_number() over (partition by profile_id, channel, reason order by since, evidence) as place
    from reasons
)

select
    profile_id || ':' || channel || ':' || reason as suppression_id,
    profile_id,
    channel,
    reason,
    scope,
    since,
    evidence
from ranked
where place = 1
