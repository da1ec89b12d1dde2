{#- A tag may end, and what was said by hand begin, without any event; and what has ended has not yet at an earlier moment. -#}
{%- set redo = changed_events(
    'profile_id',
    as_of_now=true,
    rules=[ref('tag_manual')],
    settings=[times_gone_back()],
    upstream=[ref('int_tag_matches')],
    also="
        select profile_id from " ~ this ~ " where expires_at <= " ~ as_of() ~ " or kind = 'manual'
        union select identifiers.profile_id
        from " ~ ref('tag_manual') ~ " as manual
        join " ~ ref('bridge_profile_identifiers') ~ " as identifiers using (identifier_type, identifier)"
) -%}

with matches as (
    select
        *,
        row_number() over (partition by profile_id, kind, rule, tag order by occurred_at, event_id) as occurrence
    from {{ ref('int_tag_matches') }}
    where {{ redo.mine }}
),

-- a moment counts when the event `min_count - 1` before it is still inside the window
qualified as (
    select latest.*
    from matches as latest
    join matches as earliest
        on latest.profile_id = earliest.profile_id
        and latest.kind = earliest.kind
        and latest.rule = earliest.rule
        and latest.tag = earliest.tag
        and earliest.occurrence = latest.occurrence - latest.min_count + 1
    where latest.occurred_at <= earliest.occurred_at + latest.window_days * interval '1 day'
),

earned as (
    select
        profile_id,
        tag,
        max_by(kind, (occurred_at, event_id, rule)) as kind,
        max_by(rule, (occurred_at, event_id, rule)) as rule,
        max_by(event_id || coalesce(' (' || term || ')', ''), (occurred_at, event_id, rule)) as evidence,
        min(occurred_at) as first_seen_at,
        max(occurred_at) as last_seen_at,
        max(occurred_at + ttl_days * interval '1 day') as expires_at
    from qualified
    group by profile_id, tag
),

-- what a person said by hand is over every rule, until it expires
said as (
    select
        identifiers.profile_id,
        manual.tag,
        max_by(manual.action, (manual.said_at, manual.action)) as action,
        max_by(coalesce(manual.said_by, ''), (manual.said_at, manual.action)) as said_by,
        min(manual.said_at) as first_seen_at,
        max(manual.said_at) as last_seen_at,
        max_by(coalesce(manual.expires_at, timestamp '9999-12-31'), (manual.said_at, manual.action)) as expires_at
    from {{ ref('tag_manual') }} as manual
    join {{ ref('bridge_profile_identifiers') }} as identifiers using (identifier_type, identifier)
    where {{ redo.mine }} and manual.said_at <= {{ as_of() }} and coalesce(manual.expires_at > {{ as_of() }}, true)
    group by identifiers.profile_id, manual.tag
),

assigned as (
    select earned.*
    from earned
    left join said using (profile_id, tag)
    -- interest that was not renewed wears off
    where earned.expires_at > {{ as_of() }} and said.tag is null
    union all
    select profile_id, tag, 'manual', 'manual', 'said by ' || said_by, first_seen_at, last_seen_at, nullif(expires_at, timestamp '9999-12-31')
    from said
    where action = 'give'
)

select
    profile_id || ':' || tag as profile_tag_id,
    profile_id,
    tag,
    split_part(tag, ':', 1) as dimension,
    kind,
    rule,
    evidence,
    first_seen_at,
    last_seen_at,
    expires_at,
    {{ redo.stamp }}
from assigned
