{%- set sources = observation_sources() -%}
{%- set identifiers = identifier_slots() | map(attribute='column') | join(', ') -%}
{%- set taken = batches_taken() -%}
{#- Which batches there are is told by the large table itself, at a fraction of what asking for what is read out of it costs. -#}
{%- set landed = {'web': ref('stg_web__events')} -%}

with observed as (
    {% for source in sources %}
    select
        source,
        rule,
        {{ identifiers }},
        min(evidence) as evidence,
        min(observed_at) as first_seen_at,
        max(observed_at) as last_seen_at,
        count(*) as observations,
        min(_landed_at) as _landed_at,
        _batch_id
    from {{ ref('int_observations__' ~ source) }}
    where
        {{ unseen_batches(landed.get(source) or ref('int_observations__' ~ source), source, taken) }}
        -- a message without any identifier is about nobody
        and coalesce({{ identifiers }}) is not null
    group by source, rule, {{ identifiers }}, _batch_id
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    *,
    {{ written_at() }} as _written_at
from observed
