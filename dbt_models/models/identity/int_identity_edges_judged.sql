with edges as (
    select * from {{ ref('int_identity_edges_observed') }}
),

rules as (
    select * from {{ ref('identity_rules') }}
),

over_limit as (
    select
        identifier_key,
        case when drops = 'partner_type' then partner_type end as partner_type,
        max('more than ' || max_partners || ' of ' || partner_type || ' at one ' || identifier_type) as reason
    from {{ ref('int_identity_partners') }}
    where is_over_limit
    group by identifier_key, case when drops = 'partner_type' then partner_type end
),

shared as (
    select identifier_key, min(reason) as reason
    from over_limit
    -- shared by so many that nothing it is seen with can be trusted
    where partner_type is null
    group by identifier_key
),

machines as (
    select * from {{ ref('int_machine_devices') }}
),

crowded as (
    select * from over_limit
    -- only its ties to this one type are not to be trusted
    where partner_type is not null
)

select
    edges.*,
    coalesce(
        'blocked value: ' || edges.blocked_reason,
        -- a program gives other people's addresses
        case when machines.device_key is not null and edges.rule <> 'manual_same' then 'seen on a machine: ' || machines.reason end,
        case when rules.counts_partners then coalesce(
            left_shared.reason, right_shared.reason, left_crowded.reason, right_crowded.reason
        ) end
    ) as dropped_reason
from edges
join rules using (rule)
-- a device is the weaker of any two and so stands on the right
left join machines on edges.right_key = machines.device_key
left join shared as left_shared on edges.left_key = left_shared.identifier_key
left join shared as right_shared on edges.right_key = right_shared.identifier_key
left join crowded as left_crowded
    on edges.left_key = left_crowded.identifier_key
    and edges.right_type = left_crowded.partner_type
left join crowded as right_crowded
    on edges.right_key = right_crowded.identifier_key
    and edges.left_type = right_crowded.partner_type
