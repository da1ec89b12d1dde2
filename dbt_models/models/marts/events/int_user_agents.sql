with user_agents as (
    select distinct user_agent from {{ ref('int_events') }}
    where user_agent is not null
),

patterns as (
    select * from {{ ref('bot_user_agents') }}
)

select
    user_agents.user_agent,
    count(patterns.pattern) > 0 as is_bot,
    min(patterns.reason) as reason
from user_agents
left join patterns on regexp_matches(lower(user_agents.user_agent), patterns.pattern)
group by user_agents.user_agent
