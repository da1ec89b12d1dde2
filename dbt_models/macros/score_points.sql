{#
A select of what every rule of behaviour gave every person at a `moment` (a timestamp): profile_id, model, rule_group, rule, group_cap,
occurrences, points before the group's cap, last_event_at, evidence. The moment may lie in the past: what happened after its day is not seen.
`mine` is a condition on profile_id; `days` the rows of int_score_days to read, where they lie ready (their_days).

    points = Σ over days of least(occurrences, daily_cap) · weight · decay(age in days) · value_multiplier
#}
{% macro score_points(moment, mine, days=none) %}
    {%- set day = "cast(" ~ moment ~ " as date)" %}
    select
        days.profile_id,
        rules.model,
        rules.rule_group,
        rules.rule,
        rules.group_cap,
        sum(days.occurrences) as occurrences,
        sum({{ points_of_day(day) }}) as points,
        max(days.last_event_at) as last_event_at,
        max_by(days.evidence, days.last_event_at) as evidence
    from {{ days or ref('int_score_days') }} as days
    join {{ ref('int_score_rules') }} as rules using (model, rule)
    where days.event_date <= {{ day }} and {{ mine }}
    group by days.profile_id, rules.model, rules.rule_group, rules.rule, rules.group_cap
    union all
    {{ inactivity_points(moment, mine, days) }}
{% endmacro %}

{# What a row of `days` is worth by its row of `rules` on a later day. #}
{% macro points_of_day(day) -%}
    least(days.occurrences, coalesce(rules.daily_cap, days.occurrences))
    * rules.weight
    * days.value_multiplier
    * {{ decay('rules.decay', "date_diff('day', days.event_date, " ~ day ~ ")", 'rules.decay_days', 'rules.decay_loss') }}
{%- endmacro %}

{# A select in the columns of `score_points`: doing nothing for long enough is a rule as well. #}
{% macro inactivity_points(moment, mine, days=none) %}
    select
        active.profile_id, rules.model, rules.rule_group, rules.rule, rules.group_cap, 1 as occurrences, rules.weight as points,
        active.last_event_at, null as evidence
    from (
        select profile_id, model, max(last_event_at) as last_event_at
        from {{ days or ref('int_score_days') }}
        where event_date <= cast({{ moment }} as date) and {{ mine }} and model in (select model from {{ ref('int_score_rules') }} where kind = 'inactivity')
        group by profile_id, model
    ) as active
    join {{ ref('int_score_rules') }} as rules
        on active.model = rules.model
        and rules.kind = 'inactivity'
        and active.last_event_at < {{ moment }} - rules.decay_days * interval '1 day'
{% endmacro %}

{#
The days of those whom `redo` (changed_events) names, read once: what a score is made of, and the columns in `also`. None where that is everybody.
#}
{% macro their_days(redo, also=[]) -%}
    {%- if not redo.is_part -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set columns = ['profile_id', 'model', 'rule', 'event_date', 'occurrences', 'value_multiplier', 'last_event_at'] + also -%}
    {%- do create_temporary(model.name ~ '_days', 'select ' ~ columns | join(', ') ~ ' from ' ~ ref('int_score_days') ~ ' where ' ~ redo.mine) -%}
    {{ return(model.name ~ '_days') }}
{%- endmacro %}

{#
Who begins to count as inactive in the course of the day that the build speaks about, or did in that of a day so many `days_before`: within
the day it is the only thing that changes a score by itself.
#}
{% macro turning_inactive(days_before) -%}
    select days.profile_id
    from {{ ref('int_score_days') }} as days
    join (
        {%- for before in days_before %}
        {{ 'union all' if not loop.first }}
        select model, cast(cast({{ as_of() }} - interval '{{ before }} days' as date) as timestamp) - decay_days * interval '1 day' as since
        from {{ ref('int_score_rules') }}
        where kind = 'inactivity'
        {%- endfor %}
    ) as turning
        on days.model = turning.model
        -- reckoned from the rule back and not from every day on, of which there are millions
        and days.last_event_at >= turning.since
        and days.last_event_at < turning.since + interval '1 day'
{%- endmacro %}

{#
A select of the score of every model of behaviour at several `moments` (name: timestamp) in one pass over the days: profile_id, model, and
a column of each name, null where nothing had happened by then. A group counts up to its cap. `mine` and `days` as above.
#}
{% macro score_totals(moments, mine, days=none) %}
    select
        profile_id,
        model
        {%- for name in moments %},
        case when count({{ name }}) > 0 then greatest(round(sum(case when {{ name }} > group_cap then group_cap else {{ name }} end), 2), 0) end as {{ name }}
        {%- endfor %}
    from (
        select profile_id, model, rule_group, group_cap {%- for name in moments %}, sum({{ name }}) as {{ name }} {%- endfor %}
        from (
            select
                days.profile_id,
                rules.model,
                rules.rule_group,
                rules.group_cap
                {%- for name, moment in moments.items() %}
                {%- set day = "cast(" ~ moment ~ " as date)" %},
                case when days.event_date <= {{ day }} then {{ points_of_day(day) }} end as {{ name }}
                {%- endfor %}
            from {{ days or ref('int_score_days') }} as days
            join {{ ref('int_score_rules') }} as rules using (model, rule)
            where {{ mine }}
            {%- for of_rules, of_moment in moments.items() %}
            union all
            select
                profile_id, model, rule_group, group_cap
                {%- for name in moments %}, {{ 'points' if name == of_rules else 'null' }} {%- endfor %}
            from ({{ inactivity_points(of_moment, mine, days) }}) as inactive
            {%- endfor %}
        ) as points
        group by profile_id, model, rule_group, group_cap
    ) as grouped
    group by profile_id, model
{% endmacro %}
