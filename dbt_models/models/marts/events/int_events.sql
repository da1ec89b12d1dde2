{%- set feeds = {
    'web': ['web'], 'messages': ['mail', 'sms', 'wechat_jobs', 'tracking'], 'wechat': ['wechat'], 'wecom': ['wecom'], 'forms': ['forms'],
    'webinar': ['webinar'], 'offline': ['offline'], 'shop': ['shop'], 'crm': ['crm'], 'opportunities': ['opportunities'],
    'olist': ['olist'], 'chat': ['chat']
} -%}
{%- set taken = batches_taken() -%}
{#- As in int_identity_observations. -#}
{%- set landed = {'web': ref('stg_web__events')} -%}
{%- set relations = [] -%}
{%- for feed in feeds -%}{%- do relations.append(ref('int_events__' ~ feed)) -%}{%- endfor -%}
{%- do find_spans('occurred_at', relations) -%}

with events as (
    {% for feed, sources in feeds.items() %}{% for source in sources %}
    select *
    from {{ ref('int_events__' ~ feed) }}
    where source = '{{ source }}' and {{ unseen_batches(landed.get(feed) or ref('int_events__' ~ feed), source, taken) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}{{ 'union all' if not loop.last }}
    {% endfor %}
),

blocked as (
    select identifier_type, identifier from {{ ref('int_identifiers_observed') }}
    where blocked_reason is not null
),

identifiers as (
    select
        keys.*
    from {{ ref('int_identifiers') }} as keys
    left join blocked using (identifier_type, identifier)
    -- where the stronger one is junk, the device still says who it was
    where blocked.identifier is null
)

select
    {%- for column in event_column_types() if column not in ('identifier_type', 'identifier', 'anonymous_id') %}
    events.{{ column }},
    {%- endfor %}
    coalesce(named.identifier_key, device.identifier_key) as identifier_key,
    device.identifier_key as device_key
from events
left join identifiers as named
    on events.identifier_type = named.identifier_type
    and events.identifier = named.identifier
left join identifiers as device
    on device.identifier_type = 'anonymous_id'
    and events.anonymous_id = device.identifier
{% if is_added_to() -%}
order by events.occurred_at
{%- endif %}
