with orders as (
    select * from {{ ref('fct_orders') }}
    where is_paid and profile_id is not null and ordered_at <= {{ as_of() }}
),

bought as (
    select
        profile_id,
        count(*) as orders,
        sum(coalesce(total, 0)) as revenue,
        min(ordered_at) as first_order_at,
        max(ordered_at) as last_order_at,
        count(distinct cast(ordered_at as date)) as order_days,
        date_diff('day', min(ordered_at), max(ordered_at)) as span_days,
        date_diff('day', max(ordered_at), {{ as_of() }}) as recency_days
    from orders
    group by profile_id
),

everybody as (
    select coalesce(sum(span_days) / nullif(sum(order_days - 1), 0), 90) as pace_days from bought
),

-- two orders in one week are no habit yet: to everybody's own gaps between orders, one of the usual length is added
paced as (
    select
        bought.*,
        (bought.span_days + everybody.pace_days) / bought.order_days as pace_days
    from bought
    cross join everybody
),

-- people who are alike get the same fifth: it is the share of customers who did less, not a place in a list
ranked as (
    select
        *,
        1 + floor(5 * (rank() over (order by recency_days desc) - 1) / count(*) over ()) as r,
        1 + floor(5 * (rank() over (order by orders) - 1) / count(*) over ()) as f,
        1 + floor(5 * (rank() over (order by revenue) - 1) / count(*) over ()) as m,
        -- the chance that somebody who keeps this pace would have stayed away so long
        1 - exp(-recency_days / greatest(pace_days, 1.0)) as churn_risk
    from paced
)

select
    profile_id,
    orders,
    revenue,
    revenue / orders as average_order,
    first_order_at,
    last_order_at,
    recency_days,
    cast(r as int) || '' || cast(f as int) || cast(m as int) as rfm,
    case
        when r >= 4 and f >= 4 then 'champion'
        when f >= 4 and r = 3 then 'loyal'
        when f >= 4 then 'at risk'
        when r >= 4 then 'new or promising'
        when r = 3 then 'needs attention'
        else 'hibernating'
    end as rfm_segment,
    round(churn_risk, 4) as churn_risk,
    -- what was spent, and a year at this pace as far as they are still there
    round(revenue + (1 - churn_risk) * revenue / orders * least(365 / greatest(pace_days, 1.0), 365), 2) as lifetime_value,
    last_order_at + interval '1 day' * pace_days as next_order_expected_at
from ranked
