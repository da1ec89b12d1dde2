{%- do have_columns({'identifier_key': 'bigint', '_rules': 'varchar', '_named_at': 'timestamp', '_judged_at': 'timestamp', '_linked_at': 'timestamp'}) -%}
{%- set rules = own_words() -%}
{%- set named_since = taken_up_to(ref('bridge_profile_identifiers'), '_named_at', rules=rules, leave=false) -%}
{%- set judged_since = taken_up_to(ref('int_identity_edges_judged'), '_judged_at', leave=false) -%}
{%- set linked_since = taken_up_to(ref('int_identity_links'), '_linked_at', leave=false) -%}
{%- set since = named_since and judged_since and linked_since -%}
{%- set changed -%}
    select identifier_key from {{ ref('bridge_profile_identifiers') }} where _written_at > {{ named_since }}
    {%- for relation, taken in [(ref('int_identity_edges_judged'), judged_since), (ref('int_identity_links'), linked_since)] %}
    union select left_key from {{ relation }} where _written_at > {{ taken }}
    union select right_key from {{ relation }} where _written_at > {{ taken }}
    {%- endfor %}
    -- what is junk by now belongs to nobody
    union select identifier_key from {{ this }} where identifier_key not in (select identifier_key from {{ ref('bridge_profile_identifiers') }})
{%- endset -%}
{%- set wanted = made_again('identifier_key', since, changed) -%}

with identifiers as (
    select * from {{ ref('bridge_profile_identifiers') }}
    -- the identifier that landed first still gives the person its id
    where own_profile_id <> profile_id and {{ wanted }}
),

edges as (
    select * from {{ ref('int_identity_edges') }}
),

ties as (
    select left_key as identifier_key, right_key as other_key, rule, evidence, first_seen_at from edges
    where left_key in (select identifier_key from identifiers)
    union all
    select right_key, left_key, rule, evidence, first_seen_at from edges
    where right_key in (select identifier_key from identifiers)
),

first_ties as (
    select
        identifier_key,
        arg_min(struct_pack(rule := rule, evidence := evidence), (first_seen_at, rule, other_key, evidence)) as tie,
        min(first_seen_at) as merged_at
    from ties
    group by identifier_key
)

select
    identifiers.own_profile_id as previous_id,
    identifiers.profile_id,
    first_ties.tie.rule as rule,
    first_ties.tie.evidence as edge,
    first_ties.merged_at,
    identifiers.identifier_key,
    '{{ rules }}' as _rules,
    {{ come_to(ref('bridge_profile_identifiers')) }} as _named_at,
    {{ come_to(ref('int_identity_edges_judged')) }} as _judged_at,
    {{ come_to(ref('int_identity_links')) }} as _linked_at
from identifiers
join first_ties using (identifier_key)
