-- who is tied to how many others of one type, and how many are allowed
with edges as (
    select * from {{ ref('int_identity_edges_observed') }}
    where blocked_reason is null
),

rules as (
    select * from {{ ref('identity_rules') }}
),

limits as (
    select * from {{ ref('identity_partner_limits') }}
),

-- what statements about identity join, counts as one partner
stated as (
    {{ connected_components(
        '(select left_key, right_key from ' ~ ref('int_identity_edges_observed') ~ ' as edges join ' ~ ref('identity_rules')
        ~ ' as rules on edges.rule = rules.rule where not rules.counts_partners and edges.blocked_reason is null) as statements'
    ) }}
),

directed as (
    select left_key as identifier_key, left_type as identifier_type, right_key as partner_key, right_type as partner_type, rule from edges
    union all
    select right_key, right_type, left_key, left_type, rule from edges
),

counted as (
    select
        directed.identifier_key,
        directed.identifier_type,
        directed.partner_type,
        count(distinct coalesce(stated.component, directed.partner_key)) as partners
    from directed
    join rules using (rule)
    left join stated on directed.partner_key = stated.identifier_key
    -- a rule that is a statement about identity itself is believed, however many it joins
    where rules.counts_partners
    group by directed.identifier_key, directed.identifier_type, directed.partner_type
),

limited as (
    select
        counted.*,
        limits.max_partners,
        limits.drops,
        -- the row that names both types wins, then the one that names the identifier's
        row_number() over (
            partition by counted.identifier_key, counted.partner_type
            order by (limits.identifier_type = '*')::int * 2 + (limits.partner_type = '*')::int
        ) as precedence
    from counted
    join limits
        on limits.identifier_type in ('*', counted.identifier_type)
        and limits.partner_type in ('*', counted.partner_type)
)

select
    identifier_key,
    identifier_type,
    partner_type,
    partners,
    max_partners,
    drops,
    partners > max_partners as is_over_limit
from limited
where precedence = 1
