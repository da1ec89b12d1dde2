{%- do say_when_written() -%}
{#- What is known of a person changes without any event. -#}
{%- set facts -%}
    select attributes.profile_id, attributes.model, attributes.rule, attributes.evidence
    from {{ ref('int_score_attributes') }} as attributes
{%- endset -%}
{%- set facts_before -%}
    select profile_id, model, rule, evidence from {{ this }}
    where (model, rule) in (select (model, rule) from {{ ref('int_score_rules') }} where kind = 'attribute')
{%- endset -%}
{%- set redo = changed_events(
    'profile_id',
    as_of_now=true,
    rules=[ref('int_score_rules')],
    settings=[as_of_day()],
    upstream=[ref('int_score_days')],
    also=turning_inactive([0]) ~ "
        union select profile_id from (" ~ facts ~ " except " ~ facts_before ~ ") as new_facts
        union select profile_id from (" ~ facts_before ~ " except " ~ facts ~ ") as old_facts"
) -%}

with points as (
    {{ score_points(as_of(), redo.mine, their_days(redo, ['evidence'])) }}
    union all
    select
        attributes.profile_id, rules.model, rules.rule_group, rules.rule, rules.group_cap, 1, rules.weight, null, attributes.evidence
    from {{ ref('int_score_attributes') }} as attributes
    join {{ ref('int_score_rules') }} as rules using (model, rule)
    where {{ redo.mine }}
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
    points.evidence,
    {{ redo.stamp }},
    {{ written_at() }} as _written_at
from points
left join shares using (profile_id, model, rule_group)
