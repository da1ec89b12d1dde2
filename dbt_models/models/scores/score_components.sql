with points as (
    {{ score_points(as_of()) }}
    union all
    select
        attributes.profile_id, rules.model, rules.rule_group, rules.rule, rules.group_cap, 1, rules.weight, null, attributes.evidence
    from {{ ref('int_score_attributes') }} as attributes
    join {{ ref('int_score_rules') }} as rules using (model, rule)
),

-- what a group has over its cap is taken from its rules in proportion, so that the components add up to the score
shares as (
    select profile_id, model, rule_group, max(group_cap) / sum(points) as share
    from points
    where group_cap is not null
    group by profile_id, model, rule_group
    having sum(points) > max(group_cap)
)

select
    points.model || ':' || points.profile_id || ':' || points.rule as component_id,
    points.model,
    points.profile_id,
    points.rule_group,
    points.rule,
    points.occurrences,
    points.points,
    points.points * coalesce(shares.share, 1.0) as counted_points,
    points.last_event_at,
    points.evidence
from points
left join shares using (profile_id, model, rule_group)
