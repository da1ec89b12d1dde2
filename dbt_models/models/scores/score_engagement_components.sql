with days as (
    select * from {{ ref('int_score_days') }}
    where model = 'engagement'
),

rules as (
    select * from {{ ref('score_rules') }}
    where model = 'engagement'
),

groups as (
    select * from {{ ref('score_groups') }}
    where model = 'engagement'
),

last_activity as (
    select
        profile_id,
        max(last_event_at) as last_event_at
    from days
    group by profile_id
),

points as (
    select
        days.profile_id,
        rules.rule_group,
        rules.rule,
        sum(days.occurrences) as occurrences,
        sum(
            least(days.occurrences, rules.daily_cap)
            * rules.weight
            * days.value_multiplier
            * {{ decay('rules.decay', "date_diff('day', days.event_date, cast(" ~ as_of() ~ " as date))", 'rules.decay_days', 'rules.decay_loss') }}
        ) as points,
        max(days.last_event_at) as last_event_at,
        max_by(days.evidence, days.last_event_at) as evidence
    from days
    join rules using (rule)
    group by days.profile_id, rules.rule_group, rules.rule
    union all
    -- doing nothing for long enough is a rule as well
    select
        last_activity.profile_id, rules.rule_group, rules.rule, 1, rules.weight, last_activity.last_event_at, null
    from last_activity
    join rules
        on rules.kind = 'inactivity'
        and last_activity.last_event_at < {{ as_of() }} - rules.decay_days * interval '1 day'
),

grouped as (
    select
        points.*,
        groups.group_cap,
        sum(points.points) over (partition by points.profile_id, points.rule_group) as group_points
    from points
    join groups using (rule_group)
)

select
    profile_id || ':' || rule as component_id,
    profile_id,
    'engagement' as model,
    rule_group,
    rule,
    occurrences,
    points,
    -- what a group has over its cap is taken from its rules in proportion, so that the components add up to the score
    points * case when group_points > group_cap then group_cap / group_points else 1.0 end as counted_points,
    last_event_at,
    evidence
from grouped
