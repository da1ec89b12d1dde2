with points as (
    {{ score_points(as_of()) }}
    union all
    select
        attributes.profile_id, rules.model, rules.rule_group, rules.rule, rules.group_cap, 1, rules.weight, null, attributes.evidence
    from {{ ref('int_score_attributes') }} as attributes
    join {{ ref('int_score_rules') }} as rules using (model, rule)
)

select
    model || ':' || profile_id || ':' || rule as component_id,
    model,
    profile_id,
    rule_group,
    rule,
    occurrences,
    points,
    {{ counted_points() }} as counted_points,
    last_event_at,
    evidence
from points
