-- the engagement of a company: its best people, how many and how much there is besides, and whether that is more than usual
with profiles as (
    select * from {{ ref('dim_profiles') }}
    where account_id is not null and not is_test
),

titles as (
    select titles.title, min_by(roles.role, roles.priority) as role, min_by(roles.weight, roles.priority) as weight
    from (select distinct lower(title) as title from profiles where title is not null) as titles
    join {{ ref('account_roles') }} as roles on regexp_matches(titles.title, roles.pattern)
    group by titles.title
),

people as (
    select
        profiles.account_id,
        profiles.profile_id,
        coalesce(titles.role, 'unknown') as role,
        scores.score * coalesce(titles.weight, 1.0) as points,
        row_number() over (
            partition by profiles.account_id order by scores.score * coalesce(titles.weight, 1.0) desc, profiles.profile_id
        ) as place
    from profiles
    join {{ ref('score_profiles') }} as scores on profiles.profile_id = scores.profile_id and scores.model = 'engagement'
    left join titles on lower(profiles.title) = titles.title
    where scores.score > 0
),

days as (
    select
        profiles.account_id,
        count(distinct days.rule) as kinds,
        coalesce(sum(days.occurrences) filter (where days.event_date > cast({{ as_of() }} as date) - 7), 0) as this_week,
        -- the eight weeks before it
        coalesce(sum(days.occurrences) filter (where days.event_date <= cast({{ as_of() }} as date) - 7), 0) / 8.0 as usual_week
    from {{ ref('int_score_days') }} as days
    join profiles using (profile_id)
    where days.model = 'engagement' and days.event_date > cast({{ as_of() }} as date) - 63
    group by profiles.account_id
),

best as (
    select
        account_id,
        count(*) as active_people,
        sum(points) filter (where place <= 3) as best_points,
        string_agg(profile_id || ' (' || role || ') ' || round(points, 1), ', ' order by place) filter (where place <= 3) as evidence
    from people
    group by account_id
),

raw as (
    select
        accounts.account_id,
        coalesce(best.best_points, 0) as people,
        coalesce(best.active_people, 0) as breadth,
        coalesce(days.kinds, 0) as depth,
        -- from nothing to something is a surge of one
        coalesce(greatest(case when days.usual_week > 0 then days.this_week / days.usual_week - 1 else (days.this_week > 0)::int end, 0), 0) as surge,
        (
            (accounts.domain is not null)::int + (accounts.industry is not null)::int + (accounts.employees is not null)::int
            + (accounts.annual_revenue is not null)::int + (accounts.country is not null)::int
        ) / 5.0 as completeness,
        best.evidence,
        days.this_week,
        days.usual_week
    from {{ ref('dim_accounts') }} as accounts
    left join best using (account_id)
    left join days using (account_id)
),

parts as (
    select account_id, part, least(parts.cap, parts.weight * case part
        when 'people' then people when 'breadth' then breadth when 'depth' then depth when 'surge' then surge else completeness
    end) as points
    from raw
    cross join {{ ref('score_account_parts') }} as parts
)

select
    raw.account_id,
    round(sum(parts.points), 2) as score,
    round(max(parts.points) filter (where parts.part = 'people'), 2) as people_points,
    round(max(parts.points) filter (where parts.part = 'breadth'), 2) as breadth_points,
    round(max(parts.points) filter (where parts.part = 'depth'), 2) as depth_points,
    round(max(parts.points) filter (where parts.part = 'surge'), 2) as surge_points,
    round(max(parts.points) filter (where parts.part = 'completeness'), 2) as completeness_points,
    raw.breadth as active_people,
    raw.this_week as events_this_week,
    raw.usual_week as events_in_a_usual_week,
    raw.evidence,
    {{ as_of() }} as scored_at
from raw
join parts using (account_id)
group by raw.account_id, raw.breadth, raw.this_week, raw.usual_week, raw.evidence
