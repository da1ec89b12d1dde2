{%- set since = taken_up_to(ref('int_identity_edges_judged')) -%}
{%- set never = manual_pairs('never', ref('identity_manual_pairs'), ref('int_identifiers')) -%}
{%- set changed = links_to_compare(since, never, ref('int_identity_edges_judged')) -%}

with links as (
    {{ identity_links('(select left_key, right_key, strength from ' ~ ref('int_identity_edges_judged') ~ ' where dropped_reason is null) as edges', never, changed) }}
)

select
    *,
    (select count(*) from ({{ never }}) as never) as _parted,
    {{ come_to(ref('int_identity_edges_judged')) }} as _taken_at,
    {{ written_at() }} as _written_at
from links
