{#
A select of what every rule of behaviour gave every person at a `moment` (a timestamp): profile_id, model, rule_group, rule, group_cap,
occurrences, points before the group's cap, last_event_at, evidence. The moment may lie in the past: what happened after its day is not seen.

    points = Σ over days of least(occurrences, daily_cap) · weight · decay(age in days) · value_multiplier
#}
{% macro score_points(moment) %}
    {%- set day = "cast(" ~ moment ~ " as date)" %}
    select
        days.profile_id,
        rules.model,
        rules.rule_group,
        rules.rule,
        rules.group_cap,
        sum(days.occurrences) as occurrences,
        sum(
            least(days.occurrences, coalesce(rules.daily_cap, days.occurrences))
            * rules.weight
            * days.value_multiplier
            * {{ decay('rules.decay', "date_diff('day', days.event_date, " ~ day ~ ")", 'rules.decay_days', 'rules.decay_loss') }}
        ) as points,
        max(days.last_event_at) as last_event_at,
        max_by(days.evidence, days.last_event_at) as evidence
    from {{ ref('int_score_days') }} as days
    join {{ ref('int_score_rules') }} as rules using (model, rule)
    where days.event_date <= {{ day }}
    group by days.profile_id, rules.model, rules.rule_group, rules.rule, rules.group_cap
    union all
    -- doing nothing for long enough is a rule as well
    select
        active.profile_id, rules.model, rules.rule_group, rules.rule, rules.group_cap, 1, rules.weight, active.last_event_at, null
    from (
        select profile_id, model, max(last_event_at) as last_event_at
        from {{ ref('int_score_days') }}
        where event_date <= {{ day }}
        group by profile_id, model
    ) as active
    join {{ ref('int_score_rules') }} as rules
        on active.model = rules.model
        and rules.kind = 'inactivity'
        and active.last_event_at < {{ moment }} - rules.decay_days * interval '1 day'
{% endmacro %}

{# What a group has over its cap is taken from its rules in proportion, so that the components add up to the score. `points` is the relation to read. #}
{% macro counted_points() -%}
    points * case
        when group_cap is not null and sum(points) over (partition by profile_id, model, rule_group) > group_cap
            then group_cap / sum(points) over (partition by profile_id, model, rule_group)
        else 1.0
    end
{%- endmacro %}

{# A select of the score of every model of behaviour at a moment: profile_id, model, score. #}
{% macro score_totals(moment) %}
    select profile_id, model, greatest(round(sum(counted_points), 2), 0) as score
    from (
        select profile_id, model, {{ counted_points() }} as counted_points
        from ({{ score_points(moment) }}) as points
    ) as components
    group by profile_id, model
{% endmacro %}
