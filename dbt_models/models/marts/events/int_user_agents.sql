with user_agents as (
    select distinct user_agent from {{ ref('int_event_counts') }}
    where user_agent is not null
),

classified as (
    select
        user_agent,
        {{ reason_by_pattern(ref('bot_user_agents'), 'lower(user_agent)') }} as reason
    from user_agents
)

select
    user_agent,
    reason is not null as is_bot,
    reason
from classified
