-- who is tied to more others of one type than may be, before it is asked which of those are one
with edges as (
    select * from {{ ref('int_identity_edges_observed') }}
    where blocked_reason is null
),

rules as (
    select * from {{ ref('identity_rules') }}
),

types as (
    {% for type in identifier_types() %}
    select '{{ type }}' as type
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

limits as (
    select
        one.type as identifier_type,
        other.type as partner_type,
        stated.max_partners,
        stated.drops,
        -- the row that names both types wins, then the one that names the identifier's
        row_number() over (
            partition by one.type, other.type
            order by (stated.identifier_type = '*')::int * 2 + (stated.partner_type = '*')::int
        ) as precedence
    from types as one
    cross join types as other
    join {{ ref('identity_partner_limits') }} as stated
        on stated.identifier_type in ('*', one.type)
        and stated.partner_type in ('*', other.type)
),

-- what statements about identity join, counts as one partner
joined as (
    {{ connected_components(
        '(select left_key, right_key from ' ~ ref('int_identity_edges_observed') ~ ' as edges join ' ~ ref('identity_rules')
        ~ ' as rules on edges.rule = rules.rule where not rules.counts_partners and edges.blocked_reason is null union all '
        ~ 'select left_key, right_key from (' ~ manual_pairs('same', ref('identity_manual_pairs'), ref('int_identifiers')) ~ ') as decided) as statements'
    ) }}
),

directed as (
    select edges.left_key as identifier_key, edges.left_type as identifier_type, edges.right_key as partner_key, edges.right_type as partner_type
    from edges
    join rules using (rule)
    -- a rule that is a statement about identity itself is believed, however many it joins
    where rules.counts_partners
    union all
    select edges.right_key, edges.right_type, edges.left_key, edges.left_type
    from edges
    join rules using (rule)
    where rules.counts_partners
),

many as (
    select
        directed.identifier_key,
        directed.partner_type,
        max(directed.identifier_type) as identifier_type,
        max(limits.max_partners) as max_partners,
        max(limits.drops) as drops
    from directed
    join limits
        on directed.identifier_type = limits.identifier_type
        and directed.partner_type = limits.partner_type
        and limits.precedence = 1
    group by directed.identifier_key, directed.partner_type
    having count(*) > max(limits.max_partners)
)

select
    many.identifier_key,
    many.identifier_type,
    many.partner_type,
    count(distinct coalesce(joined.component, directed.partner_key)) as partners,
    many.max_partners,
    many.drops,
    count(distinct coalesce(joined.component, directed.partner_key)) > many.max_partners as is_over_limit
from many
join directed
    on many.identifier_key = directed.identifier_key
    and many.partner_type = directed.partner_type
left join joined on directed.partner_key = joined.identifier_key
group by many.identifier_key, many.identifier_type, many.partner_type, many.max_partners, many.drops
